/**
 * `npm run test:floods [-- --attempts N] [--calls N] [--keep]`
 *
 * An hour in which somebody tries a million passwords, in four shapes, each in a log of its own, and an hour in which
 * ids knock at TeamViewer, each another one. A real agent reads them, a real collector takes what it tells. However much
 * is tried: events, memory and disk stay within bounds, and everybody who really was there is there.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { HOUR_MS, systemClock } from '../../protocol/time.ts';
import { must, mustEqual } from '../identity/scenario.ts';
import { type Agent, type EventItem, endAll, type Session, Stage } from '../identity/stage.ts';
import { type Flood, SSHD_SHAPES, sshdFlood, teamviewerFlood } from './logs.ts';

const { values: args } = parseArgs({
  options: {
    /** Of sshd, over all shapes. */
    attempts: { type: 'string', default: '1000000' },
    /** Of TeamViewer; each is some twenty lines. */
    calls: { type: 'string', default: '20000' },
    keep: { type: 'boolean', default: false },
  },
});

/**
 * Of one log in one hour: 64 peers told at once and one summary each, one for all others, 256 attempts with their
 * ends (`failures.ts`, `book.ts`), three events of each real session, and a few about the source.
 */
const MOST_EVENTS = 64 + 65 + 2 * 256 + 3 * 50 + 20;
/** From source, where the code's text lies in memory too. */
const MOST_AGENT_MB = 180;
/** Its ballast of 8 MB among it. */
const MOST_AGENT_DISK_MB = 40;
const MOST_COLLECTOR_GROWTH_MB = 60;
const READ_SECONDS = 600;

const stage = await Stage.open();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void endAll().then(() => process.exit(130)));
}
let status = 1;
try {
  await flooded();
  status = 0;
} catch (error) {
  console.log(`✗ ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
} finally {
  await stage.close(args.keep);
  await endAll();
}
process.exit(status);

async function flooded(): Promise<void> {
  await stage.found();
  const before = memoryMb(stage.collector?.pid ?? 0, 'VmHWM');
  const floods = writeFloods();
  const agent = await stage.enrol('flooded');
  const sources = floods.map(({ name }) => {
    const path = fileOf(name);
    return name === 'teamviewer'
      ? { type: 'teamviewer', logfile: path, startFrom: 'beginning' }
      : { type: 'sshd', path, match: 'all', startFrom: 'beginning' };
  });
  writeFileSync(agent.config, JSON.stringify({ sources }));
  const began = performance.now();
  await agent.start();
  await read(agent, floods);
  const seconds = (performance.now() - began) / 1000;
  const bytes = floods.reduce((sum, { name }) => sum + statSync(fileOf(name)).size, 0);
  console.log(`✓ read to the end: ${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(0)} s`);
  bounded('memory of the agent at most', memoryMb(agent.proc?.pid ?? 0, 'VmHWM'), MOST_AGENT_MB, 'MB');
  bounded("the agent's disk", folderMb(agent.state), MOST_AGENT_DISK_MB, 'MB');
  const growth = memoryMb(stage.collector?.pid ?? 0, 'VmHWM') - before;
  bounded('memory of the collector, growth', growth, MOST_COLLECTOR_GROWTH_MB, 'MB');
  const [events, sessions] = [await allEvents(), await stage.sessions()];
  const names = await namesOf(agent, floods);
  for (const flood of floods) check(flood, names.get(flood.name) ?? '', events, sessions);
  const host = events.filter(({ log }) => log !== null).length;
  console.log(
    `✓ the whole log: ${host} events for ${floods.reduce((n, { attempts }) => n + attempts, 0)} attempts`,
  );
}

function fileOf(name: string): string {
  return stage.at('site', name === 'teamviewer' ? 'TeamViewer15_Logfile.log' : `${name}.log`);
}

function writeFloods(): Flood[] {
  // Over by now, so that what is counted together has been told.
  const from = (Math.floor(systemClock.now() / HOUR_MS) - 2) * HOUR_MS;
  const each = Math.floor(Number(args.attempts) / SSHD_SHAPES.length);
  return [
    ...SSHD_SHAPES.map((shape) => sshdFlood(fileOf(shape.name), shape, each, from)),
    teamviewerFlood(fileOf('teamviewer'), Number(args.calls), from),
  ];
}

async function read(agent: Agent, floods: readonly Flood[]): Promise<void> {
  const sizes = floods.map(({ name }) => statSync(fileOf(name)).size);
  await stage.until(
    'everything was read and taken',
    async () => {
      must(agent.proc?.alive === true, `the agent ended by itself:\n${stage.logs('agent-flooded')}`);
      const now = await agent.status();
      if (now === null || now.collector.state !== 'live' || now.backlog > 0) return false;
      const logs = now.sources.filter(({ position }) => position !== null);
      return sizes.every((size) => logs.some(({ position }) => position === size));
    },
    READ_SECONDS,
  );
}

/** Which id a flood's source goes by. */
async function namesOf(agent: Agent, floods: readonly Flood[]): Promise<Map<string, string>> {
  const sources = (await agent.status())?.sources ?? [];
  return new Map(
    floods.map(({ name }) => {
      const found = sources.find(({ file }) => file === fileOf(name));
      must(found !== undefined && found.unreadable === 0, `${name}: ${JSON.stringify(found)}`);
      return [name, found?.source ?? ''];
    }),
  );
}

function check(
  { name, attempts, real }: Flood,
  source: string,
  events: EventItem[],
  sessions: Session[],
): void {
  const own = events.filter(({ data }) => data.source === source);
  const begun = new Set(own.flatMap(({ data }) => (typeof data.session === 'string' ? [data.session] : [])));
  // An end names its session alone.
  const all = events.filter(({ data }) => data.source === source || begun.has(String(data.session)));
  bounded(`${name}: events for ${attempts.toLocaleString('en')} attempts`, all.length, MOST_EVENTS, '');
  const refused = own.filter(({ type }) => type === 'session.rejected');
  const counted = refused.reduce((sum, { data }) => sum + Number(data.count ?? 1), 0);
  mustEqual(counted, attempts, `${name}: refusals counted`);
  const there = sessions.filter(({ id, state }) => begun.has(id) && ['active', 'ended'].includes(state));
  const ends = new Map(
    all.flatMap(({ type, data }) => (type === 'session.ended' ? [[data.session, data.reason]] : [])),
  );
  const shown = there.map(({ id, localUser, peer }) => {
    const reason = ends.get(id) ?? 'active';
    // B12: where this machine was started within the last hours, who was there before has left.
    return `${name === 'teamviewer' ? peer?.id : localUser} ${reason === 'tool-stopped' ? 'active' : reason}`;
  });
  const expected = real.map(({ id, ended }) => `${id} ${ended ? 'completed' : 'active'}`);
  mustEqual(shown.sort(), expected.sort(), `${name}: who really was there`);
  console.log(`✓ ${name}: all ${real.length} real sessions, ${refused.length} events of refusals`);
}

async function allEvents(): Promise<EventItem[]> {
  const items: EventItem[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const more: string[] = after === '' ? [] : ['--after', after];
    const page: { items: EventItem[]; next: string | null } = await stage.json([
      ...['event', 'list', '--limit', '1000', '--since', '1970-01-01T00:00:00Z'],
      ...more,
    ]);
    items.push(...page.items);
    after = page.next;
  }
  return items;
}

function bounded(what: string, value: number, most: number, unit: string): void {
  const text = `${what}: ${Math.round(value)} ${unit} (at most ${most})`.replace('  ', ' ');
  must(value <= most, text);
  console.log(`✓ ${text}`);
}

function memoryMb(pid: number, what: 'VmHWM' | 'VmRSS'): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
}

function folderMb(dir: string): number {
  const sizes = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name)).size);
  return sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20;
}
