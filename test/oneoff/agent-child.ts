/**
 * An agent without sources: the product's journal and link on an enrolled state directory, driven by the harness. It
 * tells of sessions as the sources' room does, by drafts. What is secret of a session is told to the harness, in
 * memory, so that it knows what to look for.
 */
import { randomBytes } from 'node:crypto';
import { requireEnrolment } from '../../agent/identity.ts';
import { openJournal } from '../../agent/journal-open.ts';
import { ensureDigestKey, loadAgentKey } from '../../agent/keys.ts';
import { lockState } from '../../agent/lock.ts';
import { openLog } from '../../agent/log.ts';
import type { Draft } from '../../agent/types.ts';
import { Link } from '../../agent/uplink/link.ts';
import { newId, type SessionId } from '../../protocol/ids.ts';
import { systemClock, toIso } from '../../protocol/time.ts';
import { type Armed, deadlySeam } from './seam.ts';
import type { Asked, Canaries, Told } from './talk.ts';

const { state, broken } = JSON.parse(process.argv[2] ?? '{}') as { state: string; broken: string[] };
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const seam = deadlySeam();
const faults = { hit: seam.hit, broken: (law: string) => broken.includes(law) };
const { identity, birth, groups } = requireEnrolment(state);
lockState(state);
const key = loadAgentKey(state);
const around = { clock: systemClock, random: randomBytes, faults };
const digestKey = ensureDigestKey(state, randomBytes);
const { journal } = openJournal({ dir: state, identity, birth, key, digestKey, version: '0.1.0', ...around });
if (groups.length > 0) journal.addGroups(groups);
const source = journal.sourceId('a log');
const link = new Link({
  ...{ identity, key, journal, proxy: null, ...around },
  // A tenth of the product's waits before a reconnect; the rest of them is as it is.
  jitter: () => randomBytes(4).readUInt32BE() / 2 ** 32 / 10,
  software: { version: '0.1.0', platform: 'test', node: '26' },
  log: openLog({ clock: systemClock }),
  readThrough: () => systemClock.now(),
  statusBody: () => ({ sources: [] }),
  doers: {},
  changed: () => {},
});

function start({ peerId, name, user }: Canaries): Told {
  const session = newId<'session'>(randomBytes);
  const before = new Set(journal.oneoffKeys().map((held) => held.group));
  const draft: Draft<'session.started'> = {
    type: 'session.started',
    data: {
      session,
      source,
      tool: 'teamviewer',
      direction: 'incoming',
      mode: 'one-off',
      kind: 'remote-control',
      startedAt: toIso(systemClock.now()),
      startBasis: 'observed',
      occurrence: 0,
    },
    personal: { peerId, peerNames: [name] },
  };
  const first = journal.append([draft]);
  update(session, user);
  const { log } = journal.logs().find((one) => one.open) ?? {};
  const out = log === undefined ? null : journal.outgoing(log, (first?.firstSeq ?? 1) - 1, LIMITS);
  const made = journal.oneoffKeys().find((held) => !before.has(held.group));
  const bodies = (out?.parts ?? []).filter((part) => part.group === made?.group).map((part) => part.body);
  return { session, group: made?.group ?? '', key: made?.key ?? '', bodies };
}

const LIMITS = { events: 500, bytes: 256 * 1024 };

function update(session: SessionId, localUser: string): void {
  const data = { session, auth: null, failedAttempts: null, files: null, confirmedBy: ['logfile'] };
  journal.append([{ type: 'session.updated', data, personal: { localUser } }]);
}

function end(session: SessionId): number {
  journal.append([
    {
      type: 'session.ended',
      data: {
        session,
        endedAt: toIso(systemClock.now()),
        endBasis: 'observed',
        durationSeconds: 1,
        reason: 'completed',
      },
    },
  ]);
  return Date.now();
}

/** Events that wait: what a long time without a link leaves. */
function fill(count: number): void {
  const beat: Draft = { type: 'agent.heartbeat', data: { version: '0.1.0', reason: 'tick' } };
  for (let left = count; left > 0; left -= 500) {
    journal.append(Array.from({ length: Math.min(500, left) }, () => beat));
  }
}

async function act(asked: Asked): Promise<unknown> {
  switch (asked.do) {
    case 'start':
      return start(asked.canaries);
    case 'end':
      return end(asked.session as SessionId);
    case 'fill':
      return fill(asked.count);
    case 'link':
      return asked.on ? link.start() : await link.stop();
    case 'state':
      return { live: link.live() !== null, backlog: journal.backlog(), lane: journal.erasedHere().length };
    case 'arm':
      return seam.arm(asked.armed as Armed | null);
  }
}

process.on('message', (asked: Asked) => {
  act(asked).then(
    (answer) => process.send?.({ n: asked.n, answer: answer ?? null }),
    (error: unknown) => process.send?.({ n: asked.n, error: String(error) }),
  );
});
process.once('SIGTERM', () => {
  journal.endOneOffs();
  link
    .drained(2_000)
    .then(() => link.stop())
    .then(() => {
      journal.close();
      process.exit(0);
    });
});
link.start();
process.send?.('ready');
