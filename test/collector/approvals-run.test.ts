import { expect, it } from 'vitest';
import { ask } from '../../collector/approvals.ts';
import { addPerson } from '../../collector/people.ts';
import type { PersonId } from '../../protocol/ids.ts';
import { HOUR_MS, MINUTE_MS } from '../../protocol/time.ts';
import { ownTypes, startWorld, until } from './running.ts';

it('R4, R7 what was asked for alone outlives a restart, and a running collector does it by itself, once', async () => {
  const world = await startWorld();
  const ctx = () => world.handle.ctx;
  const [admin] = await ctx().store.read.people.list();
  const person = admin?.person as PersonId;
  const { person: gone } = await addPerson(ctx(), { role: 'dpo', customers: null, createdBy: person });
  const body = { person: gone.person };
  const wanted = { verb: 'person.revoke', body, person, reason: 'left', alone: true } as const;
  await ctx().store.write((tx) => ask(ctx(), tx, wanted));
  world.clock.advance(71 * HOUR_MS);
  await world.restart();
  world.clock.advance(HOUR_MS + 11 * MINUTE_MS);
  await until(async () => (await ctx().store.read.people.get(gone.person))?.state === 'revoked');
  await world.restart();
  const types = (await ownTypes(world)).filter((type) => /^(approval|person)\./.test(type));
  expect(types).toEqual([
    'person.added',
    'person.added',
    'approval.asked',
    'approval.alone',
    'approval.given',
    'person.revoked',
  ]);
});
