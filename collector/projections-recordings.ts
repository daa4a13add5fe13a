/**
 * The projection of recordings: what hosts tell of their roots, cameras and days, and what the register says. The reducer is
 * pure; loading and storing what a batch touches stand below it.
 *
 * V91 A camera, a root and a day are changed by the host that told of them first, the register by the collector; a telling of
 *     another host changes nothing (Y3).
 * V92 A root waits since the first telling that it does, whatever the reason was in between, until a sweep was done; it is
 *     suspect until it was read or accepted again.
 */
import type { EventData } from '../protocol/event.ts';
import type { AgentId, PersonId, SourceId } from '../protocol/ids.ts';
import { fromIso, type UtcMs, utcMs } from '../protocol/time.ts';
import { type Fact, type FactOf, type HostOf, RECORDING_FACTS } from './projections-facts.ts';
import type { CameraDayRow, CameraId, CameraRow, ClockStepRow, RootRow, Tx } from './store/types.ts';

type RecordingType = (typeof RECORDING_FACTS)[number];
type RecordingFact = FactOf<RecordingType>;
/** Those that name a root. */
type RootFact = FactOf<Exclude<RecordingType, 'camera.registered' | 'clock.stepped'>>;

const TYPES: ReadonlySet<string> = new Set(RECORDING_FACTS);

export interface RecordingState {
  roots: Map<SourceId, RootRow>;
  cameras: Map<CameraId, CameraRow>;
  days: Map<string, CameraDayRow>;
  steps: Map<AgentId, ClockStepRow>;
  changed: { roots: Set<SourceId>; cameras: Set<CameraId>; days: Set<string> };
}

export function newRecordingState(): RecordingState {
  return {
    ...{ roots: new Map(), cameras: new Map(), days: new Map(), steps: new Map() },
    changed: { roots: new Set(), cameras: new Set(), days: new Set() },
  };
}

export function isRecording(fact: Fact): fact is RecordingFact {
  return TYPES.has(fact.type);
}

export function reduceRecording(state: RecordingState, fact: RecordingFact): void {
  if (fact.type === 'camera.registered') {
    // Only the collector keeps a register.
    if (fact.owner === null) registered(state, fact);
    return;
  }
  if (fact.owner === null) return;
  if (fact.type === 'clock.stepped') {
    const { agent } = fact.owner;
    state.steps.set(agent, { agent, at: fact.at, byMs: fact.data.byMs });
    return;
  }
  const root = rootOf(state, fact, fact.owner);
  if (root === null) return;
  putRoot(state, { ...root, ...rootChange(root, fact), toldAt: fact.at });
  if (isCameraFact(fact)) cameraTold(state, fact, fact.owner);
}

function rootOf({ roots }: RecordingState, { data, at }: RootFact, { agent }: HostOf): RootRow | null {
  const source = data.source as SourceId;
  const known = roots.get(source);
  if (known !== undefined) return known.agent === agent ? known : null;
  return {
    ...{ source, agent, state: 'watched', reason: null, waits: null, waitsSince: null, plan: null },
    ...{ left: null, leftAt: null, copies: null, sweptAt: null, missing: 0, toldAt: at },
  };
}

const WATCHED = { state: 'watched', reason: null } as const;

function rootChange(row: RootRow, { type, data, at }: RootFact): Partial<RootRow> {
  switch (type) {
    case 'recordings.root-suspect':
      return { state: 'suspect', reason: data.reason };
    case 'recordings.retired':
      return { state: 'retired', reason: data.reason, waits: null, waitsSince: null, plan: null };
    case 'recordings.accepted':
      return WATCHED;
    case 'recordings.day':
    case 'camera.gap':
      // Told after a whole pass over the accepted root.
      return row.state === 'suspect' ? WATCHED : {};
    case 'recordings.overdue':
      return { left: data.left, leftAt: at };
    case 'recordings.copies':
      return { copies: data.copies };
    case 'recording.missing':
      return { missing: sum(row.missing, data.count) };
    case 'sweep.waiting':
      return { waits: data.reason, waitsSince: row.waitsSince ?? sinceOf(data, at), plan: data.plan };
    case 'sweep.done':
      return {
        ...(row.state === 'suspect' ? WATCHED : {}),
        waits: null,
        waitsSince: null,
        plan: null,
        sweptAt: at,
      };
    default:
      return {};
  }
}

function sinceOf({ since }: EventData<'sweep.waiting'>, at: UtcMs): UtcMs {
  return since === null ? at : utcMs(Math.min(at, instant(since)));
}

type CameraFact = FactOf<'camera.found' | 'camera.heard' | 'camera.gap' | 'recordings.day'>;

function isCameraFact(fact: RootFact): fact is CameraFact {
  return fact.type.startsWith('camera.') || fact.type === 'recordings.day';
}

function cameraTold(state: RecordingState, fact: CameraFact, host: HostOf): void {
  const camera = fact.data.camera as CameraId;
  const known = state.cameras.get(camera);
  if (known === undefined) {
    if (fact.type === 'camera.found') putCamera(state, newCamera(fact, host));
    return;
  }
  if (known.agent !== host.agent) return;
  switch (fact.type) {
    case 'camera.found':
      // Told again by a successor log: its name may be the only one that opens.
      putCamera(state, { ...known, foundPos: fact.sealed ? fact.pos : known.foundPos });
      return;
    case 'camera.heard':
      putCamera(state, { ...known, sound: fact.data.sound });
      return;
    case 'camera.gap':
      putCamera(state, {
        ...known,
        gapFrom: fact.data.to === null ? instant(fact.data.from) : openGap(known, fact),
      });
      return;
    case 'recordings.day':
      putDay(state, fact, host.agent);
  }
}

/** A gap of the past that is told closed does not end the one that is open. */
function openGap({ gapFrom }: CameraRow, { data }: FactOf<'camera.gap'>): UtcMs | null {
  return gapFrom !== null && gapFrom > instant(data.from) ? gapFrom : null;
}

function newCamera({ data, pos, at }: FactOf<'camera.found'>, { agent, customer, site }: HostOf): CameraRow {
  return {
    camera: data.camera as CameraId,
    ...{ agent, source: data.source as SourceId, customer, site, foundPos: pos, foundAt: at },
    ...{ sound: null, gapFrom: null, registeredPos: null, registeredAt: null, registeredBy: null },
    ...{ retainMonths: null, retainMs: null, signageAt: null },
  };
}

function putDay(
  { days, changed }: RecordingState,
  { data, at }: FactOf<'recordings.day'>,
  agent: AgentId,
): void {
  const fromAt = instant(data.from);
  const day = dayKey(data);
  const { count, bytes, present, erased, missing, gaps, gapSeconds } = data;
  days.set(day, {
    ...{ day, camera: data.camera as CameraId, agent, fromAt, toAt: instant(data.to), count, bytes, present },
    ...{ erased, missing, firstAt: instant(data.first), lastAt: instant(data.last), gaps, gapSeconds },
    toldAt: at,
  });
  changed.days.add(day);
}

function dayKey({ camera, from }: Pick<EventData<'recordings.day'>, 'camera' | 'from'>): string {
  return `${camera} ${instant(from)}`;
}

/** Anew each time: the newest counts. */
function registered(state: RecordingState, { data, pos, at }: FactOf<'camera.registered'>): void {
  const row = state.cameras.get(data.camera as CameraId);
  if (row === undefined) return;
  const { retain, signage, person } = data;
  putCamera(state, {
    ...row,
    ...{ registeredPos: pos, registeredAt: at, registeredBy: person as PersonId },
    ...{ retainMonths: retain?.months ?? null, retainMs: retain === null ? null : retain.hours * 3_600_000 },
    signageAt: signage === null ? null : instant(signage),
  });
}

function putRoot({ roots, changed }: RecordingState, row: RootRow): void {
  roots.set(row.source, row);
  changed.roots.add(row.source);
}

function putCamera({ cameras, changed }: RecordingState, row: CameraRow): void {
  cameras.set(row.camera, row);
  changed.cameras.add(row.camera);
}

/** Reads once what the batch touches. */
export async function loadRecordings(tx: Tx, state: RecordingState, facts: readonly Fact[]): Promise<void> {
  for (const { data } of facts.filter(isRecording)) {
    const source = 'source' in data ? (data.source as SourceId | null) : null;
    if (source !== null && !state.roots.has(source)) {
      const row = await tx.roots.get(source);
      if (row !== null) state.roots.set(source, row);
    }
    const camera = 'camera' in data ? (data.camera as CameraId | null) : null;
    if (camera !== null && !state.cameras.has(camera)) {
      const row = await tx.cameras.get(camera);
      if (row !== null) state.cameras.set(camera, row);
    }
  }
}

/** Writes once what changed. */
export async function saveRecordings(tx: Tx, state: RecordingState): Promise<void> {
  const { roots, cameras, days, steps, changed } = state;
  const of = <K, Row>(rows: ReadonlyMap<K, Row>, ids: ReadonlySet<K>) =>
    [...ids].flatMap((id) => rows.get(id) ?? []);
  if (changed.roots.size > 0) await tx.roots.put(of(roots, changed.roots));
  if (changed.cameras.size > 0) await tx.cameras.put(of(cameras, changed.cameras));
  if (changed.days.size > 0) await tx.cameraDays.put(of(days, changed.days));
  if (steps.size > 0) await tx.clockSteps.put([...steps.values()]);
}

/** Counts come from agents: a sum that no column holds would keep every later event from being stored. */
function sum(a: number, b: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, a + b);
}

/** The schema has checked the form. */
function instant(text: string): UtcMs {
  return fromIso(text) ?? utcMs(Number.NaN);
}
