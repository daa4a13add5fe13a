/** A house with sessions of one month, and a policy that wants days; free of the test runner, for children too. */
import { SLICE } from '../../collector/regroup/gather.ts';
import type { SessionRow } from '../../collector/store/types.ts';
import type {
  AgentId,
  CustomerId,
  GroupId,
  LogId,
  PersonId,
  SessionId,
  SiteId,
  SourceId,
} from '../../protocol/ids.ts';
import { spansOf } from '../../protocol/packs.ts';
import { policySchema } from '../../protocol/policy.ts';
import { toIso, type UtcMs, utcMs } from '../../protocol/time.ts';
import { agreementRow } from './erasing-scene.ts';
import { type House, NOW, newHex } from './rooms.ts';

/** More than one transaction moves. */
export const MANY = SLICE + 50;
export const DAYS = [20, 21] as const;

export const THIRTY = policySchema.parse({
  ...{ name: 'thirty-days', version: 1, author: 'office', zone: 'UTC' },
  rules: [{ class: 'session', trigger: 'event', keepAtMost: 'P30D', action: 'erase' }],
});

export const dayOf = (day: number): UtcMs => utcMs(Date.UTC(2026, 10, day, 9));

export interface Month {
  span: GroupId;
  sessions: SessionId[];
}

export async function fillMonth(house: House): Promise<Month> {
  const agreement = agreementRow();
  const wish = { agreement: agreement.agreement, class: 'session', kind: 'span', at: NOW } as const;
  const prepared = await house.groups.prepare([wish]);
  const span = prepared.groups[0]?.group as GroupId;
  const rows = DAYS.map((day) => sessionRow(agreement.agreement, dayOf(day)));
  await house.store.write(async (tx) => {
    await tx.agreements.put([agreement]);
    await prepared.commit(tx);
    await tx.putSessions(rows);
    for (const { session } of rows) {
      const data = { session, person: newHex<PersonId>(), reason: 'asked' as const };
      const drafts = Array.from({ length: MANY }, (_, i) => ({
        ...{ type: 'session.explained' as const, data, under: span },
        personal: { ticket: `SPECIMEN-${i}` },
      }));
      await house.own.append(tx, drafts);
    }
  });
  return { span, sessions: rows.map(({ session }) => session) };
}

export async function inForce({ store, groups }: House): Promise<void> {
  const record = { v: 1, pack: null, person: null, setAt: toIso(NOW), policy: THIRTY };
  await store.write((tx) => tx.setMeta('policy.record', JSON.stringify(record)));
  groups.useSpans(spansOf(THIRTY));
}

function sessionRow(agreement: SessionRow['agreement'], startedAt: UtcMs): SessionRow {
  return {
    ...{ session: newHex<SessionId>(), agent: newHex<AgentId>(), customer: newHex<CustomerId>() },
    ...{ site: newHex<SiteId>(), agreement, source: newHex<SourceId>(), tool: 'sshd', direction: 'incoming' },
    ...{ kind: 'shell', mode: 'managed', state: 'ended', startedAt, startBasis: 'file-utc', occurrence: 0 },
    ...{ endedAt: utcMs(startedAt + 1), endBasis: 'file-utc', endReason: 'completed', durationSeconds: 0 },
    ...{ auth: null, failedAttempts: null, files: null, confirmedBy: [], log: newHex<LogId>() },
    ...{ firstSeq: 1, lastSeq: 1, startedPos: 1, partPos: [], mergedInto: null, explainedPos: null },
    ...{ connection: null, connectionAt: null },
  };
}
