/**
 * `tilsyn quickstart`, what `npm start` runs: a collector on loopback, an enrolled agent on this machine, and a
 * small sample site whose writer plays TeamViewer, so that a newcomer sees sessions arrive at once. Everything
 * lies in one folder; a second start goes on with it.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import type { Handle as AgentHandle } from '../agent/main.ts';
import type { Handle as CollectorHandle } from '../collector/main.ts';
import { EXIT, TilsynError } from '../protocol/errors.ts';
import { SECOND_MS } from '../protocol/time.ts';
import { type Client, makeClient, readTailLine } from './client.ts';
import type { Io } from './io.ts';
import { startSampleWriter, writeQuickstartFile } from './sample-writer.ts';
import { clean } from './text.ts';

const FIRST_PORT = 8443;
const EXAMPLE_SESSIONS = 5;
const TAIL_IDLE_MS = 60 * SECOND_MS;

interface Place {
  root: string;
  collector: string;
  machine: string;
  sample: string;
  sampleConfig: string;
  sampleFile: string;
}

interface Begun {
  collector: CollectorHandle;
  agents: AgentHandle[];
  stopWriter(): void;
}

function placeOf(root: string): Place {
  const sample = join(root, 'sample-site');
  return {
    root,
    collector: join(root, 'collector'),
    machine: join(root, 'agent-this-machine'),
    sample: join(root, 'agent-sample-site'),
    sampleConfig: join(sample, 'agent.yaml'),
    sampleFile: join(sample, 'Connections_incoming.txt'),
  };
}

/** Runs until SIGINT or SIGTERM; the exit code is 0 then. */
export async function quickstart(options: { dir?: string }, io: Io): Promise<number> {
  const place = placeOf(resolve(options.dir ?? join('.tilsyn', 'quickstart')));
  mkdirSync(dirname(place.sampleFile), { recursive: true, mode: 0o700 });
  const stop = stopSignal(io);
  const second = existsSync(join(place.collector, 'quickstart.json'));
  const begun = await begin(place, io);
  try {
    await report(place, io, begun, second);
    await follow(place, io, stop);
  } finally {
    io.err('Stopping …');
    await end(begun);
    io.err('Stopped. The same command goes on from here; delete the folder to begin anew:');
    io.err(`  ${place.root}`);
  }
  return 0;
}

/** A second Ctrl-C this long after the first one means "now". npm hands on the terminal's, so each comes twice. */
const IMPATIENT_MS = 3 * SECOND_MS;

/** Aborts on SIGINT, on SIGTERM, and when the npm that started this is gone. */
function stopSignal(io: Io): AbortSignal {
  const stop = new AbortController();
  let since: number | null = null;
  const onSignal = () => {
    if (since !== null && io.clock.mono() - since > IMPATIENT_MS) process.exit(EXIT.interrupted);
    since ??= io.clock.mono();
    stop.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  if (io.env.npm_lifecycle_event !== undefined) watchParent(io, process.ppid, stop.signal, onSignal);
  return stop.signal;
}

function watchParent(io: Io, parent: number, stop: AbortSignal, gone: () => void): void {
  const cancel = io.clock.after(SECOND_MS, () => {
    if (process.ppid === parent) watchParent(io, parent, stop, gone);
    else gone();
  });
  stop.addEventListener('abort', cancel, { once: true });
}

async function begin(place: Place, io: Io): Promise<Begun> {
  const { init, run } = await import('../collector/main.ts');
  const agent = await import('../agent/main.ts');
  const url = await collectorUrl(place, init);
  const collector = await run({ state: place.collector, listen: url.host, ...quietly(place, 'collector') });
  const begun: Begun = { collector, agents: [], stopWriter: () => {} };
  try {
    const client = clientOf(place, io);
    const { machine } = place;
    await enrolOnce(machine, 'This machine', client, agent.enrol);
    await enrolOnce(place.sample, 'Sample site', client, agent.enrol);
    writeSampleConfig(place);
    begun.agents.push(await agent.run({ state: machine, ...quietly(place, 'agent-this-machine') }));
    begun.agents.push(
      await agent.run({
        state: place.sample,
        config: place.sampleConfig,
        ...quietly(place, 'agent-sample-site'),
      }),
    );
    begun.stopWriter = startSampleWriter(place.sampleFile, io.clock);
    return begun;
  } catch (error) {
    await end(begun);
    throw error;
  }
}

/** Logs go to files, so that the terminal shows sessions; this command alone listens to signals. */
function quietly(place: Place, name: string): { signals: false; logFile: string } {
  return { signals: false, logFile: join(place.root, `${name}.log`) };
}

async function end({ collector, agents, stopWriter }: Begun): Promise<void> {
  stopWriter();
  await Promise.all(agents.map((one) => one.stop()));
  await collector.stop();
}

type Init = typeof import('../collector/main.ts')['init'];

/** Makes the collector on the first start; its port stays what it was then. */
async function collectorUrl(place: Place, init: Init): Promise<URL> {
  const memo = join(place.collector, 'quickstart.json');
  if (existsSync(memo)) return new URL(String(JSON.parse(readFileSync(memo, 'utf8')).url));
  if (existsSync(place.collector)) {
    throw new TilsynError(
      'quickstart.half-made',
      `starting in ${place.root}: an earlier start did not finish`,
      {
        hint: `Delete ${place.root} and run the command again; it holds sample data only.`,
        exit: 'conflict',
      },
    );
  }
  const url = `wss://127.0.0.1:${await freePort()}`;
  await init({
    state: place.collector,
    policy: 'none',
    name: 'tilsyn-quickstart',
    url,
    ...quietly(place, 'collector'),
  });
  // The commit point: a start that finds this file finds a whole collector.
  writeQuickstartFile(memo, `${JSON.stringify({ url })}\n`);
  return new URL(url);
}

/** 8443 where it is free, else any free one. */
async function freePort(): Promise<number> {
  return (await tryPort(FIRST_PORT)) ?? (await tryPort(0)) ?? FIRST_PORT;
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolved) => {
    const server = createServer();
    server.once('error', () => resolved(null));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      const got = typeof address === 'object' && address !== null ? address.port : null;
      server.close(() => resolved(got));
    });
  });
}

function clientOf(place: Place, io: Io): Client {
  const { url } = JSON.parse(readFileSync(join(place.collector, 'quickstart.json'), 'utf8')) as {
    url: string;
  };
  const read = (name: string) => readFileSync(join(place.collector, name), 'utf8');
  const remote = {
    server: url.replace(/^wss:/, 'https:'),
    token: read('admin.token').trim(),
    ca: read('ca.pem'),
  };
  return makeClient(remote, io);
}

type Enrol = typeof import('../agent/main.ts')['enrol'];

async function enrolOnce(state: string, site: string, client: Client, enrol: Enrol): Promise<void> {
  if (existsSync(join(state, 'agent.json'))) return;
  const { token } = await client.post<{ token: string }>('/v1/tokens', { customer: 'Quickstart', site });
  await enrol({ state, token });
}

function writeSampleConfig(place: Place): void {
  if (existsSync(place.sampleConfig)) return;
  const file = JSON.stringify(place.sampleFile);
  const text = `# The sample site of \`npm start\`.\nsources:\n  - type: teamviewer\n    connectionsIncoming: ${file}\n`;
  writeQuickstartFile(place.sampleConfig, text);
}

interface SessionItem {
  host: string | null;
  tool: string;
  kind: string;
  startedAt: string;
  endedAt: string | null;
  peer: { id: string | null; names: string[] } | null;
}

async function report(place: Place, io: Io, { collector, agents }: Begun, second: boolean): Promise<void> {
  const tilsyn = 'npm run -s tilsyn --';
  const env = `export TILSYN_SERVER=https://${collector.address} TILSYN_TOKEN_FILE=${quoted(join(place.collector, 'admin.token'))} TILSYN_CA=${quoted(join(place.collector, 'ca.pem'))}`;
  const lines = [
    `Collector  https://${collector.address}  state in ${place.collector}`,
    `Agent      this machine                  state in ${place.machine}`,
    `Agent      sample site                   state in ${place.sample}`,
    `Sample     a writer plays TeamViewer in ${place.sampleFile}`,
    '',
    ...agents.slice(0, 1).flatMap((one) => sourceLines(one)),
    'Try next, in another terminal:',
    `  ${env}`,
    `  ${tilsyn} session list`,
    `  ${tilsyn} host list`,
    `  ${tilsyn} agent status --state ${quoted(place.sample)}`,
    '',
    'Ctrl-C stops all of it.',
    '',
  ];
  for (const line of lines) io.out(`${line}\n`);
  if (second) await showEarlier(place, io);
  io.out('Sessions as they arrive:\n');
}

/** What the agent on this machine reads, so that nobody waits for a tool that is not there. */
function sourceLines(agent: AgentHandle): string[] {
  const { sources } = agent.status();
  if (sources.length > 0) return [`This machine: ${sources.map((one) => one.type).join(', ')} found.`, ''];
  return ['This machine: no remote-support tool was found, so only the sample site has sessions.', ''];
}

async function showEarlier(place: Place, io: Io): Promise<void> {
  const { items } = await clientOf(place, io).get<{ items: SessionItem[] }>('/v1/sessions', {
    limit: '1000',
  });
  io.out(`From earlier starts: ${items.length} sessions. The last ones:\n`);
  for (const item of items.slice(-EXAMPLE_SESSIONS)) io.out(`  ${sessionLine(item)}\n`);
}

async function follow(place: Place, io: Io, stop: AbortSignal): Promise<void> {
  const client = clientOf(place, { ...io, signal: stop });
  try {
    for await (const line of client.lines('/v1/sessions/tail', {}, TAIL_IDLE_MS)) {
      if (line === '') continue;
      const { item } = readTailLine(line);
      if (item !== null && item.endedAt !== null)
        io.out(`  ${sessionLine(item as unknown as SessionItem)}\n`);
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}

function sessionLine(item: SessionItem): string {
  const who = item.peer === null ? 'unknown' : `${item.peer.id ?? ''} ${item.peer.names.join(', ')}`.trim();
  const times = `${item.startedAt} – ${item.endedAt ?? 'running'}`;
  return clean(`${times}  ${item.host ?? '?'}  ${item.tool} ${item.kind}  ${who}`);
}

function quoted(path: string): string {
  return /^[\w./:-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
