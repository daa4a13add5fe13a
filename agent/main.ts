/**
 * The agent from outside: what the command line calls, and the only file of the agent that sees the process.
 * Everything that a room needs of the machine is handed in from here.
 */
import { randomBytes } from 'node:crypto';
import { hostname, networkInterfaces, uptime } from 'node:os';
import packageJson from '../package.json' with { type: 'json' };
import { codeOf, EXIT, hasCode, TilsynError } from '../protocol/errors.ts';
import { newId, type Random } from '../protocol/ids.ts';
import { readLoopback } from '../protocol/metrics.ts';
import { type Clock, SECOND_MS, systemClock, toIso, type UtcMs } from '../protocol/time.ts';
import { type CheckReport, checkState } from './check.ts';
import { type AgentConfig, defaultConfig, parseConfig } from './config.ts';
import { askAgent } from './control-client.ts';
import { type Enrolled, enrol as enrolAt } from './enrol.ts';
import { readText, requireStateDir, writeAtomic } from './files.ts';
import { readEnrolment } from './identity.ts';
import { type AgentLog, openLog } from './log.ts';
import { RunningAgent } from './running.ts';
import type { ThisMachine } from './sessions/chains.ts';
import { type Covered, coveredOf } from './sessions/covering.ts';
import { type Detection, detectTeamviewer } from './sources/detect.ts';
import { type ToolInput, toolProbe } from './sources/detect-tools.ts';
import type { ReaderTest, SourceTest, SourceTestOptions } from './sources/test-source.ts';
import type { AgentStatus } from './status.ts';
import type { FaultSeam } from './types.ts';

export type { CheckReport } from './check.ts';
export { exampleConfig, parseConfig } from './config.ts';
export { listsNobody, NOBODY_LISTED } from './config-sources.ts';
export { askAgent } from './control-client.ts';

export interface RunOptions {
  /** State directory. */
  state: string;
  /** Path of `agent.yaml`; absent: sources are detected and reported. */
  config?: string;
  /** False: the caller stops it. True unless said: SIGINT and SIGTERM stop it, a second one at once. */
  signals?: boolean;
  clock?: Clock;
  random?: Random;
  faults?: FaultSeam;
  log?: AgentLog;
  /** `127.0.0.1:port` for `/metrics` and `/health`; absent: none. Loopback only. */
  metrics?: string | undefined;
  /** The diary goes to this file, mode 0600, instead of standard error. */
  logFile?: string;
}

export interface Handle {
  /** Stops in order; resolves when everything is given back. */
  stop(): Promise<void>;
  status(): AgentStatus;
  /** Where metrics are told, `address:port` as bound; null: nowhere. */
  readonly metrics: string | null;
  /** Resolves when the agent has stopped, whoever asked for it. */
  readonly stopped: Promise<void>;
}

/**
 * Starts the agent of a state directory.
 * @throws TilsynError `agent.not-enrolled`, `config.*`, `state.*`, `key.*`, `database.*`, `control.*`, `metrics.*`
 */
export async function run(options: RunOptions): Promise<Handle> {
  const { state, clock = systemClock, random = randomBytes, faults = {} } = options;
  // Before anything is begun: a wrong one is a slip of the hand.
  if (options.metrics !== undefined) readLoopback(options.metrics);
  const log =
    options.log ?? openLog({ clock, ...(options.logFile === undefined ? {} : { file: options.logFile }) });
  const config = options.config === undefined ? defaultConfig : readConfig(options.config);
  const agent = await RunningAgent.start({
    state,
    config,
    clock,
    random,
    jitter: () => random(4).readUInt32BE() / 2 ** 32,
    faults,
    log,
    version: packageJson.version,
    platform: `${process.platform}-${process.arch}`,
    node: process.versions.node,
    detect: detectInput(),
    machine: thisMachine(),
    damaged: () => leaveDamaged(log, options.signals !== false),
    check: () => checkState(state, config),
    metrics: options.metrics,
    memory: () => process.memoryUsage.rss(),
  });
  if (options.signals !== false) {
    const release = watchSignals(log, () => void agent.stop('signal'));
    agent.stopped.then(release);
  }
  return {
    stop: () => agent.stop(),
    status: () => agent.status(),
    metrics: agent.metrics,
    stopped: agent.stopped,
  };
}

/** Nothing more can be stored; the service manager starts the agent again, and that start mends it. */
function leaveDamaged(log: AgentLog, ownProcess: boolean): void {
  log.error('database.corrupt');
  if (ownProcess) process.exit(EXIT.integrity);
}

function readConfig(path: string) {
  const text = readText(path);
  if (text !== null) return parseConfig(text, path);
  throw new TilsynError('config.missing', `reading the configuration ${path}: there is no such file`, {
    hint: 'Leave --config away to have sources detected, or see `tilsyn agent run --help` for an example.',
    exit: 'usage',
  });
}

/** The first signal stops in order, the second at once: the journal is safe at any moment. */
function watchSignals(log: AgentLog, stop: () => void): () => void {
  let asked = false;
  const onSignal = () => {
    if (asked) process.exit(130);
    asked = true;
    stop();
  };
  // Node would print the error's text, which may quote anything. The service manager starts the agent again.
  const onCrash = (error: unknown) => {
    log.error('agent.crashed', { code: codeOf(error) });
    process.exit(1);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  process.on('uncaughtException', onCrash);
  return () => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    process.off('uncaughtException', onCrash);
  };
}

function thisMachine(): ThisMachine {
  const adapters = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return {
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    ownIps: adapters.filter(({ internal }) => !internal).map(({ address }) => address),
    uptimeMs: () => uptime() * SECOND_MS,
  };
}

function detectInput(): ToolInput {
  return { platform: process.platform, env: process.env, probe: toolProbe };
}

export interface EnrolOptions {
  state: string;
  /** The token's text. */
  token: string;
  /** `http://host:port`; null or absent: none. */
  proxy?: string | null;
  clock?: Clock;
  random?: Random;
}

/** @throws TilsynError `token.*`, `collector.*`, `ca.mismatch`, `identity.mismatch`, `enrol.*`, `state.*` */
export async function enrol(options: EnrolOptions): Promise<Enrolled> {
  const { state, token, proxy = null, clock = systemClock, random = randomBytes } = options;
  const platform = `${process.platform}-${process.arch}`;
  const software = { version: packageJson.version, platform, node: process.versions.node };
  return await enrolAt({ state, token, proxy, clock, random, software });
}

/** What is known of an agent that does not run. */
export interface StoppedStatus {
  schema: 1;
  running: false;
  host: string;
  enrolled: boolean;
  agent: string | null;
  /** `wss://host:port` of its collector. */
  url: string | null;
}

/**
 * Asks the running agent; says so where none runs.
 * @throws TilsynError `control.*`, `state.*`
 */
export async function status({
  state,
}: {
  state: string;
}): Promise<(AgentStatus & { host: string }) | StoppedStatus> {
  const host = hostname();
  requireStateDir(state, 'asking how the agent is');
  try {
    const answer = await askAgent(state, 'status');
    return { ...(answer as unknown as AgentStatus), host };
  } catch (error) {
    if (!hasCode(error, 'agent.not-running')) throw error;
    const identity = readEnrolment(state)?.identity;
    return {
      schema: 1,
      running: false,
      host,
      enrolled: identity !== undefined,
      agent: identity?.agent ?? null,
      url: identity?.url ?? null,
    };
  }
}

/**
 * Looks at a state directory: by the agent that runs on it, or here where none does.
 * @throws TilsynError `state.missing`, `state.not-a-folder`, `control.*`
 */
export async function check({ state, config }: { state: string; config?: string }): Promise<CheckReport> {
  requireStateDir(state, 'checking the agent');
  const read = config === undefined ? null : readConfig(config);
  try {
    return (await askAgent(state, 'check')) as CheckReport;
  } catch (error) {
    if (!hasCode(error, 'agent.not-running')) throw error;
    return await withAudit(state, read ?? defaultConfig, await checkState(state, read));
  }
}

/** A self-audit of what lies there; that none could be made is a finding (A1). */
async function withAudit(state: string, config: AgentConfig, report: CheckReport): Promise<CheckReport> {
  if (report.neverRun || report.findings.some(({ check }) => check === 'database'))
    return { ...report, audit: null };
  const { platform } = process;
  try {
    const { auditOffline } = await import('./self-audit/offline.ts');
    const all = { state, config, clock: systemClock, random: randomBytes, platform };
    return { ...report, audit: await auditOffline(all) };
  } catch {
    // A database of an earlier version, a disk without room: what could be checked stands in the report all the same.
    const findings = [...report.findings, { check: 'audit', code: 'audit.failed', count: 1 }];
    return { ...report, ok: false, findings, audit: null };
  }
}

/** Stops the agent that runs on a state directory. @throws TilsynError `agent.not-running`, `control.*` */
export async function stop({ state }: { state: string }): Promise<void> {
  await askAgent(state, 'stop');
}

/** Looks for sources on this machine, as `agent run` without a configuration does. */
export async function detectSources(): Promise<Detection> {
  return await detectTeamviewer(detectInput());
}

/**
 * Looks for every remote tool on this machine, and for those that no source covers. `config` null: as an agent without
 * a file, which reads what it finds of TeamViewer.
 * @throws TilsynError `spec.missing`, `spec.invalid`
 */
export async function detectTools(config: AgentConfig | null): Promise<Covered> {
  return await coveredOf(detectInput(), config);
}

/**
 * Reads a file as the agent would, and says what it makes of it.
 * @throws TilsynError `source.*`, `spec.*`
 */
export async function testSource(
  file: string,
  type: string,
  options: SourceTestOptions = {},
): Promise<SourceTest | ReaderTest> {
  const { testAnySource } = await import('./sources/test-source.ts');
  return await testAnySource(file, type, thisMachine(), options);
}

export type { Recognised } from './recordings/layouts/recognise.ts';

export interface RootLook {
  root: string;
  /** Files that were looked at; `whole` false: there are more. */
  files: number;
  whole: boolean;
  /** The best first; none: no layout reads any of these paths. */
  layouts: (Omit<import('./recordings/layouts/recognise.ts').Recognised, 'shown'> & {
    shown: { path: string; camera: string; from: string | null; to: string | null; ends: string | null }[];
  })[];
}

/**
 * Which layout a folder has, with ten paths as they were read. Changes nothing.
 * @param layout only this one, or a pattern; null: all are tried
 * @throws TilsynError `root.unreadable`, `layout.*`
 */
export async function lookAtRoot(root: string, zone: string, layout: string | null): Promise<RootLook> {
  const [{ samplePaths }, { judge, recognise }, { layoutOf }, { shown }] = await Promise.all([
    import('./recordings/sample.ts'),
    import('./recordings/layouts/recognise.ts'),
    import('./recordings/layouts/index.ts'),
    import('./recordings/names.ts'),
  ]);
  const one = layout === null ? null : layoutOf({ layout, zone, longestSegmentMs: null });
  const { paths, whole } = samplePaths(root);
  const found = one === null ? recognise(paths, zone) : [judge(one, paths)];
  const time = (at: UtcMs | null) => (at === null ? null : toIso(at));
  const layouts = found.map((each) => ({
    ...each,
    shown: each.shown.map(({ folder, name, camera, startEarliest, startLatest, endStated }) => ({
      path: shown([...folder, name].join('/')),
      camera: shown(camera),
      from: time(startEarliest),
      to: time(startLatest),
      ends: time(endStated),
    })),
  }));
  return { root, files: paths.length, whole, layouts };
}

/**
 * A person says that this folder is meant: its marker is written, unless it has one already.
 * @returns id of the source @throws TilsynError `root.unusable`
 */
export async function markRoot(root: string, random: Random = randomBytes): Promise<string> {
  const { readMarker, writeMarker } = await import('./recordings/root.ts');
  const present = readMarker(root);
  if (present !== 'missing' && present !== null) return present;
  const source = newId<'source'>(random);
  writeMarker(root, source);
  return source;
}

/** Replaces a file of ours whole: after a crash it is the old one or the new one. */
export function replaceFile(path: string, text: string): void {
  writeAtomic(path, text);
}
