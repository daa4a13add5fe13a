/**
 * The retention policy in force: one record, whole, with who set it and when. It changes by being set, never because
 * the program became a newer one.
 *
 * V50 What was in force is told by the own log: each policy that is set is an event in the transaction that sets it.
 * V51 A record that cannot be read stops the collector: nothing is erased, or kept, by a policy that was guessed.
 */
import { z } from 'zod';
import { TilsynError } from '../protocol/errors.ts';
import type { Id, PersonId } from '../protocol/ids.ts';
import type { OpenPromise } from '../protocol/pack.ts';
import { PACKS, packOf } from '../protocol/packs.ts';
import { type Policy, policySchema } from '../protocol/policy.ts';
import { type Finding, findingsOf } from '../protocol/policy-lint.ts';
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

export interface Setting {
  pack: string;
  /** Null: `collector init`. */
  person: PersonId | null;
  reason?: string | null;
  approval?: Id<'approval'>;
}

/** Sets a pack, inside the caller's transaction. @throws TilsynError `policy.unknown` */
export async function setPack(
  { own, clock }: Pick<Context, 'own' | 'clock'>,
  tx: Tx,
  { pack, person, reason = null, approval }: Setting,
): Promise<void> {
  const { policy } = packOf(pack);
  const record: z.input<typeof stored> = { v: 1, pack, person, setAt: toIso(clock.now()), policy };
  await tx.setMeta(META_RECORD, JSON.stringify(record));
  const { name, version } = policy;
  const data = { policy: name, version, person, ...(approval === undefined ? {} : { approval }) };
  await own.append(tx, [{ type: 'policy.set', data, personal: reason === null ? null : { reason } }]);
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
