/** `recording stats`: for each root one screen, for each site one line that answers: is older footage than its limit gone? */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, text, zone } from './args.ts';
import { coverageLines } from './coverage-lines.ts';
import { STATS_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { type Column, field, type Item, type ListAnswer, printList, time } from './print.ts';
import { notLookedAt } from './recordings.ts';
import { askFleet, askHere, isRemote } from './recordings-ask.ts';
import { coverageOf } from './recordings-coverage.ts';
import { tableText } from './text.ts';
import { showDay, showIso } from './times.ts';

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

/** A host with its roots, as it answered or as it told before. */
interface Host {
  /** Null: this host. */
  head: Item | null;
  sources: Item[];
}

export async function recordingStats(input: Input): Promise<number> {
  checkOutput(input);
  const { hosts, list } = isRemote(input) ? await ofMany(input) : await ofThis(input);
  const kind = text(input, 'output') ?? 'table';
  if (kind === 'table') {
    for (const [site, at] of Map.groupBy(hosts, siteOf)) showSite(input, site, at);
    for (const line of coverageLines(list, zone(input))) input.io.out(`${line}\n`);
    if (hosts.every(({ head, sources }) => sources.length === 0 && head?.answered !== false))
      input.io.out('no root of recordings is configured\n');
  } else printList(input, list, { columns: STATS, csv: STATS_CSV, what: 'cameras' });
  return hosts.every(isGood) ? EXIT.done : EXIT.findings;
}

async function ofThis(input: Input): Promise<{ hosts: Host[]; list: ListAnswer }> {
  const answer = await askHere(input, 'recordings.stats');
  const hosts = [{ head: null, sources: (answer.sources ?? []) as Item[] }];
  const coverage = await coverageOf(input, answer);
  return { hosts, list: { schema: 1, items: hosts.flatMap(camerasOf), ...coverage, next: null } };
}

async function ofMany(input: Input): Promise<{ hosts: Host[]; list: ListAnswer }> {
  const answer = await askFleet(input, 'stats', {}, 1);
  const hosts = answer.hosts.map((head) => ({ head, sources: (head.sources ?? []) as Item[] }));
  const { coverage } = answer;
  const list = { schema: 1, items: hosts.flatMap(camerasOf), coverage, next: null, hosts: answer.hosts };
  return { hosts, list: list as ListAnswer };
}

function camerasOf({ head, sources }: Host): Item[] {
  const where =
    head === null
      ? {}
      : { host: head.host, hostId: head.hostId, customer: head.customer, site: head.site, asOf: head.asOf };
  return sources.flatMap(({ cameras, source, root, layout, limit = null }) =>
    (cameras as Item[]).map((camera): Item => ({ source, root, layout, limit, ...camera, ...where })),
  );
}

function isGood(host: Host): boolean {
  if (host.head?.answered === false) return false;
  return overOf([host]) === 0 && host.sources.every(isJudged);
}

function isJudged({ state, unjudged }: Item): boolean {
  return state === 'watched' && unjudged == null;
}

function overOf(hosts: readonly Host[]): number {
  return hosts.flatMap(camerasOf).reduce((sum, { due }) => sum + (typeof due === 'number' ? due : 0), 0);
}

function siteOf({ head }: Host): string {
  return head === null ? '' : `${head.customer ?? '-'}, ${head.site ?? '-'}`;
}

/** R8, in one line: what can be said of a whole site, and what cannot. */
function showSite(input: Input, site: string, hosts: readonly Host[]): void {
  if (site !== '') input.io.out(`${site}: ${verdictOf(hosts)}\n`);
  for (const { head, sources } of hosts) {
    if (head !== null) input.io.out(`${hostLine(input, head)}\n`);
    for (const source of sources) showRoot(input, source);
  }
}

function verdictOf(hosts: readonly Host[]): string {
  const roots = hosts.flatMap(({ sources }) => sources);
  const [over, silent] = [overOf(hosts), hosts.filter(({ head }) => head?.answered === false).length];
  const limits = [...new Set(roots.map(({ limit }) => limit).filter((one) => one != null))].join(', ');
  const open = roots.filter((root) => !isJudged(root)).length;
  const found =
    over > 0
      ? `${over} recordings are over their limit (${limits})`
      : limits === ''
        ? 'no limit for recordings is in force'
        : `nothing over its limit (${limits}) was found`;
  const but = [
    silent === 0 ? '' : `${silent} of ${hosts.length} hosts did not answer`,
    open === 0 ? '' : `${open} of ${roots.length} roots cannot be judged`,
  ].filter((one) => one !== '');
  return but.length === 0 ? found : `${found}, but ${but.join(' and ')}`;
}

function hostLine(input: Input, { host, answered, why, offlineSince, asOf }: Item): string {
  const tz = zone(input);
  if (answered === true) return `${host}:`;
  const since =
    offlineSince === null ? `did not answer (${why})` : `not connected since ${showIso(offlineSince, tz)}`;
  return asOf === null
    ? `${host}: ${since}, and has told of no recording`
    : `${host}: ${since}; as last told at ${showIso(asOf, tz)}:`;
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
  const what =
    source.root === null
      ? `root ${source.source} (${source.state})`
      : `${source.root} (${source.layout}, ${source.mode}, ${source.state})`;
  io.out(`${what}; ${policy}\n`);
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
  io.out(diskText(source.disk ?? null, tz));
  const odd = Object.entries(source.odd as Record<string, number>).map(([kind, n]) => `${n} ${kind}`);
  if (odd.length > 0) io.out(`besides: ${odd.join(', ')}\n`);
  io.out(notLookedAt((source.notLookedAt ?? []) as string[], (source.copies ?? []) as Item[]));
}

/** R9. Nothing where nobody asked: the host itself is not there. */
function diskText(disk: Item | null, tz: string): string {
  if (disk === null) return '';
  if (disk.silence !== null) return `when its disk is full is not known: ${disk.silence}\n`;
  const seen = disk.unknown === 0 ? '' : ` (${disk.unknown} cameras are too new to be reckoned with)`;
  if (disk.fullAt === null) return `its disk does not fill up in the next year${seen}\n`;
  const without =
    disk.withoutHolds === null ? 'not in sight' : `expected on ${showDay(disk.withoutHolds, tz)}`;
  return `its disk is expected to be full on ${showDay(disk.fullAt, tz)}; without holds ${without}${seen}\n`;
}
