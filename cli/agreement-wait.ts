/**
 * Waiting for the end of an agreement: `--wait`, with `--timeout`.
 *
 * H6  0 where every host and the collector are done. When the time is over: 10 where the collector is done, or all that
 *     it can do for now, and hosts are waited for, each named with when it was last seen; else 124.
 */
import { TilsynError } from '../protocol/errors.ts';
import { MINUTE_MS, SECOND_MS } from '../protocol/time.ts';
import { duration, zone } from './args.ts';
import { makeClient, REQUEST_TIMEOUT_MS } from './client.ts';
import { pause } from './follow.ts';
import type { Input } from './io.ts';
import type { Item } from './print.ts';
import { remoteOf } from './settings.ts';
import { clean } from './text.ts';
import { showIso } from './times.ts';

const WAIT_MS = 10 * MINUTE_MS;
const FIRST_MS = SECOND_MS;
const LONGEST_MS = 15 * SECOND_MS;

/** @returns null: it has ended; else what is to be said, and with which exit code, once the rest is printed */
export async function untilEnded(input: Input, id: string): Promise<TilsynError | null> {
  const { io } = input;
  const collector = makeClient(remoteOf(io), io, REQUEST_TIMEOUT_MS);
  const path = `/v1/agreements/${encodeURIComponent(id)}`;
  const until = io.clock.mono() + (duration(input, 'timeout', '--timeout') ?? WAIT_MS);
  for (let waitMs = FIRST_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_MS)) {
    const item = await collector.get<Item>(path, { bare: '1' });
    if (item.state === 'ended') return null;
    if (item.endsAt === null) return notOrdered();
    const left = until - io.clock.mono();
    // Names are opened once, and that reading is recorded.
    if (left <= 0) return late(await collector.get<Item>(path), zone(input));
    await pause(io, Math.min(waitMs, left));
  }
}

/** What hosts owe that they could have done by now: the order, and once nothing lives at the collector, all of it. */
export function owing({ state: phase, hosts, groups }: Item): Item[] {
  const here = phase === 'ending' || groups.live + groups.erasing > 0;
  return (hosts as Item[]).filter(
    ({ state, takenAt }) => state === 'failed' || (state === 'pending' && (takenAt === null || !here)),
  );
}

function late(item: Item, tz: string): TilsynError {
  const waited = owing(item);
  const hint = `Look again with \`tilsyn agreement show ID --wait\`. A host that never comes back is set aside with \`tilsyn host revoke HOST\`.`;
  if (waited.length > 0) {
    const named = waited.map(({ host, state, lastSeenAt }) => {
      const seen = lastSeenAt === null ? 'never seen' : `last seen ${showIso(lastSeenAt, tz)}`;
      return `${clean(String(host))} (${state}, ${seen})`;
    });
    return new TilsynError('agreement.pending', `waiting for the end of the agreement: ${named.join(', ')}`, {
      hint,
      exit: 'partly',
    });
  }
  const why = item.state === 'ending' ? `erasing begins at ${item.eraseAt}` : 'the collector is not done';
  return new TilsynError('agreement.late', `waiting for the end of the agreement: ${why}`, {
    hint: 'Give it longer with --timeout 80h, or look again with `tilsyn agreement show ID`.',
    exit: 'timeout',
  });
}

function notOrdered(): TilsynError {
  return new TilsynError('agreement.open', 'waiting for the end of the agreement: its end is not ordered', {
    hint: `Order it with \`tilsyn agreement end ID\`, or approve it first: \`tilsyn approval list\`.`,
    exit: 'conflict',
  });
}
