/**
 * `collector run`: opens the state, finishes what a crash interrupted, then the port.
 *
 * N1  Recovery is done before the port opens, and projections of another version are made anew (Y2).
 * N2  A damaged database is set aside and nothing goes on without it: keys stay, a person decides.
 * N3  Stopping takes nothing new, closes the sockets, finishes what was taken, and says so in the own log.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeOf, TilsynError } from '../protocol/errors.ts';
import type { AgreementId, GroupId, Id } from '../protocol/ids.ts';
import { readLoopback } from '../protocol/metrics.ts';
import { MINUTE_MS } from '../protocol/time.ts';
import { runDue } from './approvals.ts';
import { assemble, Commits, openDatabase, type Rooms, readOwn, type Surroundings } from './assemble.ts';
import { checkOperatorPair, type KeyPairPem, makeServerCert, msLeft, namesHost, RENEW_MS } from './certs.ts';
import { type CollectorConfig, hostOf, readConfig, readListen, statePaths } from './config.ts';
import { type Duties, openDuties } from './duties.ts';
import { Enroller } from './enrol.ts';
import { settleEnds } from './erasing/ends.ts';
import { emptyLog } from './erasing/erase.ts';
import { eraseDue } from './erasing/eraser.ts';
import { Arbiter } from './ingest/arbitrate.ts';
import { Credits } from './ingest/credits.ts';
import { Generations } from './ingest/generation.ts';
import { Ingest } from './ingest/ingest.ts';
import { Presence } from './ingest/presence.ts';
import { Quotas } from './ingest/quotas.ts';
import { Samples } from './ingest/samples.ts';
import { AgentSocket, type Gate } from './ingest/socket.ts';
import { readPair, writePair } from './init.ts';
import { Keyring } from './keyring.ts';
import { lockState } from './lock.ts';
import { watchCollector } from './metrics.ts';
import { Offences } from './offences.ts';
import { endOrphans } from './orphans.ts';
import { refreshProjections } from './projections.ts';
import { type Finding, orphanFindings, recover } from './recovery.ts';
import { settleRequests } from './regroup/take-out.ts';
import { agentRoutes } from './routes.ts';
import { Port } from './server.ts';
import { quarantineStore } from './store/sqlite.ts';
import type { Store } from './store/types.ts';
import { dropEndedTelemetry, thinRegularly } from './telemetry-care.ts';
import type { Context } from './types.ts';

export interface RunSettings {
  state: string;
  listen: string;
  version: string;
  /** `127.0.0.1:port` for `/metrics` and `/health`; undefined: none. */
  metrics?: string | undefined;
  /** Resident memory of the process, bytes. */
  memory: () => number;
}

/** A running collector. */
export interface Running {
  /** `host:port` as bound. */
  address: string;
  /** Where metrics are told; null: nowhere. */
  metrics: string | null;
  ctx: Context;
  stop(): Promise<void>;
}

/** How often months, certificates and groups are looked at. */
const CARE_MS = 10 * MINUTE_MS;

/** Undone in the opposite order, whatever of it was reached. */
class Undo {
  readonly #steps: (() => void | Promise<void>)[] = [];

  add(step: () => void | Promise<void>): void {
    this.#steps.push(step);
  }

  async all(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) await step();
  }
}

/** @throws TilsynError `collector.*`, `store.*`, `keyring.*`, `listen.*`, `tls.*`, `state.*` */
export async function startCollector(settings: RunSettings, around: Surroundings): Promise<Running> {
  const undo = new Undo();
  try {
    return await start(settings, around, undo);
  } catch (error) {
    await undo.all();
    throw error;
  }
}

async function start(settings: RunSettings, around: Surroundings, undo: Undo): Promise<Running> {
  const dir = resolve(settings.state);
  const listen = readListen(settings.listen);
  // Before anything is begun: a wrong one is a slip of the hand.
  if (settings.metrics !== undefined) readLoopback(settings.metrics);
  const config = readConfig(dir);
  const lock = lockState(dir);
  undo.add(() => lock.release());
  const commits = new Commits();
  const store = await openExisting(dir, around, commits);
  undo.add(() => store.close());
  if (await refreshProjections(store)) around.log.info('collector: sessions and sources were read anew');
  const keyring = await Keyring.open({
    dir,
    second: config.keys2,
    random: around.random,
    faults: around.faults,
  });
  undo.add(() => keyring.close());
  const generation = await generationOf(store);
  const rooms = await assemble({ ...around, dir, config, store, keyring, commits, generation });
  undo.add(() => rooms.ctx.telemetry.close());
  await recoverState(rooms, keyring);
  await say(rooms, 'collector.started', settings.version);
  const gate = gateOf(rooms, config);
  keyring.onErase((group) => gate.ingest.forget(group));
  undo.add(() => gate.ingest.close());
  undo.add(() => gate.presence.close());
  undo.add(() => gate.samples.close());
  undo.add(() => gate.quotas.close());
  undo.add(() => gate.offences.close());
  const tls = await serverPair(dir, config, around);
  const { ctx } = rooms;
  const port = new Port({
    tls,
    clock: ctx.clock,
    faults: ctx.faults,
    agent: (socket, channel, proven) => void new AgentSocket(gate, socket, channel, proven),
    offence: (reason) => {
      ctx.counters.add('turned_away');
      gate.offences.add(null, reason);
    },
  });
  undo.add(() => port.close());
  agentRoutes(port.app, ctx, new Enroller(ctx));
  const { registerApi } = await import('./api/index.ts');
  registerApi(port.app, ctx);
  const died = (agreements: ReadonlySet<AgreementId | null>) => rooms.links.refreshOf(agreements);
  const erasing = { ...erasingOf(rooms, keyring), died };
  const duties = await openDuties(ctx, { around: erasing });
  undo.add(() => duties.close());
  const address = await port.listen(listen);
  await duties.start();
  undo.add(takeCare(dir, config, rooms, keyring, port));
  undo.add(thinRegularly(ctx));
  const metrics = await tellMetrics(settings, ctx, gate, keyring, undo);
  ctx.log.info({ address: settings.listen }, 'collector: listening');
  return { address, metrics, ctx, stop: stopper(rooms, { gate, duties, port }, undo, settings.version) };
}

/** Opens `/metrics` and `/health` where that is wanted. @throws TilsynError `metrics.*` */
async function tellMetrics(
  { metrics, memory }: RunSettings,
  ctx: Context,
  { ingest, samples }: Gate,
  keyring: Keyring,
  undo: Undo,
): Promise<string | null> {
  if (metrics === undefined) return null;
  const watched = watchCollector(ctx, {
    memory,
    oldestWaitingMs: () => ingest.oldestWaitingMs(),
    waitingSamples: () => samples.waiting,
    keysComplete: () => keyring.complete,
  });
  undo.add(() => watched.stop());
  const { openMetrics } = await import('./metrics-port.ts');
  const open = await openMetrics(metrics, watched);
  undo.add(() => open.close());
  return open.address;
}

/** @throws TilsynError `store.quarantined`, `store.absent` (N2) */
async function openExisting(dir: string, { faults, log }: Surroundings, commits: Commits): Promise<Store> {
  const { database } = statePaths(dir);
  if (!existsSync(database)) {
    throw new TilsynError('store.absent', 'opening the collector: its database is not there', {
      hint: 'Put it back: `tilsyn collector restore FILE --state DIR` (docs/guide/restore.md). The keys are kept; a new collector needs a new --state.',
      exit: 'integrity',
    });
  }
  try {
    return await openDatabase(dir, faults, commits);
  } catch (error) {
    if (codeOf(error) !== 'store.corrupt') throw error;
    quarantineStore(database);
    log.error('collector: the database is damaged and was set aside');
    throw new TilsynError(
      'store.quarantined',
      'opening the collector: its database is damaged; it was set aside',
      {
        hint: 'Put a backup in its place: `tilsyn collector restore FILE --state DIR`; agents send again what they keep. The damaged file is beside it (.quarantined-N), the keys are untouched.',
        exit: 'integrity',
        cause: error,
      },
    );
  }
}

async function generationOf(store: Store): Promise<Id<'generation'>> {
  const generation = await store.read.meta('generation');
  if (generation !== null) return generation as Id<'generation'>;
  throw new TilsynError('store.empty', 'opening the collector: its database holds no collector', {
    hint: 'Put collector.db back from a backup, or begin anew with another --state.',
    exit: 'integrity',
  });
}

/** What an erasure needs of a collector. */
export function erasingOf({ ctx, own }: Rooms, keyring: Keyring) {
  const { store, groups, clock, faults, telemetry, bury, opener, random } = ctx;
  const forget = (gone: readonly GroupId[]) => opener.oneoff.drop(gone);
  return { store, keyring, groups, own, clock, faults, telemetry, bury, forget, opener, random };
}

async function recoverState(rooms: Rooms, keyring: Keyring): Promise<void> {
  const { ctx, own } = rooms;
  const { store, log } = ctx;
  const around = erasingOf(rooms, keyring);
  const { findings, drafts } = await recover(around);
  if (drafts.length > 0) await store.write((tx) => own.append(tx, drafts));
  tell(log, findings);
  await settleEnds(around);
  await settleRequests(around, keyring.tombstones());
  const { erased } = await eraseDue(around);
  if (erased > 0) log.info({ count: erased }, 'recovery: what fell due meanwhile was erased');
  // What a crash left in the log of the database (V36).
  await emptyLog(around);
  const dropped = await dropEndedTelemetry(ctx);
  if (dropped > 0)
    log.info({ count: dropped }, 'recovery: telemetry of agreements that have ended was removed');
}

async function say(
  { ctx, own }: Rooms,
  type: 'collector.started' | 'collector.stopped',
  version: string,
): Promise<void> {
  const reason = type === 'collector.started' ? 'start' : 'stop';
  await ctx.store.write((tx) => own.append(tx, [{ type, data: { version, reason } }]));
}

function gateOf({ ctx, own, links }: Rooms, config: CollectorConfig): Gate {
  return {
    ctx,
    links,
    arbiter: new Arbiter(ctx, links),
    ingest: new Ingest(ctx),
    presence: new Presence(ctx),
    samples: new Samples(ctx),
    generations: new Generations(ctx, own),
    credits: new Credits(ctx.clock),
    quotas: new Quotas(ctx, config.customerEventsPerDay),
    offences: new Offences(ctx),
  };
}

/** The server's certificate: the operator's, or the own one, made anew where it ends soon or names another host. */
async function serverPair(dir: string, config: CollectorConfig, around: Surroundings): Promise<KeyPairPem> {
  const { clock, random } = around;
  const [now, host] = [clock.now(), hostOf(config.url)];
  if (config.tls !== null) {
    const pair = readPair(config.tls);
    checkOperatorPair(pair, host, now);
    return pair;
  }
  const paths = statePaths(dir);
  const pair = { cert: readOwn(paths.serverCert), key: readOwn(paths.serverKey) };
  if (msLeft(pair.cert, now) >= RENEW_MS && namesHost(pair.cert, host)) return pair;
  const ca = { cert: readOwn(paths.caCert), key: readOwn(paths.caKey) };
  const fresh = await makeServerCert(ca, host, now, random);
  writePair(dir, fresh);
  return fresh;
}

function tell(log: Context['log'], findings: readonly Finding[]): void {
  for (const { code, message, count } of findings) log.warn({ code, count }, `recovery: ${message}`);
}

/** Regular care while running: groups of a new month, orphans, approvals whose time is over, the certificate. */
function takeCare(
  dir: string,
  config: CollectorConfig,
  { ctx, own, links }: Rooms,
  keyring: Keyring,
  port: Port,
): () => void {
  let cancel = () => {};
  let cert = '';
  const care = async () => {
    await own.ensureHouse(ctx.clock.now());
    const { ended, waiting } = await endOrphans({ store: ctx.store, keyring, own, clock: ctx.clock });
    tell(ctx.log, orphanFindings({ kept: [], ended, waiting }));
    links.refreshAll();
    await runDue(ctx);
    const pair = await serverPair(dir, config, ctx);
    if (pair.cert !== cert) port.renew(pair);
    cert = pair.cert;
  };
  const next = () => {
    cancel = ctx.clock.after(CARE_MS, () => {
      care()
        .catch((error: unknown) => ctx.log.error({ code: codeOf(error) }, 'collector: regular care failed'))
        .finally(next);
    });
  };
  next();
  return () => cancel();
}

/** N3. A second call waits for the first. */
function stopper(
  rooms: Rooms,
  { gate, duties, port }: { gate: Gate; duties: Duties; port: Port },
  undo: Undo,
  version: string,
): () => Promise<void> {
  let stopping: Promise<void> | null = null;
  const stop = async () => {
    try {
      port.refuse();
      rooms.links.closeAll('goingAway', null);
      await port.close();
      await duties.close();
      await gate.ingest.close();
      await gate.samples.close();
      await gate.presence.close();
      await gate.offences.close();
      await say(rooms, 'collector.stopped', version);
    } finally {
      await undo.all();
    }
  };
  return () => {
    stopping ??= stop();
    return stopping;
  };
}
