import { describe, expect, it } from 'vitest';
import { createAgreement, listAgreements } from '../../collector/agreements.ts';
import { cidrHolds, plainAddress, readCidr } from '../../collector/cidr.ts';
import { customerNames, findOrCreateCustomerSite, siteNames } from '../../collector/customers.ts';
import { createToken, identityHash, listTokens, revokeToken, secretHash } from '../../collector/tokens.ts';
import { readToken } from '../../protocol/enrolment.ts';
import type { AgreementId } from '../../protocol/ids.ts';
import { DAY_MS } from '../../protocol/time.ts';
import { ownEvents, startWorld, type World } from './running.ts';

const create = (world: World, change: object = {}) =>
  createToken(world.handle.ctx, { customer: 'Acme', site: 'Albertslund', person: null, ...change });

describe('enrolment tokens', () => {
  it('carry URL, identity, trust and ids; of the secret only a hash is kept', async () => {
    const world = await startWorld();
    const { ctx } = world.handle;
    const made = await create(world);
    const token = readToken(made.text);
    expect(token).toMatchObject({ url: ctx.url, identity: identityHash(ctx), token: made.row.token });
    expect(token.trust).toMatchObject({ pin: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/) });
    const [row] = await listTokens(ctx, null);
    expect(row).toMatchObject({ secretHash: secretHash(token.secret), uses: 1, used: 0, state: 'open' });
    expect(JSON.stringify(row)).not.toContain(token.secret);
    expect((row?.expiresAt ?? 0) - (row?.createdAt ?? 0)).toBe(30 * 60_000);
  });

  it('A1: without an agreement the customer’s default one is made on first use, and said so', async () => {
    const world = await startWorld();
    const { ctx } = world.handle;
    const [first, second, oneOff] = [
      await create(world),
      await create(world),
      await create(world, { mode: 'one-off' }),
    ];
    expect([first.agreementMade, second.agreementMade, oneOff.agreementMade]).toEqual([true, false, true]);
    expect(second.row.agreement).toBe(first.row.agreement);
    expect((await listAgreements(ctx, null)).map(({ mode, isDefault }) => [mode, isDefault])).toEqual([
      ['managed', true],
      ['one-off', true],
    ]);
    expect((await ownEvents(world, 'agreement.created')).length).toBe(2);
  });

  it('C2: the name of a customer is not said again after its erasure', async () => {
    const world = await startWorld();
    const { ctx } = world.handle;
    await create(world);
    expect([...(await customerNames(ctx)).values()]).toEqual(['Acme']);
    expect([...(await siteNames(ctx)).values()]).toEqual(['Albertslund']);
    const rows = await ctx.store.read.groups.list({ class: 'customer.name' });
    ctx.groups.committed(rows.map((row) => ({ ...row, state: 'erased' as const })));
    expect((await customerNames(ctx)).size + (await siteNames(ctx)).size).toBe(0);
  });

  it('an agreement that is asked for must be the customer’s, open, and of that mode', async () => {
    const world = await startWorld();
    const { ctx } = world.handle;
    const { customer } = await findOrCreateCustomerSite(ctx, 'Acme', 'Albertslund');
    const row = await createAgreement(ctx, { customer: customer.customer, mode: 'one-off', person: null });
    const { agreement } = row;
    expect((await create(world, { agreement })).row).toMatchObject({ agreement, mode: 'one-off' });
    await expect(create(world, { agreement, mode: 'managed' })).rejects.toMatchObject({ code: 'token.mode' });
    await expect(create(world, { agreement, customer: 'Other' })).rejects.toMatchObject({
      code: 'agreement.unknown',
    });
    await ctx.store.write((tx) => tx.agreements.put([{ ...row, state: 'ended' }]));
    await expect(create(world, { agreement })).rejects.toMatchObject({ code: 'agreement.ended' });
    const unknown = { customer: 'a'.repeat(32) as never, mode: 'managed' as const, person: null };
    await expect(createAgreement(ctx, unknown)).rejects.toMatchObject({ code: 'customer.unknown' });
  });

  it('limits: life, uses, range', async () => {
    const world = await startWorld();
    for (const ttlMs of [0, -1, 91 * DAY_MS, 1.5]) {
      await expect(create(world, { ttlMs })).rejects.toMatchObject({ code: 'token.ttl', exit: 'usage' });
    }
    for (const uses of [0, 10_001, 1.5]) {
      await expect(create(world, { uses })).rejects.toMatchObject({ code: 'token.uses' });
    }
    await expect(create(world, { cidr: 'x/8' })).rejects.toMatchObject({ code: 'cidr.malformed' });
  });

  it('revoking twice is one event; revoking what is not there is said', async () => {
    const world = await startWorld();
    const { ctx } = world.handle;
    const { row } = await create(world);
    await revokeToken(ctx, row.token, null);
    expect((await revokeToken(ctx, row.token, null)).state).toBe('revoked');
    expect((await ownEvents(world, 'token.revoked')).length).toBe(1);
    await expect(revokeToken(ctx, 'a'.repeat(32) as never, null)).rejects.toMatchObject({
      code: 'token.unknown',
      exit: 'notFound',
    });
  });

  it('are bound to customers where they are listed', async () => {
    const world = await startWorld();
    const { ctx } = world.handle;
    const acme = (await create(world)).row;
    await create(world, { customer: 'Other' });
    expect((await listTokens(ctx, [acme.customer])).map(({ token }) => token)).toEqual([acme.token]);
    expect((await listAgreements(ctx, [acme.customer])).map(({ agreement }) => agreement)).toEqual([
      acme.agreement as AgreementId,
    ]);
  });
});

describe('customers and sites', () => {
  it('C1: one name, one customer, also when asked for at once, in other case and spacing', async () => {
    const world = await startWorld();
    const { ctx } = world.handle;
    const names = ['Acme', 'acme', ' Acme ', 'ACME'];
    const found = await Promise.all(names.map((name) => findOrCreateCustomerSite(ctx, name, 'HQ')));
    expect(new Set(found.map(({ site }) => site.site)).size).toBe(1);
    expect(found.map(({ made }) => made.customer)).toEqual([true, false, false, false]);
    const other = await findOrCreateCustomerSite(ctx, 'Other', 'HQ');
    expect(other.site.site).not.toBe(found[0]?.site.site);
    expect((await findOrCreateCustomerSite(ctx, other.customer.customer, 'HQ')).customer).toEqual(
      other.customer,
    );
    await expect(findOrCreateCustomerSite(ctx, ' ', 'HQ')).rejects.toMatchObject({ code: 'name.malformed' });
  });

  it('names are opened when needed and stand in no row and no leaf', async () => {
    const world = await startWorld();
    await findOrCreateCustomerSite(world.handle.ctx, 'Sønderby Kommune', 'Rådhuset');
    await world.restart();
    const { ctx } = world.handle;
    expect([...(await customerNames(ctx)).values()]).toEqual(['Sønderby Kommune']);
    expect([...(await siteNames(ctx)).values()]).toEqual(['Rådhuset']);
    const leaves = await ctx.store.read.leaves({ limit: 1000 });
    const rows = [...(await ctx.store.read.customers.list()), ...(await ctx.store.read.sites.list())];
    expect(JSON.stringify([leaves.map(({ bytes }) => bytes), rows])).not.toMatch(/Sønderby|Rådhuset/);
  });
});

describe('address ranges', () => {
  it.each([
    ['192.0.2.0/24', '192.0.2.77', true],
    ['192.0.2.0/24', '192.0.3.1', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['2001:db8::/32', '2001:db8:1::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['nothing', '10.0.0.1', false],
    ['10.0.0.0/8', 'nothing', false],
  ])('%s holds %s: %s', (cidr, address, holds) => {
    expect(cidrHolds(cidr, address)).toBe(holds);
  });

  it('reads a range in one form and refuses what is none', () => {
    expect(readCidr(' 192.0.2.1 ')).toBe('192.0.2.1/32');
    for (const text of ['', '1.2.3.4/33', '::/129', '1.2.3.4/8/8', '1.2.3.4/-1', 'host/8']) {
      expect(() => readCidr(text), text).toThrowError(/range/);
    }
    expect(plainAddress('::FFFF:10.0.0.1')).toBe('10.0.0.1');
  });
});
