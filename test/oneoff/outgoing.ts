/**
 * Outgoing sessions, with real agents that read TeamViewer's log and a collector that dies where it is told to: a
 * technician's machine (one-off, of one customer) and a device (managed, of another). Sessions with the device stay, in
 * its agreement; all others go.
 */
import { once } from 'node:events';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { header, outgoing, restamped, stamp } from '../fixtures/teamviewer-log.ts';
import { must, mustEqual, mustVerify } from '../identity/scenario.ts';
import { Agent, type Session, Stage } from '../identity/stage.ts';
import { found } from './remains.ts';

const COLLECTOR = fileURLToPath(new URL('./collector-child.ts', import.meta.url));
export const DEVICE = '1555000444';
const STRANGER = '1555000999';
/** Its last lines say that it is over. */
const END_LINES = 2;

interface Call {
  peer: string;
  lines: string[];
}
type Shown = Session & { personal: string; erasedAt: string | null };

export class OutgoingWorld {
  readonly stage: Stage;
  readonly device: Agent;
  readonly tech: Agent;
  #calls = 0;

  private constructor(stage: Stage, device: Agent, tech: Agent) {
    this.stage = stage;
    this.device = device;
    this.tech = tech;
  }

  /** The device is enrolled and does not run yet. */
  static async open(): Promise<OutgoingWorld> {
    const stage = await Stage.open();
    await stage.found();
    await stage.collector?.stop();
    await stage.startCollector({ file: COLLECTOR, config: {} });
    const device = await enrolled(stage, 'device', 'managed', DEVICE);
    const tech = await enrolled(stage, 'tech', 'one-off', '1555000111');
    const world = new OutgoingWorld(stage, device, tech);
    await world.up(tech);
    return world;
  }

  async up(agent: Agent): Promise<void> {
    await agent.start();
    await agent.linked();
  }

  /** The technician's machine logs that it was let in; resolves when the session is at the collector. */
  async begins(peer: string, seen = true): Promise<Call> {
    this.#calls += 1;
    const n = this.#calls;
    const lines = outgoing({ peer, gate: n, session: `-${1_000 + n}`, name: `PUMP-ROOM-${n}` });
    const call = { peer, lines };
    // Looking is a reading, and so a commit of the collector's own.
    const before = seen ? (await this.stage.sessions()).length : 0;
    write(this.tech, lines.slice(0, -END_LINES));
    if (seen) {
      await this.stage.until('a session is live', async () => (await this.stage.sessions()).length > before);
    }
    return call;
  }

  ends({ lines }: Call): void {
    write(this.tech, lines.slice(-END_LINES));
  }

  /** The newest session. */
  async newest(): Promise<Shown> {
    const all = (await this.stage.sessions()) as Shown[];
    const last = all.toSorted((a, b) => a.startedAt.localeCompare(b.startedAt)).at(-1);
    if (last === undefined) throw new Error('there is no session');
    return last;
  }

  /** How many sealed parts lie under each kind of group, and under whose agreement. */
  places(): Record<string, number> {
    const db = new Sqlite(`${this.stage.collectorState}/collector.db`, { readonly: true });
    try {
      const rows = db
        .prepare(
          `SELECT g.kind || ' of ' || a.mode AS place, count(*) AS n FROM leaves l JOIN sealed s ON s.pos = l.pos
           JOIN key_groups g ON g.id = s.grp JOIN agreements a ON a.agreement = g.agreement
           WHERE l.type LIKE 'session.%' GROUP BY place`,
        )
        .all() as { place: string; n: number }[];
      return Object.fromEntries(rows.map(({ place, n }) => [place, n]));
    } finally {
      db.close();
    }
  }

  async arm(point: string): Promise<void> {
    const child = this.stage.collector?.child;
    if (child === undefined) throw new Error('no collector runs');
    child.send({ point, nth: 1 });
    await once(child, 'message');
  }

  async restart(): Promise<void> {
    await this.stage.startCollector({ file: COLLECTOR, config: {} });
    await this.tech.linked();
  }

  async over(what: string): Promise<Shown> {
    await this.stage.until(what, async () => (await this.newest()).state !== 'active');
    return await this.newest();
  }
}

function write(agent: Agent, lines: readonly string[]): void {
  appendFileSync(logOf(agent), `${restamped(lines, Date.now()).join('\n')}\n`);
}

const logOf = ({ stage, name }: Agent) => stage.at('site', name, 'TeamViewer15_Logfile.log');

async function enrolled(stage: Stage, name: string, mode: string, id: string): Promise<Agent> {
  const where = [
    '--customer',
    mode === 'managed' ? 'Acme' : 'Helpers',
    '--site',
    'Albertslund',
    '--mode',
    mode,
  ];
  const { token } = await stage.json<{ token: string }>(['token', 'create', ...where]);
  const agent = new Agent(stage, name);
  await stage.json(['agent', 'enrol', '--state', agent.state, '--token-file', stage.secret(token)]);
  mkdirSync(stage.at('site', name), { mode: 0o700 });
  const [date, time] = stamp(Date.now()).split(' ');
  const head = header({ start: `${date} ${time}`, zone: '(UTC+0:00)', id });
  writeFileSync(logOf(agent), `${head.join('\n')}\n`);
  const source = { type: 'teamviewer', logfile: logOf(agent), startFrom: 'beginning' };
  writeFileSync(agent.config, JSON.stringify({ sources: [source] }));
  return agent;
}

async function mustStay(world: OutgoingWorld, what: string): Promise<void> {
  const one = await world.over(what);
  mustEqual([one.peer?.id, one.personal, one.erasedAt], [DEVICE, 'open', null], what);
}

async function mustGo(world: OutgoingWorld, what: string): Promise<void> {
  await world.over(what);
  await world.stage.until(what, async () => (await world.newest()).personal === 'erased');
  mustEqual((await world.newest()).peer, null, what);
}

/** A session, before the device is known; then it is; then both ways once more. */
async function knownLate(world: OutgoingWorld): Promise<string> {
  const early = await world.begins(DEVICE);
  world.ends(early);
  await mustGo(world, 'over before its device was known');
  const live = await world.begins(DEVICE);
  mustEqual(Object.keys(world.places()), ['oneoff of one-off'], 'while nobody knows the device');
  await world.up(world.device);
  await moved(world);
  world.ends(live);
  await mustStay(world, 'known while it ran');
  const unknown = await world.begins(STRANGER);
  mustEqual((await world.newest()).peer?.id, STRANGER, 'while it runs');
  const at = Date.now();
  world.ends(unknown);
  await mustGo(world, 'with a device that nobody manages');
  return `kept: with a device that became known while it ran; gone: before that, and with a stranger (${Date.now() - at} ms)`;
}

async function moved(world: OutgoingWorld): Promise<void> {
  await world.stage.until('it lies in the device’s agreement', () => {
    return Object.keys(world.places()).every((place) => place === 'span of managed');
  });
}

/** The collector dies at this point; the session goes on. */
async function diesBetween(world: OutgoingWorld, point: string): Promise<void> {
  await world.arm(point);
  const call = await world.begins(DEVICE, false);
  await world.stage.collector?.exited;
  await world.restart();
  await moved(world);
  await world.stage.until('it is shown again', async () => (await world.newest()).peer?.id === DEVICE);
  world.ends(call);
  await mustStay(world, `the collector died at ${point}`);
}

/** The same, and the session is over before the collector is back. */
async function overMeanwhile(world: OutgoingWorld): Promise<void> {
  await world.arm('collector.oneoff.recognised');
  const call = await world.begins(DEVICE, false);
  await world.stage.collector?.exited;
  world.ends(call);
  await world.stage.until('the agent has read its end', async () => {
    return (await world.tech.status())?.sources.every(({ behindBytes }) => behindBytes === 0) === true;
  });
  await world.restart();
  await mustGo(world, 'over while the collector was down');
}

/** The process that knew it dies after the move: what was moved stays. */
async function techDies(world: OutgoingWorld): Promise<void> {
  await world.begins(DEVICE);
  await moved(world);
  await world.tech.proc?.kill();
  await world.up(world.tech);
  must((await world.newest()).peer?.id === DEVICE, 'what was moved stays when the agent dies');
}

async function nothingInClear({ stage, device, tech }: OutgoingWorld): Promise<void> {
  for (const agent of [device, tech]) await agent.stop();
  await stage.collector?.stop();
  const needles = [DEVICE, STRANGER, 'PUMP-ROOM'].map((text) => ({ name: text, bytes: Buffer.from(text) }));
  const places = ['collector', 'keys2', 'agent-device', 'agent-tech', 'logs'];
  mustEqual(found(stage.root, places, needles), [], 'ids and names on any disk of ours');
  must(found(stage.root, ['site'], needles).length > 0, 'a search that finds nothing anywhere');
}

/** All of it; returns what is to be said of it. */
export async function outgoingSessions(keep: boolean): Promise<string> {
  const world = await OutgoingWorld.open();
  try {
    const note = await knownLate(world);
    for (const point of ['collector.oneoff.recognised', 'store.commit', 'collector.oneoff.moved']) {
      await diesBetween(world, point);
    }
    await overMeanwhile(world);
    await techDies(world);
    await mustVerify(world.stage, world.tech, world.device);
    await nothingInClear(world);
    return `${note}; killed at each step of the move, then kept; killed and over meanwhile: gone`;
  } finally {
    await world.stage.close(keep);
  }
}
