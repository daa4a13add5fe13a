/** The end of an agreement as people type it: `agreement show`, and `--wait`. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { setPack } from '../../collector/policy.ts';
import type { AgreementRow } from '../../collector/store/types.ts';
import type { AgreementId, PersonId } from '../../protocol/ids.ts';
import { newId } from '../../protocol/ids.ts';
import { type Clock, DAY_MS, HOUR_MS, systemClock, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, START, type TestHost } from '../collector/api-world.ts';
import { CliWorld } from './cli-world.ts';

let world: ApiWorld;
let cli: CliWorld;
let host: TestHost;
let agreement: AgreementId;

beforeAll(async () => {
  world = await ApiWorld.make();
  cli = new CliWorld();
  cli.use(world, await world.person('admin'));
  const [admin] = await world.ctx.store.read.people.list();
  const person = admin?.person as PersonId;
  await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'dk-msp', person }));
});
afterAll(async () => {
  cli.close();
  await world.close();
});
let n = 0;
beforeEach(async () => {
  n += 1;
  host = await world.host({ customer: `Customer ${n}`, name: `srv-${n}` });
  await host.session({ startedAt: utcMs(START + 1_000) });
  agreement = host.row.agreement;
});

/** A clock of the command line that does not wait: each pause is over at once, and time has passed. */
function quick(): Clock {
  let passed = 0;
  return {
    ...systemClock,
    mono: () => passed,
    after: (ms, fn) => {
      const one = setImmediate(() => {
        passed += ms;
        fn();
      });
      return () => clearImmediate(one);
    },
  };
}
const run = (line: string) => cli.run(line.split(' '), { clock: quick() });

async function change(more: Partial<AgreementRow>): Promise<void> {
  await world.ctx.store.write(async (tx) => {
    const row = await tx.agreements.get(agreement);
    if (row !== null) await tx.agreements.put([{ ...row, ...more }]);
  });
}
async function groups(state: 'live' | 'erasing' | 'erased'): Promise<void> {
  await world.ctx.store.write(async (tx) => {
    const rows = await tx.groups.list({ agreement });
    const erasedAt = state === 'erased' ? utcMs(START + 2 * DAY_MS) : null;
    await tx.groups.put(rows.map((row) => ({ ...row, state, erasedAt })));
  });
}
/** What a host was ordered, and what it said. */
async function told(verb: string, ok: boolean | null): Promise<void> {
  const { ctx } = world;
  const rows = await ctx.store.read.commands.list({ agent: host.row.agent });
  const effectiveAt = (await ctx.store.read.agreements.get(agreement))?.endsAt;
  await ctx.store.write((tx) =>
    tx.commands.put([
      {
        command: newId<'command'>(randomBytes),
        ...{ agent: host.row.agent, generation: ctx.generation(), n: rows.length + 1, verb },
        ...{ body: { agreement, effectiveAt }, sig: '', createdBy: null, createdAt: ctx.clock.now() },
        ...{ resultAt: ok === null ? null : ctx.clock.now(), ok, result: null },
      },
    ]),
  );
}
const ending = () => change({ endsAt: utcMs(START), coolingUntil: utcMs(START + 72 * HOUR_MS) });

it('shows an open one with its hosts, and nothing that was erased', async () => {
  const { code, json } = await run(`agreement show ${agreement} -o json`);
  expect(code).toBe(0);
  expect(json()).toMatchObject({
    id: agreement,
    customer: `Customer ${n}`,
    state: 'open',
    hosts: [{ host: `srv-${n}`, hostId: host.row.agent, state: 'collecting' }],
    groups: { erasing: 0, erased: 0 },
    erasures: [],
    moreErasures: 0,
  });
  expect(json().groups.live).toBeGreaterThan(0);
});

it('V41 shows how far each host is, who is waited for and since when it was not seen, and the certificates', async () => {
  await ending();
  await groups('erased');
  await change({ state: 'ended' });
  const table = await run(`agreement show ${agreement}`);
  expect(table.out).toMatch(/state +erasing/);
  expect(table.out).toMatch(new RegExp(`waiting for +srv-${n}\\n`));
  expect(table.out).toMatch(new RegExp(`srv-${n} +pending +2026-11-22 12:00:00`));
  const item = (await run(`agreement show ${agreement} -o json`)).json();
  expect(item.erasures.length).toBe(item.groups.erased);
  for (const { id } of item.erasures) {
    expect(table.out).toContain(id);
    expect((await run(`erasure show ${id} -o json`)).json()).toMatchObject({ id, agreement });
  }
  const csv = (await run(`agreement show ${agreement} -o csv`)).out.split('\r\n');
  expect(csv[0]).toContain('hosts.lastSeenAt');
  expect(csv[0]).toContain('erasures.id');
  expect(csv[1]).toContain(item.erasures[0].id);
});

it('Q1 each look by name is recorded; who waits looks by ids, and names once', async () => {
  await ending();
  const readings = async () =>
    (await world.own('reading')).filter(({ data }) => data.verb === 'agreement.show').length;
  const before = await readings();
  await run(`agreement show ${agreement}`);
  expect(await readings()).toBe(before + 1);
  await run(`agreement show ${agreement} --wait --timeout 5m`);
  expect(await readings()).toBe(before + 3);
});

it('H6 0 where all are done; the answer is printed once', async () => {
  await ending();
  await change({ state: 'ended', endedAt: utcMs(START + 4 * DAY_MS) });
  const { code, json } = await run(`agreement show ${agreement} --wait --timeout 1s -o json`);
  expect([code, json().state]).toEqual([0, 'ended']);
});

it('H6 10 where hosts owe what they could have done, each named with when it was last seen', async () => {
  await ending();
  const untold = await run(`agreement show ${agreement} --wait --timeout 1m -o json`);
  expect([untold.code, untold.json().state]).toEqual([10, 'ending']);
  const { code, message } = JSON.parse(untold.err).error;
  expect(code).toBe('agreement.pending');
  expect(message).toContain(`srv-${n} (pending, last seen 2026-11-22 12:00:00`);
  await told('agreement.end', true);
  await groups('erased');
  await change({ state: 'ended' });
  expect((await run(`agreement show ${agreement} --wait --timeout 1m`)).code).toBe(10);
  await told('agreement.erase', false);
  const failed = await run(`agreement show ${agreement} --wait --timeout 1m`);
  expect([failed.code, failed.err]).toEqual([10, expect.stringContaining(`srv-${n} (failed`)]);
});

it('H6 124 where the 72 hours run, or the collector is not done; 7 where no end is ordered; 3 where there is none', async () => {
  expect((await run(`agreement show ${agreement} --wait`)).code).toBe(7);
  await ending();
  await told('agreement.end', true);
  const early = await run(`agreement show ${agreement} --wait`);
  expect([early.code, early.err]).toEqual([
    124,
    expect.stringContaining(`erasing begins at ${toIso(utcMs(START + 72 * HOUR_MS))}`),
  ]);
  await change({ state: 'ended' });
  await groups('erasing');
  expect((await run(`agreement show ${agreement} --wait --timeout 1m`)).code).toBe(124);
  expect((await run(`agreement show ${'0'.repeat(32)} --wait`)).code).toBe(3);
});

it('H6 `agreement end --wait` orders first, prints what it ordered, and then waits', async () => {
  const line = `agreement end ${agreement} --reason left --yes --wait --timeout 2m -o json`;
  const { code, json, err } = await run(line);
  expect([code, json().state, JSON.parse(err).error.code]).toEqual([10, 'ending', 'agreement.pending']);
  const dry = await run(`agreement end ${agreement} --dry-run --wait -o json`);
  expect(dry.code).toBe(7);
});
