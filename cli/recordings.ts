/** `recording list|due|missing`: of this host by its own agent's control socket, of others through the collector. */
import { EXIT, TilsynError } from '../protocol/errors.ts';
import { toIso, type UtcMs } from '../protocol/time.ts';
import { checkOutput, oneTime, text, wholeNumber, zone } from './args.ts';
import { RECORDING_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { type Column, field, type Item, type ListAnswer, printList, time } from './print.ts';
import { askFleet, askHere, isRemote, isWhole } from './recordings-ask.ts';
import { coverageOf } from './recordings-coverage.ts';
import { tableText } from './text.ts';
import { showIso } from './times.ts';

const PAGE = 500;
const LIMIT = 1_000;

const RECORDING: readonly Column[] = [
  field('camera', 'cameraName'),
  time('starts', 'startedAt'),
  time('ends', 'endedAt'),
  field('bytes', 'sizeBytes'),
  field('state', 'state'),
  time('until', 'retainUntil'),
  field('why', 'reason'),
  field('path', 'path'),
];

const ON_HOST: Column = field('host', 'host');

/** Finished days, where nobody can name the recordings now. */
const DAY: readonly Column[] = [
  field('camera', 'cameraName'),
  time('day', 'from'),
  field('recordings', 'count'),
  field('there', 'present'),
  field('erased', 'erased'),
  field('missing', 'missing'),
  time('first', 'first'),
  time('last', 'last'),
  field('gaps', 'gaps'),
];

type Found = ListAnswer & { hosts: Item[]; notLookedAt: string[]; copies: Item[] };

async function listed(input: Input, question: string): Promise<Found> {
  checkOutput(input);
  const limit = wholeNumber(input, 'limit', '--limit') ?? LIMIT;
  const state = text(input, 'recordingState');
  const body = {
    ...timed('from', oneTime(input, 'from')),
    ...timed('to', oneTime(input, 'to')),
    ...(state === undefined ? {} : { state }),
  };
  return isRemote(input)
    ? await ofMany(input, question, body, limit)
    : await ofThis(input, question, body, limit);
}

async function ofMany(input: Input, question: string, body: Item, limit: number): Promise<Found> {
  const camera = text(input, 'camera');
  const asked = { ...body, ...(camera === undefined ? {} : { camera }) };
  const { items, next, coverage, hosts } = await askFleet(input, question, asked, limit);
  const all = (name: string) => hosts.flatMap((host) => (host[name] ?? []) as unknown[]);
  const notLookedAt = [...new Set(all('notLookedAt') as string[])];
  return { schema: 1, items, coverage, next, hosts, notLookedAt, copies: all('copies') as Item[] };
}

/** Pages of this host up to `limit`; its coverage is that of the roots. */
async function ofThis(input: Input, question: string, body: Item, limit: number): Promise<Found> {
  const camera = await cameraHere(input);
  const items: Item[] = [];
  let after: unknown = text(input, 'after');
  let answer: Item = {};
  do {
    const rows = Math.min(PAGE, limit - items.length);
    const place = typeof after === 'string' ? { after } : {};
    answer = await askHere(input, `recordings.${question}`, { ...body, ...camera, limit: rows, ...place });
    items.push(...(answer.items as Item[]));
    after = answer.next;
  } while (typeof after === 'string' && items.length < limit);
  const next = typeof after === 'string' ? after : null;
  const { notLookedAt = [], copies = [] } = answer as Partial<Found>;
  return { schema: 1, items, ...(await coverageOf(input, answer)), next, hosts: [], notLookedAt, copies };
}

function timed(name: string, at: UtcMs | undefined): Item {
  return at === undefined ? {} : { [name]: toIso(at) };
}

/** `--camera` by its name or its id. */
async function cameraHere(input: Input): Promise<Item> {
  const wanted = text(input, 'camera');
  if (wanted === undefined) return {};
  const { sources = [] } = await askHere(input, 'recordings.stats');
  const all = (sources as Item[]).flatMap(({ cameras }) => cameras as Item[]);
  const found = all.filter(({ camera, name }) => camera === wanted || name === wanted);
  if (found.length === 1) return { camera: found[0]?.camera };
  throw new TilsynError(
    'camera.unknown',
    `looking for a camera: ${found.length === 0 ? 'there is none' : 'there are two'} of that name`,
    {
      hint: 'tilsyn recording stats lists them with their ids.',
      exit: found.length === 0 ? 'notFound' : 'conflict',
    },
  );
}

/** The list, and of each host that did not answer what it told before (H14). Findings where one did not. */
function show(input: Input, answer: Found, what: string): number {
  const many = new Set(answer.items.map(({ hostId }) => hostId)).size > 1;
  const columns = many ? [ON_HOST, ...RECORDING] : RECORDING;
  const { hosts, notLookedAt, copies, ...list } = answer;
  const shown = isRemote(input) ? answer : list;
  const code = printList(input, shown, { columns, csv: RECORDING_CSV, what });
  if ((text(input, 'output') ?? 'table') === 'table') showTold(input, hosts);
  return isWhole(answer) ? code : EXIT.findings;
}

function showTold(input: Input, hosts: readonly Item[]): void {
  const tz = zone(input);
  for (const { answered, host, asOf, days, moreDays } of hosts) {
    if (answered === true) continue;
    const told =
      asOf === null ? 'it has told of no recording yet' : `as last told at ${showIso(asOf, tz)}, by days`;
    const rows = (days as Item[]).map((day) => DAY.map(([, cell]) => cell(day, tz)));
    input.io.out(`${host}: ${told}\n`);
    if (rows.length > 0)
      input.io.out(
        tableText(
          DAY.map(([heading]) => heading),
          rows,
        ),
      );
    if (moreDays === true) input.io.out('and more days; narrow them with --from, --to\n');
  }
}

export async function recordingList(input: Input): Promise<number> {
  return show(input, await listed(input, 'list'), 'recordings');
}

export async function recordingMissing(input: Input): Promise<number> {
  const answer = await listed(input, 'missing');
  const code = show(input, answer, 'missing recordings');
  return answer.items.length > 0 ? EXIT.findings : code;
}

/** R8: what is past its time and still there, and what no answer covers. */
export async function recordingDue(input: Input): Promise<number> {
  const answer = await listed(input, 'due');
  const code = show(input, answer, 'recordings past their time');
  if ((text(input, 'output') ?? 'table') === 'table')
    input.io.out(notLookedAt(answer.notLookedAt, answer.copies));
  return answer.items.length > 0 ? EXIT.findings : code;
}

/** R8, with the copies that can be seen. */
export function notLookedAt(names: readonly string[], copies: readonly Item[] = []): string {
  const seen = copies.map(
    ({ kind, place, count, more }) => `${more ? 'over ' : ''}${count} ${kind} ${place} a root`,
  );
  const unseen = names.length === 0 ? 'the recordings themselves' : [...new Set(names)].join(', ');
  return `not looked at: ${unseen}${seen.length === 0 ? '' : `; seen of it: ${seen.join(', ')}`}\n`;
}
