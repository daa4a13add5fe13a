/**
 * Customers and sites. A row holds an id; the name lies in the sealed part of a `customer.named` event and is
 * opened when it is needed.
 *
 * C1  A name is looked up before it is made: one name, one customer; inside a customer, one name, one site.
 * C2  An opened name is not kept: what was erased is not said again.
 */
import { TilsynError } from '../protocol/errors.ts';
import type { EventData } from '../protocol/event.ts';
import { type CustomerId, isId, newId, type SiteId } from '../protocol/ids.ts';
import type { CustomerRow, Pos, SiteRow, Tx } from './store/types.ts';
import { turnsOf } from './turns.ts';
import type { Context } from './types.ts';

const MAX_NAME = 256;

/** A name as people write it: trimmed, inner white space once. */
function tidy(name: string, what: string): string {
  const text = name.normalize('NFC').replace(/\s+/gu, ' ').trim();
  const printable = !/\p{Cc}/u.test(text);
  if (text.length > 0 && text.length <= MAX_NAME && printable) return text.toWellFormed();
  throw new TilsynError('name.malformed', `reading the name of a ${what}: it is empty or too long`, {
    hint: `Use 1 to ${MAX_NAME} printable characters.`,
    exit: 'usage',
  });
}

function same(a: string, b: string): boolean {
  return a.toLocaleLowerCase('en') === b.toLocaleLowerCase('en');
}

async function namesAt(ctx: Context, positions: readonly (Pos | null)[]): Promise<Map<Pos, string>> {
  const names = new Map<Pos, string>();
  const wanted = positions.filter((pos) => pos !== null);
  if (wanted.length === 0) return names;
  for (const [pos, personal] of await ctx.opener.open(ctx.store.read, wanted)) {
    if (typeof personal.name === 'string') names.set(pos, personal.name);
  }
  return names;
}

function byId<I extends string>(rows: readonly { id: I; namePos: Pos | null }[], names: Map<Pos, string>) {
  const found = new Map<I, string>();
  for (const { id, namePos } of rows) {
    const name = namePos === null ? undefined : names.get(namePos);
    if (name !== undefined) found.set(id, name);
  }
  return found;
}

/** Opened names by id; customers whose name was erased are left out. */
export async function customerNames(ctx: Context): Promise<Map<CustomerId, string>> {
  const rows = await ctx.store.read.customers.list();
  const names = await namesAt(
    ctx,
    rows.map((row) => row.namePos),
  );
  return byId(
    rows.map(({ customer, namePos }) => ({ id: customer, namePos })),
    names,
  );
}

/** Opened names of sites by id. */
export async function siteNames(ctx: Context): Promise<Map<SiteId, string>> {
  const rows = await ctx.store.read.sites.list();
  const names = await namesAt(
    ctx,
    rows.map((row) => row.namePos),
  );
  return byId(
    rows.map(({ site, namePos }) => ({ id: site, namePos })),
    names,
  );
}

/** A customer by name or id; null where there is none. */
export async function findCustomer(ctx: Context, nameOrId: string): Promise<CustomerRow | null> {
  if (isId(nameOrId)) {
    const row = await ctx.store.read.customers.get(nameOrId);
    if (row !== null) return row;
  }
  const wanted = tidy(nameOrId, 'customer');
  for (const [id, name] of await customerNames(ctx)) {
    if (same(name, wanted)) return await ctx.store.read.customers.get(id);
  }
  return null;
}

async function findSite(ctx: Context, customer: CustomerId, nameOrId: string): Promise<SiteRow | null> {
  const rows = await ctx.store.read.sites.list({ customer });
  const names = await siteNames(ctx);
  const wanted = tidy(nameOrId, 'site');
  return (
    rows.find((row) => row.site === nameOrId) ??
    rows.find((row) => same(names.get(row.site) ?? '', wanted)) ??
    null
  );
}

export interface CustomerSite {
  customer: CustomerRow;
  site: SiteRow;
  /** What was made now. */
  made: { customer: boolean; site: boolean };
}

/** Finds a customer and one of its sites by name (or id), or makes what is missing, with its event. */
export async function findOrCreateCustomerSite(
  ctx: Context,
  customerName: string,
  siteName: string,
): Promise<CustomerSite> {
  const names = { customer: tidy(customerName, 'customer'), site: tidy(siteName, 'site') };
  // One at a time: two requests with one new name must not make two customers (C1).
  return await turnsOf(ctx, 'customers').run(async () => {
    const customer = await findCustomer(ctx, customerName);
    const site = customer === null ? null : await findSite(ctx, customer.customer, siteName);
    if (customer !== null && site !== null) {
      return { customer, site, made: { customer: false, site: false } };
    }
    const made = await ctx.store.write((tx) => make(ctx, tx, customer, names));
    ctx.notify(await ctx.store.read.lastPos());
    return { ...made, made: { customer: customer === null, site: true } };
  });
}

/** Finds a customer by name or id, or makes it, with its event. */
export async function findOrCreateCustomer(ctx: Context, customerName: string): Promise<CustomerRow> {
  const name = tidy(customerName, 'customer');
  return await turnsOf(ctx, 'customers').run(async () => {
    const known = await findCustomer(ctx, customerName);
    if (known !== null) return known;
    const made = await ctx.store.write((tx) => makeCustomer(ctx, tx, name));
    ctx.notify(await ctx.store.read.lastPos());
    return made;
  });
}

async function make(
  ctx: Context,
  tx: Tx,
  known: CustomerRow | null,
  names: { customer: string; site: string },
): Promise<{ customer: CustomerRow; site: SiteRow }> {
  const customer = known ?? (await makeCustomer(ctx, tx, names.customer));
  const id = newId<'site'>(ctx.random);
  const namePos = await saidName(ctx, tx, { customer: customer.customer, site: id }, names.site);
  const site: SiteRow = { site: id, customer: customer.customer, namePos, createdAt: ctx.clock.now() };
  await tx.sites.put([site]);
  return { customer, site };
}

async function makeCustomer(ctx: Context, tx: Tx, name: string): Promise<CustomerRow> {
  const customer = newId<'customer'>(ctx.random);
  const namePos = await saidName(ctx, tx, { customer, site: null }, name);
  const row: CustomerRow = { customer, namePos, createdAt: ctx.clock.now() };
  await tx.customers.put([row]);
  return row;
}

/** The name goes into a sealed part; the row keeps the position of its leaf. */
async function saidName(
  ctx: Context,
  tx: Tx,
  data: EventData<'customer.named'>,
  name: string,
): Promise<number | null> {
  const [pos] = await ctx.own.append(tx, [{ type: 'customer.named', data, personal: { name } }]);
  return pos ?? null;
}
