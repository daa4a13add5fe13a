/**
 * What a host answers about its recordings: lists in pages, figures per camera, plans. Reads only; nothing of it is stored
 * by whoever asks. Paths and names of cameras leave the host here and nowhere else.
 *
 * C47 Without rules, without a rule for recordings, or without trusted time nothing can be called overdue: that is told as a
 *     gap, and figures of it are null. None overdue is said only where all was judged.
 * C65 No question keeps anything else from running: rows are looked at in pages, and between two of them others have
 *     their turn.
 * A2  No answer without its coverage: `watched` says from when to when each root was looked at, and what is wrong with it.
 */
import type { Hold } from '../../protocol/hold.ts';
import { covers } from '../../protocol/hold.ts';
import { ruleFor } from '../../protocol/policy.ts';
import { toIso, type UtcMs } from '../../protocol/time.ts';
import type { Filling } from '../holds/disks.ts';
import { plans, status } from './answers-sweep.ts';
import {
  type Answer,
  type AnswerDeps,
  type Asked,
  asked,
  iso,
  MAX_ITEMS,
  rootsOf,
  unjudged,
} from './asked.ts';
import type { Surroundings } from './due.ts';
import { endedBy, judge, thingOf } from './due.ts';
import { dueOf } from './due-of.ts';
import { fromBytes, shown, toBytes } from './names.ts';
import { notLookedAt } from './not-looked-at.ts';
import type { ListPlace } from './read-store.ts';
import { rest } from './rest.ts';
import { type Root, stateOf, sweepSourceOf } from './roots.ts';
import { type ByteName, type CameraRow, type RecordingRow, type RecordingState, STATES } from './types.ts';

/** The verbs of `docs/design/recordings.md`, for the link and the control socket alike. */
export function recordingAnswers(
  deps: AnswerDeps,
): Readonly<Record<string, (body: Answer) => Promise<Answer>>> {
  return {
    'recordings.list': async (body) => await list(deps, asked.parse(body)),
    'recordings.missing': async (body) => await list(deps, { ...asked.parse(body), state: 'missing' }),
    'recordings.due': async (body) => await overdue(deps, asked.parse(body)),
    'recordings.stats': async (body) => await stats(deps, asked.parse(body)),
    'sweep.plan': async (body) => await plans(deps, asked.parse(body)),
    'sweep.status': async () => status(deps),
  };
}

interface Seen {
  root: Root;
  camera: CameraRow;
}

function camerasOf(deps: AnswerDeps, ask: Asked): Map<number, Seen> {
  const all = rootsOf(deps, ask).flatMap((root) =>
    deps.sweeps.cameras(root.id).map((camera): [number, Seen] => [camera.id, { root, camera }]),
  );
  return new Map(all.filter(([, { camera }]) => ask.camera === undefined || camera.camera === ask.camera));
}

async function list(deps: AnswerDeps, ask: Asked): Promise<Answer> {
  const cameras = camerasOf(deps, ask);
  const rows = await walk(deps, ask, cameras, () => true);
  return answerOf(deps, ask, cameras, rows);
}

/** Past its due time and still there, whatever the reason. */
async function overdue(deps: AnswerDeps, ask: Asked): Promise<Answer> {
  const cameras = camerasOf(deps, ask);
  const around = deps.keeper.around();
  const now = deps.now();
  const gap = unjudged(around, now);
  const watched = judgedOf(deps, ask);
  const unseen = notLookedAt(deps, rootsOf(deps, ask));
  if (around === null || now === null || gap !== null)
    return { ...answerOf(deps, ask, cameras, []), watched, ...unseen };
  // The floor keeps longer, and does not make anything due later: what it keeps is listed with that reason.
  const to = endedBy({ ...around, floorMs: 0 }, now);
  const by = { ...ask, state: 'present' as const, to: to ?? now };
  const rows = to === null ? [] : await walk(deps, by, cameras, (row) => isOver(row, around, now));
  return { ...answerOf(deps, ask, cameras, rows), watched, ...unseen };
}

/** A2, for what is said to be overdue or not. */
function judgedOf(deps: AnswerDeps, ask: Pick<Asked, 'source'>): Answer[] {
  const reason = unjudged(deps.keeper.around(), deps.now());
  const more = reason === null ? [] : [{ from: null, to: null, reason }];
  return watchedOf(deps, ask).map((root) => ({ ...root, gaps: [...(root.gaps as Answer[]), ...more] }));
}

/**
 * Rows that fit, camera after camera, each in the order of states and ends, from where the answer before ended. Between
 * two pages everything else has its turn: one that fits may be the last of millions (C65).
 */
async function walk(
  { sweeps }: AnswerDeps,
  ask: Asked,
  cameras: ReadonlyMap<number, Seen>,
  fits: (row: RecordingRow) => boolean,
): Promise<RecordingRow[]> {
  const rows: RecordingRow[] = [];
  const from = placeOf(ask.after);
  for (const camera of [...cameras.keys()].sort((a, b) => a - b)) {
    for (const state of ask.state === undefined ? STATES : [ask.state]) {
      const here = from !== null && from.camera === camera && from.state === state;
      const passed =
        from !== null && (camera < from.camera || (camera === from.camera && isBefore(state, from.state)));
      if (passed) continue;
      const asked = { camera, state, from: ask.from ?? null, to: ask.to ?? null, limit: MAX_ITEMS };
      let after: ListPlace | null = here ? from : null;
      for (let more = true; more && rows.length < ask.limit; ) {
        const page = sweeps.read.list({ ...asked, after });
        for (const row of page.rows) if (rows.length < ask.limit && fits(row)) rows.push(row);
        after = page.next;
        more = after !== null;
        if (more) await rest();
      }
    }
  }
  return rows;
}

function isBefore(state: RecordingState, other: RecordingState): boolean {
  return STATES.indexOf(state) < STATES.indexOf(other);
}

function isOver(row: RecordingRow, around: Surroundings, now: UtcMs): boolean {
  const due = dueOf(row, around);
  return due !== null && due <= now;
}

function answerOf(
  deps: AnswerDeps,
  ask: Asked,
  cameras: ReadonlyMap<number, Seen>,
  rows: readonly RecordingRow[],
): Answer {
  const last = rows.length === ask.limit ? rows.at(-1) : undefined;
  const holds = deps.sweeps.holds();
  const around = deps.keeper.around();
  const at = deps.now();
  const paths = new Map<number, string>();
  const items = rows.flatMap((row) => {
    const seen = cameras.get(row.camera);
    if (seen === undefined) return [];
    const folder = paths.get(row.folder) ?? deps.sweeps.read.pathOf(row.folder).map(shown).join('/');
    paths.set(row.folder, folder);
    return [itemOf(deps, row, seen, folder, { around, holds, at })];
  });
  return { items, next: last === undefined ? null : textOf(last), watched: watchedOf(deps, ask) };
}

function itemOf(
  { keeper, sweeps }: AnswerDeps,
  row: RecordingRow,
  { root, camera }: Seen,
  folder: string,
  { around, holds, at }: { around: Surroundings | null; holds: readonly Hold[] | null; at: UtcMs | null },
): Answer {
  const due = around === null ? null : dueOf(row, around);
  const covering =
    around === null || holds === null
      ? []
      : holds.filter((hold) => covers(hold, thingOf(row, camera.camera, around))).map(({ hold }) => hold);
  const verdict = around === null ? null : judge(row, camera.camera, around, holds, at);
  const { startEarliest, startLatest, endLatest } = row.bounds;
  return {
    id: `${row.folder}.${toBytes(row.name).toString('base64url')}`,
    source: root.source,
    camera: camera.camera,
    cameraName: shown(camera.name),
    path: [folder, shown(row.name)].filter((part) => part !== '').join('/'),
    startedAt: toIso(startEarliest),
    startedAtLatest: startLatest === startEarliest ? null : toIso(startLatest),
    endedAt: endLatest === null ? null : toIso(endLatest),
    endBasis: endLatest === null ? 'unknown' : 'bound',
    sizeBytes: row.sizeBytes,
    state: row.state,
    retainUntil: due === null ? null : toIso(due),
    holds: covering,
    reason:
      row.state !== 'present'
        ? null
        : verdict?.verdict === 'keep'
          ? verdict.reason
          : (sweeps.refusal(row) ?? keeper.waiting(root.id)?.reason ?? null),
  };
}

/** A2 */
function watchedOf(deps: AnswerDeps, ask: Pick<Asked, 'source'>): Answer[] {
  return rootsOf(deps, ask).map((root) => {
    const state = stateOf(deps.sweeps, root);
    const { scannedAt, firstAt } = deps.sweeps.read.scanned(root.id);
    const wrong = state === 'watched' ? [] : [{ from: iso(scannedAt), to: null, reason: state }];
    return {
      source: root.source,
      from: iso(firstAt),
      to: iso(scannedAt),
      gaps: wrong,
      scannedAt: iso(scannedAt),
    };
  });
}

async function stats(deps: AnswerDeps, ask: Asked): Promise<Answer> {
  const { keeper, sweeps, now } = deps;
  const tallies = await sweeps.read.tally(rest);
  const around = keeper.around();
  const at = now();
  const gap = unjudged(around, at);
  const limit = around === null ? null : (ruleFor(around.policy, 'recording', 'managed')?.keepAtMost ?? null);
  const sources: Answer[] = [];
  const disks = (await deps.disks?.()) ?? [];
  for (const root of rootsOf(deps, ask)) {
    const known = sweepSourceOf(sweeps, root)?.source ?? null;
    const { scannedAt, fullAt } = sweeps.read.scanned(root.id);
    const due =
      known === null || around === null || at === null || gap !== null
        ? null
        : await keeper.sweep.dueByCamera(known, around, at);
    const cameras = sweeps.cameras(root.id).map(({ id: row, camera, name }) => {
      const tally = tallies.get(row);
      return {
        ...{ camera, name: shown(name), count: tally?.count ?? 0, bytes: tally?.bytes ?? 0 },
        ...{ oldest: iso(tally?.oldest ?? null), newest: iso(tally?.newest ?? null) },
        ...{
          due: due?.get(row)?.due ?? (due === null ? null : 0),
          held: due?.get(row)?.held ?? (due === null ? null : 0),
        },
        ...{ unbounded: tally?.unbounded ?? 0, erased: tally?.erased ?? 0, missing: tally?.missing ?? 0 },
      };
    });
    const waits = keeper.waiting(root.id);
    sources.push({
      ...{ source: root.source, root: root.config.root, layout: root.layout.name, mode: root.config.mode },
      ...{
        state: stateOf(sweeps, root),
        scannedAt: iso(scannedAt),
        fullAt: iso(fullAt),
        sweptAt: iso(known?.sweptAt ?? null),
      },
      ...{
        waits: waits?.reason ?? null,
        waitsSince: iso(waits?.since ?? null),
        plan: sweeps.plan(root.id)?.plan ?? null,
      },
      ...{ policy: around?.policy.name ?? null, version: around?.policy.version ?? null },
      ...{ limit, unjudged: gap },
      ...{ odd: sweeps.read.odds(root.id), ...notLookedAt(deps, [root]), cameras },
      disk: diskOf(disks.find(({ roots }) => roots.includes(root))),
    });
  }
  return { sources, watched: judgedOf(deps, ask), now: iso(at) };
}

/** R9: when the disk of a root is full, and whether holds are why. */
function diskOf(filling: Filling | undefined): Answer | null {
  if (filling === undefined) return null;
  const { fullAt, withoutHolds, unknown, vault, silence } = filling;
  return { fullAt: iso(fullAt), withoutHolds: iso(withoutHolds), unknown, vault, silence };
}

interface AnswerPlace {
  camera: number;
  state: RecordingState;
  end: number;
  folder: number;
  name: ByteName;
}

function placeAt({ camera, state, bounds, folder, name }: RecordingRow): AnswerPlace {
  return { camera, state, end: bounds.endLatest ?? -1, folder, name };
}

/** Where a page ended. */
function textOf(row: RecordingRow): string {
  const { camera, state, end, folder, name } = placeAt(row);
  return [camera, state, end, folder, toBytes(name).toString('base64url')].join('.');
}

function placeOf(text: string | undefined): AnswerPlace | null {
  const [camera, state, end, folder, name] = (text ?? '').split('.');
  const known = STATES.find((one) => one === state);
  const numbers = [camera, end, folder].map(Number);
  if (known === undefined || name === undefined || !numbers.every(Number.isSafeInteger)) return null;
  const [cameraId = 0, endsAt = 0, folderId = 0] = numbers;
  return {
    camera: cameraId,
    state: known,
    end: endsAt,
    folder: folderId,
    name: fromBytes(Buffer.from(name, 'base64url')),
  };
}
