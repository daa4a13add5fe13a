/**
 * `tilsyn hold preview`, `tilsyn hold place`.
 *
 * H16 `--wait`: 0 only where every host says that it is in force and that what it covers is protected; else 10, naming
 *     who is waited for.
 */
import { EXIT, TilsynError } from '../protocol/errors.ts';
import { MINUTE_MS, toIso } from '../protocol/time.ts';
import { checkOutput, client, duration, flag, list, oneTime, text, zone } from './args.ts';
import { HOLD_CSV, PREVIEW_CSV } from './csv-fields.ts';
import { pause } from './follow.ts';
import { HOLD_CARD, hostText, PREVIEW } from './hold-columns.ts';
import { HoldProgress } from './hold-progress.ts';
import type { Input } from './io.ts';
import { type Item, printItem } from './print.ts';
import { clean } from './text.ts';

const WAIT_MS = 10 * MINUTE_MS;
const LOOK_MS = 500;

function scopeOf(input: Input): Item {
  const [from, to] = [oneTime(input, 'from'), oneTime(input, 'to')];
  const pad = duration(input, 'pad', '--pad');
  return {
    ...given('cameras', list(input, 'camera')),
    ...given('sessions', list(input, 'session')),
    ...given('hosts', list(input, 'host')),
    ...given('site', text(input, 'site')),
    ...given('from', from === undefined ? undefined : toIso(from)),
    ...given('to', to === undefined ? undefined : toIso(to)),
    ...given('padMs', pad),
  };
}

function given(name: string, value: unknown): Item {
  return value === undefined ? {} : { [name]: value };
}

export async function holdPreview(input: Input): Promise<number> {
  checkOutput(input);
  const seen = await client(input).post<Item>('/v1/holds/preview', scopeOf(input));
  printItem(input, seen, PREVIEW, PREVIEW_CSV);
  return seen.complete ? EXIT.done : EXIT.findings;
}

export async function holdPlace(input: Input): Promise<number> {
  checkOutput(input);
  const review = oneTime(input, 'review');
  const dryRun = flag(input, 'dryRun');
  const body = {
    ...scopeOf(input),
    ...given('kind', text(input, 'kind')),
    ...given('case', text(input, 'case')),
    ...given('basis', text(input, 'basis')),
    ...given('reason', text(input, 'reason')),
    ...given('wide', text(input, 'wide')),
    ...given('review', review === undefined ? undefined : toIso(review)),
    restricted: flag(input, 'restricted'),
    dryRun,
  };
  const collector = client(input);
  const placed = await collector.post<Item>('/v1/holds', body);
  if (dryRun) {
    printItem(input, placed, PREVIEW, PREVIEW_CSV);
    return placed.complete ? EXIT.done : EXIT.findings;
  }
  const item = flag(input, 'wait') ? await untilDone(input, placed) : placed;
  printHold(input, item);
  const open = waitedFor(item);
  if (!flag(input, 'wait') || open.length === 0) return EXIT.done;
  throw pending(open, zone(input));
}

export function printHold(input: Input, item: Item): void {
  printItem(input, item, HOLD_CARD, HOLD_CSV);
  if ((text(input, 'output') ?? 'table') !== 'table') return;
  const hosts = item.agents as Item[];
  for (const one of hosts) input.io.out(`  ${clean(hostText(one, zone(input)))}\n`);
  if (hosts.some(({ state, confirmed }) => state === 'cannot-enforce' && !confirmed))
    input.io.out('hold it by hand, then: tilsyn hold confirm ID (docs/guide/holds.md, By hand)\n');
}

async function untilDone(input: Input, placed: Item): Promise<Item> {
  const { io } = input;
  const until = io.clock.mono() + (duration(input, 'timeout', '--timeout') ?? WAIT_MS);
  const path = `/v1/holds/${encodeURIComponent(placed.id)}`;
  const progress = new HoldProgress(placed);
  for (let item = placed; ; item = await client(input).get<Item>(path, { bare: '1' })) {
    const left = until - io.clock.mono();
    // Names and texts are opened once, and that reading is recorded.
    if (waitedFor(item).length === 0 || left <= 0 || isHopeless(item))
      return item === placed ? placed : await client(input).get<Item>(path, {});
    const line = progress.line(item, io.clock.mono());
    if (line !== null && (text(input, 'output') ?? 'table') === 'table') io.err(line);
    await pause(io, Math.min(LOOK_MS, left));
  }
}

const PROTECTED = ['not-needed', 'copied'];

/** Hosts that are not in force, or whose recordings are not protected yet. */
function waitedFor({ agents = [] }: Item): Item[] {
  return (agents as Item[]).filter(
    ({ state, protection, confirmed }) =>
      !(state === 'in-force' && PROTECTED.includes(protection)) && !(state === 'cannot-enforce' && confirmed),
  );
}

/** Nothing changes by waiting: whoever is left has failed, or wants a person. */
function isHopeless(item: Item): boolean {
  return waitedFor(item).every(
    ({ state, protection }) => state === 'failed' || state === 'cannot-enforce' || protection === 'failed',
  );
}

function pending(open: readonly Item[], tz: string): TilsynError {
  const named = open.map((one) => clean(hostText(one, tz))).join('; ');
  return new TilsynError('hold.pending', `placing a hold: it was placed, and waits for ${named}`, {
    hint: 'See `tilsyn hold show ID`. A host that has no line takes a slip: `tilsyn hold slip ID`.',
    exit: 'partly',
  });
}
