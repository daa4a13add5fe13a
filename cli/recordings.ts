/**
 * `recording list|due|missing|stats`, `sweep plan|run|approve|status`: of this host by its own agent's control socket, of
 * another (`--host`) through the collector. `source accept-root|retire` on the host alone: a person has to look at the disk.
 */
import { EXIT, TilsynError } from '../protocol/errors.ts';
import { toIso, type UtcMs } from '../protocol/time.ts';
import { checkOutput, client, flag, oneTime, stateDir, text, usage, wholeNumber, zone } from './args.ts';
import { confirm, requireConsent } from './confirm.ts';
import { coverageLines } from './coverage-lines.ts';
import { RECORDING_CSV, ROOT_CSV, STATS_CSV, SWEEP_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { type Column, field, type Item, type ListAnswer, printData, printList, time } from './print.ts';
import { coverageOf } from './recordings-coverage.ts';
import { tableText } from './text.ts';
import { showIso } from './times.ts';

const PAGE = 500;
const LIMIT = 1_000;

/** Where a verb is asked for at the collector; null: on the host alone. */
function remoteOf(verb: string): string | null {
  const [noun = '', act = ''] = verb.split('.');
  return noun === 'source' ? null : `${noun === 'sweep' ? 'sweeps' : noun}/${act}`;
}

async function ask(input: Input, verb: string, body: Item = {}): Promise<Item> {
  const answer = await asked(input, verb, body);
  if (answer.outcome === 'failed' || answer.outcome === 'unsupported') throw refused(verb, answer);
  return answer;
}

async function asked(input: Input, verb: string, body: Item): Promise<Item> {
  const host = text(input, 'host');
  const remote = remoteOf(verb);
  if (host === undefined || remote === null) {
    const { askAgent } = await import('../agent/main.ts');
    return await askAgent(stateDir(input), 'recordings', { verb, body });
  }
  const path = `/v1/hosts/${encodeURIComponent(host)}/${remote}`;
  const orders = verb === 'sweep.run' || verb === 'sweep.approve';
  if (orders) return await client(input).post<Item>(path, body);
  const query = Object.fromEntries(Object.entries(body).map(([key, value]) => [key, String(value)]));
  const answer = await client(input).get<Item>(path, query);
  if (answer.offline === true) input.io.err('the host is not connected, and only it can say');
  return answer;
}

function refused(verb: string, { code, outcome }: Item): TilsynError {
  const said = typeof code === 'string' ? code : String(outcome);
  const exit = said.endsWith('.unknown') ? 'notFound' : said.endsWith('.stale') ? 'conflict' : 'failed';
  return new TilsynError(said, `asking this agent for ${verb}: it was refused`, {
    hint: 'docs/guide/troubleshooting.md says what the code means.',
    exit,
  });
}

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

/** Pages of one verb up to `--limit`; its coverage is that of the roots. */
async function listed(input: Input, verb: string): Promise<ListAnswer & { notLookedAt?: string[] }> {
  checkOutput(input);
  const limit = wholeNumber(input, 'limit', '--limit') ?? LIMIT;
  const range = {
    ...timed('from', oneTime(input, 'from')),
    ...timed('to', oneTime(input, 'to')),
    ...(text(input, 'recordingState') === undefined ? {} : { state: text(input, 'recordingState') }),
  };
  const camera = await cameraOf(input);
  const items: Item[] = [];
  let after: unknown = text(input, 'after');
  let answer: Item = {};
  do {
    const rows = Math.min(PAGE, limit - items.length);
    const body = { ...range, ...camera, limit: rows, ...(typeof after === 'string' ? { after } : {}) };
    answer = await ask(input, verb, body);
    items.push(...(answer.items as Item[]));
    after = answer.next;
  } while (typeof after === 'string' && items.length < limit);
  return {
    schema: 1,
    items,
    ...(await coverageOf(input, answer)),
    next: typeof after === 'string' ? after : null,
    ...(answer.notLookedAt === undefined ? {} : { notLookedAt: answer.notLookedAt }),
  } as never;
}

function timed(name: string, at: UtcMs | undefined): Item {
  return at === undefined ? {} : { [name]: toIso(at) };
}

/** `--camera` by its name or its id. */
async function cameraOf(input: Input): Promise<Item> {
  const wanted = text(input, 'camera');
  if (wanted === undefined) return {};
  const { sources = [] } = await ask(input, 'recordings.stats');
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

export async function recordingList(input: Input): Promise<number> {
  return printList(input, await listed(input, 'recordings.list'), {
    columns: RECORDING,
    csv: RECORDING_CSV,
    what: 'recordings',
  });
}

export async function recordingMissing(input: Input): Promise<number> {
  const answer = await listed(input, 'recordings.missing');
  const code = printList(input, answer, {
    columns: RECORDING,
    csv: RECORDING_CSV,
    what: 'missing recordings',
  });
  return answer.items.length > 0 ? EXIT.findings : code;
}

/** R8: what is past its time and still there, and what no answer covers. */
export async function recordingDue(input: Input): Promise<number> {
  const answer = await listed(input, 'recordings.due');
  const code = printList(input, answer, {
    columns: RECORDING,
    csv: RECORDING_CSV,
    what: 'recordings past their time',
  });
  if ((text(input, 'output') ?? 'table') === 'table') input.io.out(notLookedAt([answer]));
  return answer.items.length > 0 ? EXIT.findings : code;
}

function notLookedAt(sources: readonly Item[]): string {
  const names = new Set(sources.flatMap(({ notLookedAt: all }) => (all ?? []) as string[]));
  return names.size === 0
    ? 'not looked at: the recordings themselves\n'
    : `not looked at: ${[...names].join(', ')}\n`;
}

const STATS: readonly Column[] = [
  field('camera', 'name'),
  field('recordings', 'count'),
  field('bytes', 'bytes'),
  time('oldest', 'oldest'),
  time('newest', 'newest'),
  field('over the limit', 'due'),
  field('held', 'held'),
  field('no end', 'unbounded'),
  field('missing', 'missing'),
];

/** One screen for each root: is footage older than its limit gone, and what was not looked at. */
export async function recordingStats(input: Input): Promise<number> {
  checkOutput(input);
  const answer = await ask(input, 'recordings.stats');
  const sources = (answer.sources ?? []) as Item[];
  const items = sources.flatMap(({ cameras, ...root }) =>
    (cameras as Item[]).map(
      (camera): Item => ({
        source: root.source,
        root: root.root,
        layout: root.layout,
        limit: root.limit ?? null,
        ...camera,
      }),
    ),
  );
  const over = items.reduce((sum, { due }) => sum + (typeof due === 'number' ? due : 0), 0);
  const kind = text(input, 'output') ?? 'table';
  const list: ListAnswer = { schema: 1, items, ...(await coverageOf(input, answer)), next: null };
  if (kind === 'table') {
    for (const source of sources) showRoot(input, source);
    input.io.out(
      coverageLines(list, zone(input))
        .map((line) => `${line}\n`)
        .join(''),
    );
  } else printList(input, list, { columns: STATS, csv: STATS_CSV, what: 'cameras' });
  if (sources.length === 0 && kind === 'table' && answer.offline !== true)
    input.io.out('no root of recordings is configured\n');
  const open = sources.some(({ state, unjudged }) => state !== 'watched' || unjudged != null);
  const bad = answer.offline === true || over > 0 || open;
  return bad ? EXIT.findings : EXIT.done;
}

function showRoot(input: Input, source: Item): void {
  const tz = zone(input);
  const { io } = input;
  const limit =
    source.limit == null ? 'no limit for recordings' : `recordings are kept at most ${source.limit}`;
  const policy =
    source.policy === null
      ? 'no policy is in force'
      : `policy ${source.policy}, version ${source.version}: ${limit}`;
  io.out(`${source.root} (${source.layout}, ${source.mode}, ${source.state}); ${policy}\n`);
  const rows = (source.cameras as Item[]).map((camera) => STATS.map(([, cell]) => cell(camera, tz)));
  io.out(
    rows.length === 0
      ? 'no camera yet\n'
      : tableText(
          STATS.map(([heading]) => heading),
          rows,
        ),
  );
  const scanned =
    source.scannedAt === null ? 'not looked at as a whole yet' : `looked at ${showIso(source.scannedAt, tz)}`;
  const swept = source.sweptAt === null ? 'never swept' : `swept ${showIso(source.sweptAt, tz)}`;
  const waits =
    source.waits === null
      ? ''
      : `; waits: ${source.waits}${source.plan === null ? '' : ` (plan ${source.plan})`}`;
  io.out(`${scanned}; ${swept}${waits}\n`);
  const odd = Object.entries(source.odd as Record<string, number>).map(([kind, n]) => `${n} ${kind}`);
  if (odd.length > 0) io.out(`besides: ${odd.join(', ')}\n`);
  io.out(notLookedAt([source]));
}

const PLAN: readonly Column[] = [
  field('root', 'root'),
  field('mode', 'mode'),
  field('plan', 'plan'),
  field('recordings', 'count'),
  field('bytes', 'bytes'),
  time('oldest', 'oldest'),
  field('waits', 'waits'),
];

export async function sweepPlan(input: Input): Promise<number> {
  checkOutput(input);
  const answer = await ask(input, 'sweep.plan');
  const items = answer.plans as Item[];
  const list = { schema: 1, items, coverage: { from: null, to: null, hosts: [] }, next: null };
  printList(input, list as never, { columns: PLAN, csv: SWEEP_CSV, what: 'plans', watched: false });
  const waits = items.some((one) => one.waits != null);
  return waits || answer.offline === true ? EXIT.findings : EXIT.done;
}

const ROOT: readonly Column[] = [
  field('root', 'root'),
  field('mode', 'mode'),
  field('state', 'state'),
  time('swept', 'sweptAt'),
  field('waits', 'waits'),
  time('since', 'since'),
  field('plan', 'plan'),
];

export async function sweepStatus(input: Input): Promise<number> {
  checkOutput(input);
  const answer = await ask(input, 'sweep.status');
  const items = answer.sources as Item[];
  const list = { schema: 1, items, coverage: { from: null, to: null, hosts: [] }, next: null };
  printList(input, list as never, { columns: ROOT, csv: ROOT_CSV, what: 'roots', watched: false });
  const { trouble } = (answer.time ?? {}) as Item;
  if (trouble != null) input.io.err(`finding: there is no trusted time (${trouble})`);
  const waits = items.some((one) => one.waits !== null);
  return trouble != null || waits || answer.offline === true ? EXIT.findings : EXIT.done;
}

/** Starts one; what it does is seen with `sweep status`. */
export async function sweepRun(input: Input): Promise<number> {
  checkOutput(input);
  const dryRun = flag(input, 'dryRun');
  if (dryRun && text(input, 'host') === undefined) return await sweepPlan(input);
  const answer = await ask(input, 'sweep.run', dryRun ? { dryRun } : {});
  return ordered(input, answer, 'begun; see tilsyn sweep status\n');
}

/** An order to a host that has not taken it yet is carried out when it does. */
function ordered(input: Input, answer: Item, done: string): number {
  const pending = answer.outcome === 'pending';
  if (!printData(input, answer))
    input.io.out(pending ? 'the host has not taken it yet; it will when it connects\n' : done);
  return pending ? EXIT.partly : EXIT.done;
}

/** R6: a person says yes to what a plan lists; or that the clock is right. */
export async function sweepApprove(input: Input): Promise<number> {
  checkOutput(input);
  const clock = flag(input, 'clock');
  const [plan] = input.args;
  if (clock === (plan !== undefined))
    throw usage('approving: a plan, or --clock', 'tilsyn sweep plan names the plan that waits.');
  requireConsent(input);
  const dryRun = flag(input, 'dryRun');
  if (dryRun && text(input, 'host') !== undefined) {
    return ordered(
      input,
      await ask(input, 'sweep.approve', { ...(clock ? { clock } : { plan }), dryRun }),
      '',
    );
  }
  const { plans = [] } = clock ? {} : ((await ask(input, 'sweep.plan')) as Item);
  const found = (plans as Item[]).find((one) => one.plan === plan);
  if (!clock && found === undefined) throw refused('sweep.approve', { code: 'plan.unknown' });
  const planned = (found?.planned ?? found ?? {}) as Item;
  const what = clock
    ? 'this machine’s clock is right'
    : `${planned.count} recordings, ${planned.bytes} bytes, are erased for good`;
  if (dryRun) {
    input.io.out(`would say: ${what}\n`);
    return EXIT.done;
  }
  await confirm(input, what);
  const answer = await ask(input, 'sweep.approve', {
    ...(clock ? { clock: true } : { plan }),
    ...whyOf(input),
  });
  return ordered(input, answer, 'approved; the sweep has begun\n');
}

/** The collector records it, sealed; on the host itself nobody is signed in whose reason it would be. */
function whyOf(input: Input): Item {
  const reason = text(input, 'reason');
  return reason === undefined || text(input, 'host') === undefined ? {} : { reason };
}

const DISPOSITIONS = ['destroyed', 'stored', 'returned'];

/** Another disk lies under a root, and is meant. */
export async function sourceAcceptRoot(input: Input): Promise<number> {
  return await setRoot(
    input,
    'accept-root',
    {},
    'what lies under it now is meant; erasing waits for approval again',
  );
}

/** A root is given up; nothing in it is erased any more. */
export async function sourceRetire(input: Input): Promise<number> {
  const disposition = text(input, 'disposition');
  if (disposition === undefined || !DISPOSITIONS.includes(disposition)) {
    throw usage(
      `giving up a root: --disposition is ${DISPOSITIONS.join(', ')}`,
      'Say what becomes of the disk.',
    );
  }
  return await setRoot(input, 'retire', { disposition }, 'nothing in it is watched or erased any more');
}

async function setRoot(input: Input, act: string, more: Item, what: string): Promise<number> {
  checkOutput(input);
  requireConsent(input);
  const [root = ''] = input.args;
  if (flag(input, 'dryRun')) {
    input.io.out(`${root}: ${what}\n`);
    return EXIT.done;
  }
  await confirm(input, `${root}: ${what}`);
  const answer = await ask(input, 'source.set', { root, act, ...more });
  if (!printData(input, answer)) input.io.out('done\n');
  return EXIT.done;
}
