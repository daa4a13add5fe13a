/**
 * The pure part of the projection of self-audits: that a run took place, and who signed it.
 *
 * V80 A run is its host's: an agent's leaf makes a row of its own host and changes none that is there; what is told twice is
 *     what was told first.
 * V81 A person signs a run once. Only the collector says who did.
 */
import type { Id } from '../protocol/ids.ts';
import { fromIso } from '../protocol/time.ts';
import type { Fact, FactOf } from './projections-facts.ts';
import type { AuditHostRow, AuditRow, AuditSignatureRow } from './store/types.ts';

type AuditFact = FactOf<'audit.run' | 'audit.signed'>;

/** Runs and signatures that a batch touches. */
export interface AuditState {
  runs: Map<string, AuditRow>;
  signatures: Map<string, AuditSignatureRow>;
  /** Newest of each host that the batch speaks of. */
  hosts: Map<string, AuditHostRow>;
  newRuns: Set<string>;
  newSignatures: Set<string>;
}

export function newAuditState(): AuditState {
  return {
    runs: new Map(),
    signatures: new Map(),
    hosts: new Map(),
    newRuns: new Set(),
    newSignatures: new Set(),
  };
}

export function isAudit(fact: Fact): fact is AuditFact {
  return fact.type === 'audit.run' || fact.type === 'audit.signed';
}

/** Keys of the rows that `reduceAudit` will look at. */
export function touchedAudits(facts: readonly Fact[]): { runs: string[]; signatures: string[] } {
  const touched = facts.filter(isAudit);
  const signatures = touched.flatMap((fact) => (fact.type === 'audit.signed' ? signatureOf(fact.data) : []));
  return { runs: [...new Set(touched.map(({ data }) => data.run))], signatures: [...new Set(signatures)] };
}

export function signatureOf({ run, person }: { run: string; person: string }): string {
  return `${run} ${person}`;
}

export function reduceAudit(state: AuditState, fact: AuditFact): void {
  if (fact.type === 'audit.run') ran(state, fact);
  else signed(state, fact);
}

/** V80 */
function ran({ runs, hosts, newRuns }: AuditState, { owner, data, pos }: FactOf<'audit.run'>): void {
  if (owner === null || runs.has(data.run)) return;
  const { trigger, everySeconds, findings } = data;
  const [startedAt, endedAt] = [fromIso(data.startedAt), fromIso(data.endedAt)];
  if (startedAt === null || endedAt === null) return;
  const run = data.run as Id<'run'>;
  runs.set(run, { ...owner, run, trigger, startedAt, endedAt, everySeconds, findings, pos });
  newRuns.add(run);
  hosts.set(owner.agent, { agent: owner.agent, pos, everySeconds });
}

/** V81 */
function signed(state: AuditState, { owner, data, at, pos }: FactOf<'audit.signed'>): void {
  const signature = signatureOf(data);
  if (owner !== null || state.signatures.has(signature)) return;
  const [run, person] = [data.run as Id<'run'>, data.person as AuditSignatureRow['person']];
  state.signatures.set(signature, { signature, run, person, at, pos });
  state.newSignatures.add(signature);
}
