/**
 * What the start does before the port opens: brings rows and slots together, by the table "Crash order of keys
 * and rows" in `docs/design/protocol.md`.
 *
 * V19 A live slot without a row is kept and listed: agents may still offer its group.
 * V20 An erasure that was begun is finished, or stays `erasing` and is a finding.
 * V21 A tombstone is stronger than a live row; an erased row is stronger than a live slot. Neither counts as erased
 *     while a copy of the keys exists that is not there.
 * V22 A key that cannot be read is reported, once, never counted as an erasure.
 */
import type { GroupId } from '../protocol/ids.ts';
import { buryRows, type EraseOptions, finishErasures } from './erasing/erase.ts';
import { endOrphans, type Orphans } from './orphans.ts';
import { settleRevocations } from './revocations.ts';
import type { GroupRow, Store } from './store/types.ts';
import type { OwnDraft } from './types.ts';

export { finishErasures } from './erasing/erase.ts';

const PAGE = 1_000;

export type RecoverOptions = EraseOptions;

/** Something for a person to see; ids and counts only. */
export interface Finding {
  code: string;
  message: string;
  count: number;
  /** The groups it is about, where it is about any. */
  groups: GroupId[];
}

export interface Recovery {
  findings: Finding[];
  /** Events that are still to be appended to the own log. */
  drafts: OwnDraft[];
  /** Live slots that no row names (V19). */
  orphans: { group: GroupId; slot: number }[];
}

export type Step = 'nothing' | 'finish' | 'tombstone' | 'erase-again' | 'damaged';

/** What a row and its slot together ask for. Pure; the test walks the whole table. */
export function judge(row: Pick<GroupRow, 'kind' | 'state'>, slot: 'live' | 'erased' | null): Step {
  if (row.state === 'erasing') return 'finish';
  // Keys of one-off sessions have no slot: they live in memory and come again with the agent.
  if (row.kind === 'oneoff') return 'nothing';
  if (row.state === 'erased') return slot === 'live' ? 'erase-again' : 'nothing';
  if (slot === 'live') return 'nothing';
  return slot === 'erased' ? 'tombstone' : 'damaged';
}

/** Runs the rest of what a crash interrupted. Safe to repeat; every step may crash again. */
export async function recover(options: RecoverOptions): Promise<Recovery> {
  const { store, keyring } = options;
  const rows = await store.read.groups.list();
  const asked = (step: Step) => rows.filter((row) => judge(row, keyring.stateOf(row.group)) === step);
  const findings: Finding[] = keyring.findings.map((found) => ({ ...found, groups: [] }));
  const damaged = asked('damaged');
  const interrupted = asked('finish');
  const buried = asked('tombstone');
  if (keyring.complete) await buryRows(options, buried, 'tombstone');
  else await begin(options, buried);
  // A slot file put back from a backup: the key dies once more, the row has said so already.
  const again = asked('erase-again');
  if (again.length > 0) await keyring.erase(again);
  await finishErasures(options, interrupted);
  if (!keyring.complete) findings.push(...secondAbsent([...interrupted, ...buried, ...again]));
  if (damaged.length > 0) findings.push(unreadable(damaged));
  const revoked = await settleRevocations(options);
  if (revoked.agents.length + revoked.people.length > 0) findings.push(revokedAgain(revoked));
  const orphans = await endOrphans(options);
  findings.push(...orphanFindings(orphans));
  return { findings, drafts: await newlyDamaged(store, damaged), orphans: orphans.kept };
}

/** Rows whose key is erased in the one copy that is there: `erasing` until the other is back (V21). */
async function begin({ store, groups }: RecoverOptions, rows: readonly GroupRow[]): Promise<void> {
  if (rows.length === 0) return;
  const erasing = rows.map((row) => ({ ...row, state: 'erasing' as const, erasedBy: 'tombstone' }));
  await store.write(async (tx) => {
    await tx.groups.put(erasing);
    tx.afterCommit(() => groups.committed(erasing));
  });
}

/** Those that the own log does not name yet (V22): the finding stands at each start, the event once. */
async function newlyDamaged(store: Store, rows: readonly GroupRow[]): Promise<OwnDraft[]> {
  if (rows.length === 0) return [];
  const told = new Set<unknown>();
  for (let after = 0, more = true; more; ) {
    const leaves = await store.read.leaves({ types: ['keyring.damaged'], after, limit: PAGE });
    for (const { bytes } of leaves) told.add((JSON.parse(bytes) as { data: { group: unknown } }).data.group);
    after = leaves.at(-1)?.pos ?? after;
    more = leaves.length === PAGE;
  }
  return rows.filter(({ group }) => !told.has(group)).map(damagedDraft);
}

function damagedDraft({ group }: GroupRow): OwnDraft<'keyring.damaged'> {
  return { type: 'keyring.damaged', data: { group, reason: 'slot-unreadable' } };
}

function about(code: string, message: string, rows: readonly { group: GroupId }[]): Finding {
  return { code, message, count: rows.length, groups: rows.map((row) => row.group) };
}

function secondAbsent(rows: readonly GroupRow[]): Finding[] {
  const message = 'erasures wait for the second copy of the keys: put it back (--keys2) and restart';
  const waiting = rows.filter((row) => row.kind !== 'oneoff');
  return waiting.length === 0 ? [] : [about('erasure.second-absent', message, waiting)];
}

function revokedAgain({ agents, people }: Awaited<ReturnType<typeof settleRevocations>>): Finding {
  return {
    code: 'recovery.revoked',
    message: 'hosts or people were revoked after this database was copied: they stay revoked',
    count: agents.length + people.length,
    groups: [],
  };
}

function unreadable(rows: readonly GroupRow[]): Finding {
  return about('keyring.damaged', 'keys of live groups cannot be read: what they sealed stays closed', rows);
}

/** Also for the look that is taken while running. */
export function orphanFindings({ kept, ended, waiting }: Orphans): Finding[] {
  const named = (groups: readonly GroupId[]) => groups.map((group) => ({ group }));
  return [
    about('keyring.orphans', 'keys without a row are kept: agents may offer their groups back', kept),
    about('keyring.orphans-ended', 'keys without a row were erased: no agent can offer them', named(ended)),
    about(
      'erasure.second-absent',
      'keys without a row wait for the second copy of the keys: put it back (--keys2) and restart',
      named(waiting),
    ),
  ].filter(({ count }) => count > 0);
}
