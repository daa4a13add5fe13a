/**
 * Canaries of footage: four files that the real scan catalogues and the real sweep decides about. Which of them have to go
 * and which have to stay at each step is known beforehand.
 *
 * A27 Before a person approved the first sweep all of them are there. After it the one that is due is gone, the one that is
 *     not due and the one under a hold are there; once the hold is released the held one goes too. What went was told,
 *     in pairs of events. A sweep that does otherwise is a finding, whatever it says of itself.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Id, newId, type Random, type SourceId } from '../../protocol/ids.ts';
import { type Policy, ruleFor } from '../../protocol/policy.ts';
import { type Clock, DAY_MS, HOUR_MS, utcMs } from '../../protocol/time.ts';
import { plantFile, writeAtomic } from '../files.ts';
import type { Surroundings } from '../recordings/due.ts';
import { dueOf } from '../recordings/due-of.ts';
import { canErase } from '../recordings/erase.ts';
import { layoutOf } from '../recordings/layouts/index.ts';
import { identityOf, MARKER_FILE, markerText } from '../recordings/root.ts';
import { acceptedOf } from '../recordings/roots.ts';
import { Scanner } from '../recordings/scan.ts';
import { Sweep, type SweepDeps, type SweepSource } from '../recordings/sweep.ts';
import type { CanaryState } from './canary-state.ts';
import { add, type CheckResult, leave, nothing } from './types.ts';

/** What each of them is there to show. */
export const CANARIES = ['due', 'held', 'young'] as const;
export type Canary = (typeof CANARIES)[number];

/** Which are there at a step. */
export type Step = Readonly<Record<Canary, boolean>>;

export interface CanaryFacts {
  /** Rows of the catalogue after the scan. */
  catalogued: number;
  /** After the sweep that nobody approved; after one that was; after the hold was released. */
  unapproved: Step;
  approved: Step;
  released: Step;
  /** Recordings that pairs of events told of. */
  told: number;
}

/** Pure (A27). */
export function judgeFootage(facts: CanaryFacts): CheckResult {
  const { catalogued, unapproved, approved, released, told } = facts;
  const result = nothing('canary-footage');
  result.looked = CANARIES.length;
  result.of = CANARIES.length;
  const mustStay = [...CANARIES.map((one) => unapproved[one]), approved.held, approved.young, released.young];
  const mustGo = [approved.due, released.held];
  add(result, 'canary-erased', mustStay.filter((there) => !there).length, null);
  add(result, 'canary-kept', mustGo.filter((there) => there).length + CANARIES.length - catalogued, null);
  const gone = CANARIES.filter((one) => !released[one]).length;
  add(result, 'canary-untold', Math.abs(gone - told), null);
  return result;
}

export interface FootageDeps {
  state: CanaryState;
  clock: Clock;
  random: Random;
  rest(): Promise<void>;
  /** As Node names it. */
  platform: string;
  /** The rules in force; null: none, and the canaries go by one of their own. */
  policy: Policy | null;
  floorMs: number;
  /** The eraser under audit. */
  sweep?: (deps: SweepDeps) => Pick<Sweep, 'run' | 'approve'>;
}

const LAYOUT = 'motioneye';
/** Longer ago than any rule keeps. */
const AGE_MS = 40 * 365 * DAY_MS;

/** @throws TilsynError `state.*`, `journal.*` */
export async function checkFootage(deps: FootageDeps): Promise<CheckResult> {
  if (!canErase(deps.platform)) {
    const result = nothing('canary-footage');
    leave(result, 'platform');
    return result;
  }
  return judgeFootage(await flight(deps));
}

async function flight(deps: FootageDeps): Promise<CanaryFacts> {
  const { state, clock, random, rest } = deps;
  const { journal, sweeps, store } = state;
  const root = join(state.dir, 'root');
  const paths = plant(deps, root);
  await rest();
  const source = await readIn(deps, root);
  await rest();
  const hold = newId<'hold'>(random);
  const held = sweeps.cameras(source).find(({ name }) => name === 'held');
  journal.transact(() => {
    store.plantHold(hold, { from: null, to: null, cameras: held === undefined ? [] : [held.camera] });
    return { tell: [] };
  });
  const { count: catalogued } = await sweeps.read.present(source, rest);
  const around = surroundings(deps);
  const sweep = (deps.sweep ?? ((its) => new Sweep(its)))({
    ...{ journal, clock, store: sweeps, faults: {}, random, rest },
    now: () => clock.now(),
    around: () => around,
    unconfirmed: () => false,
    timeTrouble: () => null,
  });
  const there = (): Step => {
    const [due = false, heldThere = false, young = false] = paths.map((path) => existsSync(path));
    return { due, held: heldThere, young };
  };
  const pass = () => sweepSource(state, source, root);
  await rest();
  await sweep.run(pass());
  await rest();
  const unapproved = there();
  await approveAndRun(sweep, deps, pass);
  const approved = there();
  journal.transact(() => {
    store.releaseHold(hold, clock.now());
    return { tell: [] };
  });
  await rest();
  await sweep.run(pass());
  await approveAndRun(sweep, deps, pass);
  return { catalogued, unapproved, approved, released: there(), told: toldOf(state) };
}

/** A person's word, in their place: a plan that waits is approved as it is. */
async function approveAndRun(
  sweep: Pick<Sweep, 'run' | 'approve'>,
  { state, rest }: FootageDeps,
  pass: () => SweepSource,
): Promise<void> {
  const plan = state.sweeps.plan(pass().source.id);
  await rest();
  if (plan !== null) await sweep.approve(pass(), plan.plan);
  await rest();
  await sweep.run(pass());
  await rest();
}

/** The files, in the order of `CANARIES`. */
function plant({ clock }: FootageDeps, root: string): string[] {
  const now = clock.now();
  return CANARIES.map((camera) => {
    const start = camera === 'young' ? now - 4 * HOUR_MS : now - AGE_MS;
    const [day = '', time = ''] = new Date(start).toISOString().slice(0, 19).split('T');
    const path = join(root, camera, day, `${time.replaceAll(':', '-')}.mp4`);
    plantFile(path, `canary ${camera}`, start);
    return path;
  });
}

/** Accepts the root as a person would, and has it scanned. @returns row of the source */
async function readIn({ state, clock, random, rest }: FootageDeps, root: string): Promise<number> {
  const { journal, catalogue, sweeps } = state;
  const source = newId<'source'>(random) as SourceId;
  writeAtomic(join(root, MARKER_FILE), markerText(source));
  let id = 0;
  journal.transact(() => {
    id = catalogue.source(source, root, LAYOUT, 'UTC');
    catalogue.accept(id, source as Id<'source'>, JSON.stringify(identityOf(root)));
    return { tell: [] };
  });
  await rest();
  const row = sweeps.sources().find((one) => one.id === id);
  const accepted = row === undefined ? null : acceptedOf(row);
  const layout = layoutOf({ layout: LAYOUT, zone: 'UTC', longestSegmentMs: null });
  const target = { id, source, root, layout, accepted, inodes: true };
  await new Scanner({ journal, catalogue, clock, rest }, target).pass();
  return id;
}

function sweepSource({ sweeps }: CanaryState, id: number, root: string): SweepSource {
  const found = sweeps.sources().find((one) => one.id === id);
  if (found === undefined) throw new RangeError(`the source below ${root.length} characters is not there`);
  const layout = layoutOf({ layout: LAYOUT, zone: 'UTC', longestSegmentMs: null });
  return { source: found, accepted: acceptedOf(found), mode: 'erase', layout };
}

const OWN: Policy = {
  name: 'canary',
  version: 1,
  author: 'self-audit',
  zone: 'UTC',
  rules: [
    { class: 'recording', trigger: 'recording-end', keepAtMost: 'P30D', keepAtLeast: null, action: 'erase' },
  ],
};

/** The rules in force where they erase by time; else the canaries' own. */
function surroundings({ state, clock, policy, floorMs }: FootageDeps): Surroundings {
  const { site, agent } = state.identity;
  const by = (rules: Policy): Surroundings => {
    const zone = rules.zone;
    return {
      policy: rules,
      zone,
      site,
      host: agent,
      agreementEndsAt: null,
      floorMs: Math.max(floorMs, DAY_MS),
    };
  };
  const rule = policy === null ? null : ruleFor(policy, 'recording', 'managed');
  if (policy === null || rule?.action !== 'erase') return by(OWN);
  const end = utcMs(clock.now() - AGE_MS + DAY_MS);
  const bounds = { startEarliest: end, startLatest: end, endLatest: end };
  const due = dueOf({ bounds }, by(policy));
  return due !== null && due < clock.now() ? by(policy) : by(OWN);
}

/** Recordings that `recordings.erased` told of, each after its `recordings.erasing`. */
function toldOf({ journal }: CanaryState): number {
  const open = journal.openLog();
  const out = open === null ? null : journal.outgoing(open, 0, { events: 500, bytes: 250_000 });
  const begun = new Set<number>();
  let told = 0;
  for (const text of out?.events ?? []) {
    const { type, data } = JSON.parse(text) as { type: string; data: { slice: number; count: number } };
    if (type === 'recordings.erasing') begun.add(data.slice);
    if (type === 'recordings.erased' && begun.has(data.slice)) told += data.count;
  }
  return told;
}
