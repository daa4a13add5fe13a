/**
 * Asking about recordings: of this host its own agent's control socket, of others the collector.
 *
 * H13 Whoever names hosts, a site or a customer, or no state directory at all, asks the collector; `--state` asks this host.
 * H14 What stands in the answer of many hosts is never taken for all of them: each that did not answer is told with the time
 *     since when, and what it told before with the time as of which.
 */
import { TilsynError } from '../protocol/errors.ts';
import { client, stateDir, text } from './args.ts';
import type { Watched } from './coverage-lines.ts';
import type { Input } from './io.ts';
import type { Item } from './print.ts';

/** H13 */
export function isRemote(input: Input): boolean {
  if (['host', 'site', 'customer'].some((name) => text(input, name) !== undefined)) return true;
  return text(input, 'state') === undefined && !input.io.env.TILSYN_STATE;
}

/** A question or an order to the agent of this host. */
export async function askHere(input: Input, verb: string, body: Item = {}): Promise<Item> {
  const { askAgent } = await import('../agent/main.ts');
  return accepted(verb, await askAgent(stateDir(input), 'recordings', { verb, body }));
}

const ORDERS: ReadonlySet<string> = new Set([
  ...['sweep.run', 'sweep.approve', 'sources.accept-root', 'sources.retire'],
]);

/** Where a verb of one host is asked for at the collector: sweeps only, lists are of many. */
export async function askHost(input: Input, verb: string, body: Item = {}): Promise<Item> {
  const host = text(input, 'host') ?? '';
  const [noun = '', act = ''] = verb.split('.');
  const path = `/v1/hosts/${encodeURIComponent(host)}/${noun === 'sweep' ? 'sweeps' : noun}/${act}`;
  if (ORDERS.has(verb)) return accepted(verb, await client(input).post<Item>(path, body));
  const answer = await client(input).get<Item>(path);
  if (answer.offline === true) input.io.err('the host is not connected, and only it can say');
  return accepted(verb, answer);
}

export async function askOne(input: Input, verb: string, body: Item = {}): Promise<Item> {
  return text(input, 'host') === undefined
    ? await askHere(input, verb, body)
    : await askHost(input, verb, body);
}

/** @throws TilsynError with the code that the agent refused with */
export function accepted(verb: string, answer: Item): Item {
  if (answer.outcome === 'failed' || answer.outcome === 'unsupported') throw refused(verb, answer);
  return answer;
}

export function refused(verb: string, { code, outcome }: Item): TilsynError {
  const said = typeof code === 'string' ? code : String(outcome);
  const exit = said.endsWith('.unknown') ? 'notFound' : said.endsWith('.stale') ? 'conflict' : 'failed';
  return new TilsynError(said, `asking this agent for ${verb}: it was refused`, {
    hint: 'docs/guide/troubleshooting.md says what the code means.',
    exit,
  });
}

/** The answer of many hosts, as far as its pages were fetched. */
export interface Fleet {
  items: Item[];
  next: string | null;
  hosts: Item[];
  coverage: { from: string | null; to: string; hosts: Watched[] };
}

/** Pages of a question to the collector, up to `limit` items. */
export async function askFleet(input: Input, question: string, body: Item, limit: number): Promise<Fleet> {
  const query = Object.fromEntries(Object.entries(body).map(([key, value]) => [key, String(value)]));
  const scope = { host: text(input, 'host'), site: text(input, 'site'), customer: text(input, 'customer') };
  const collector = client(input);
  const page = (after: string | undefined, rows: number) =>
    collector.get<Fleet>(`/v1/recordings/${question}`, { ...scope, ...query, after, limit: String(rows) });
  const all = await page(text(input, 'after'), Math.min(PAGE, limit));
  while (all.next !== null && all.items.length < limit) {
    const more = await page(all.next, Math.min(PAGE, limit - all.items.length));
    all.items.push(...more.items);
    all.next = more.next;
    all.hosts = latest(all.hosts, more.hosts);
    all.coverage.hosts = latest(all.coverage.hosts, more.coverage.hosts);
  }
  for (const { answered, host, why, offlineSince } of all.hosts) {
    if (answered === true) continue;
    const since = offlineSince === null ? '' : ` since ${offlineSince}`;
    input.io.err(
      why === 'not-connected' ? `${host}: not connected${since}` : `${host}: did not answer (${why})`,
    );
  }
  return all;
}

const PAGE = 500;

/** What a later page says of a host stands in the place of what an earlier one did. */
function latest<T extends { hostId?: unknown }>(before: readonly T[], more: readonly T[]): T[] {
  const by = new Map([...before, ...more].map((one) => [one.hostId, one]));
  return [...by.values()];
}

export function isWhole({ hosts }: Pick<Fleet, 'hosts'>): boolean {
  return hosts.every(({ answered }) => answered === true);
}
