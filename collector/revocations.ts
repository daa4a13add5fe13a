/**
 * Revocations that outlive the database, as tombstones in `keys.slots`.
 *
 * V24 What was revoked outlives the database: its id lies in every copy as a tombstone before its row says so.
 * V31 A tombstone is stronger than the row of a host or a person: a database that was put back does not bring back who
 *     was revoked since.
 */
import type { AgentId, PersonId } from '../protocol/ids.ts';
import type { Clock } from '../protocol/time.ts';
import type { Keyring } from './keyring.ts';
import type { AgentRow, PersonRow, Store } from './store/types.ts';
import type { OwnDraft, OwnLog } from './types.ts';

export interface RevocationOptions {
  store: Store;
  keyring: Keyring;
  own: OwnLog;
  clock: Clock;
}

/** Brings rows and tombstones together, both ways. Safe to repeat. @returns whom it revoked */
export async function settleRevocations(
  options: RevocationOptions,
): Promise<{ agents: AgentId[]; people: PersonId[] }> {
  const { store, keyring } = options;
  const [agents, people] = [await store.read.agents.list(), await store.read.people.list()];
  // Revoked before there were tombstones for it.
  await keyring.bury([
    ...agents.filter(({ state }) => state === 'revoked').map(({ agent }) => agent),
    ...people.filter(({ state }) => state === 'revoked').map(({ person }) => person),
  ]);
  const back = agents.filter((row) => row.state !== 'revoked' && keyring.isBuried(row.agent));
  const again = people.filter((row) => row.state !== 'revoked' && keyring.isBuried(row.person));
  if (back.length + again.length > 0) await revoke(options, back, again);
  return { agents: back.map(({ agent }) => agent), people: again.map(({ person }) => person) };
}

async function revoke(
  { store, own, clock }: RevocationOptions,
  agents: readonly AgentRow[],
  people: readonly PersonRow[],
): Promise<void> {
  await store.write(async (tx) => {
    const revokedAt = clock.now();
    await tx.agents.put(agents.map((row) => ({ ...row, state: 'revoked' as const, revokedAt })));
    await tx.people.put(people.map((row) => ({ ...row, state: 'revoked' as const })));
    for (const { person } of people) {
      const signins = await tx.signins.list({ person });
      await tx.signins.put(signins.map((row) => ({ ...row, state: 'revoked' as const })));
    }
    const drafts: OwnDraft[] = [
      ...agents.map(
        ({ agent, token }): OwnDraft => ({
          type: 'agent.revoked',
          data: { agent, token, person: null, reason: 'tombstone' },
        }),
      ),
      ...people.map(
        ({ person }): OwnDraft => ({
          type: 'person.revoked',
          data: { person, by: null, reason: 'tombstone' },
        }),
      ),
    ];
    await own.append(tx, drafts);
  });
}
