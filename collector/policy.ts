/**
 * The retention policy in force: one record, whole, with who set it and when. It changes by being set, never because
 * the program became a newer one.
 *
 * V50 What was in force is told by the own log: each policy that is set is an event in the transaction that sets it.
 * V64 A version of a policy says one thing for ever: what was once set under a name and a number is kept, and another
 *     text is not set under the same two. So what an erasure names can be looked up.
 * V51 A record that cannot be read stops the collector: nothing is erased, or kept, by a policy that was guessed.
 */
import { z } from 'zod';
import { canonical } from '../protocol/canonical.ts';
import { TilsynError } from '../protocol/errors.ts';
import type { Id, PersonId } from '../protocol/ids.ts';
import type { OpenPromise } from '../protocol/pack.ts';
import { PACKS, packOf, spansOf } from '../protocol/packs.ts';
import { type Policy, policySchema } from '../protocol/policy.ts';
import { type Finding, findingsOf } from '../protocol/policy-lint.ts';
import { policyDigest, takenName } from '../protocol/policy-own.ts';
import { fromIso, toIso, type UtcMs } from '../protocol/time.ts';
import type { Reader, Tx } from './store/types.ts';
import type { Context } from './types.ts';

/** Meta row of the record; `policy` beside it holds the name that `collector init` was given. */
const META_RECORD = 'policy.record';
const META_CHOSEN = 'policy';

const stored = z.object({
  v: z.literal(1),
  /** Pack that it was set from; null: a file. */
  pack: z.string().nullable(),
  person: z.string().nullable(),
  setAt: z.string(),
  policy: policySchema,
});

export interface PolicyRecord {
  policy: Policy;
  pack: string | null;
  /** Who set it; null: `collector init`. */
  person: PersonId | null;
  /** Null: by a version that kept the name only. */
  setAt: UtcMs | null;
}

/** @throws TilsynError `policy.unreadable` (V51), `policy.unknown` */
export async function policyInForce(reader: Reader): Promise<PolicyRecord> {
  const text = await reader.meta(META_RECORD);
  if (text !== null) return readRecord(text);
  // Made by a version without records, or not by `collector init` at all: then nobody chose one.
  const pack = (await reader.meta(META_CHOSEN)) ?? 'none';
  return { policy: packOf(pack).policy, pack, person: null, setAt: null };
}

function readRecord(text: string): PolicyRecord {
  const parsed = stored.safeParse(asJson(text));
  const setAt = parsed.success ? fromIso(parsed.data.setAt) : null;
  if (parsed.success && setAt !== null) {
    const { policy, pack, person } = parsed.data;
    return { policy, pack, person: person as PersonId | null, setAt };
  }
  throw new TilsynError(
    'policy.unreadable',
    'reading the retention policy in force: its record is not as it must be',
    {
      hint: 'A newer version may have written it: use that one, or restore the collector from a backup.',
      exit: 'integrity',
    },
  );
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export interface By {
  /** Null: `collector init`. */
  person: PersonId | null;
  reason?: string | null;
  approval?: Id<'approval'>;
}
export type Setting = By & { pack: string };
/** `groups` absent: `collector init`, which makes none after it. */
type Around = Pick<Context, 'own' | 'clock'> & Partial<Pick<Context, 'groups'>>;

/** Sets a pack, inside the caller's transaction. @throws TilsynError `policy.unknown` */
export async function setPack(around: Around, tx: Tx, { pack, ...by }: Setting): Promise<void> {
  await put(around, tx, packOf(pack).policy, pack, by);
}

/** Sets a policy of one's own, inside the caller's transaction. @throws TilsynError `policy.name`, `policy.version-used` */
export async function setOwn(around: Around, tx: Tx, policy: Policy, by: By): Promise<void> {
  await refuseUnlike(tx, policy);
  await put(around, tx, policy, null, by);
}

/** What would be refused of a policy of one's own, whoever approves it (V64). @throws TilsynError */
export async function refuseUnlike(reader: Reader, policy: Policy): Promise<void> {
  const taken = takenName(policy);
  if (taken !== null) {
    throw new TilsynError('policy.name', `setting a policy of your own: its name is ${taken}`, {
      hint: 'Change `name` in the file; `tilsyn retention lint FILE` says what else there is.',
      exit: 'usage',
    });
  }
  const said = await reader.meta(versionKey(policy));
  if (said === null || said === canonical(policy)) return;
  throw new TilsynError(
    'policy.version-used',
    `setting a policy of your own: version ${policy.version} of it was set before, with another text`,
    {
      hint: 'Raise `version` in the file: what was erased names the version that it was erased by.',
      exit: 'conflict',
    },
  );
}

function versionKey({ name, version }: Policy): string {
  return `policy.said.${name}.${version}`;
}

/** A crash before the caller's commit leaves what was in force; after it all of it: record, version and event. */
async function put(
  { own, clock, groups }: Around,
  tx: Tx,
  policy: Policy,
  pack: string | null,
  { person, reason = null, approval }: By,
): Promise<void> {
  const record: z.input<typeof stored> = { v: 1, pack, person, setAt: toIso(clock.now()), policy };
  await tx.setMeta(META_RECORD, JSON.stringify(record));
  await tx.setMeta(versionKey(policy), canonical(policy));
  const { name, version } = policy;
  const given = approval === undefined ? {} : { approval };
  const data = { policy: name, version, person, rules: policyDigest(policy), ...given };
  await own.append(tx, [{ type: 'policy.set', data, personal: reason === null ? null : { reason } }]);
  tx.afterCommit(() => groups?.useSpans(spansOf(policy)));
}

/** What the policy in force leaves open. */
export function findingsInForce({ policy, pack }: PolicyRecord): Finding[] {
  const shipped = pack !== null && Object.hasOwn(PACKS, pack) ? PACKS[pack] : undefined;
  const notYet: readonly OpenPromise[] = shipped?.notYet ?? [];
  const findings = findingsOf(policy, notYet);
  if (shipped === undefined || shipped.policy.version <= policy.version) return findings;
  const text = `version ${policy.version} of ${pack} is in force; this program ships ${shipped.policy.version}`;
  return [...findings, { finding: 'pack-newer', class: null, mode: null, rule: null, text }];
}
