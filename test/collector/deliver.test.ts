import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { BACKOFF_MAX_MS, backoff } from '../../collector/deliver/courier.ts';
import { Deliverer } from '../../collector/deliver/deliverer.ts';
import { checkTarget, lookupLoopback } from '../../collector/deliver/target.ts';
import { addWebhook } from '../../collector/deliver/webhooks.ts';
import type { WebhookId, WebhookRow } from '../../collector/store/types.ts';
import type { Context, OwnDraft } from '../../collector/types.ts';
import type { CustomerId, PersonId } from '../../protocol/ids.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, toIso } from '../../protocol/time.ts';
import { makeCa } from '../support/certificates.ts';
import { alertId, told } from './alert-events.ts';
import { ApiWorld, type TestHost } from './api-world.ts';
import { Receiver } from './receiver.ts';
import { startWorld, until } from './running.ts';

const PERSON = '9'.repeat(32) as PersonId;
let world: ApiWorld;
let host: TestHost;
let ca: Awaited<ReturnType<typeof makeCa>>;
beforeAll(async () => {
  ca = await makeCa();
});

async function receiver(tls = false): Promise<Receiver> {
  const made = new Receiver(tls ? await ca.server({ ip: ['127.0.0.1'] }) : undefined);
  await made.open();
  onTestFinished(() => made.close());
  return made;
}

async function hook(
  to: Receiver,
  customer: CustomerId | null = null,
  ctx: Context = world.ctx,
): Promise<WebhookId> {
  const wanted = { url: to.url, customer, secret: null, ca: ca.ca, person: PERSON };
  const { row, file } = await addWebhook(ctx, wanted);
  to.secret = file.secret;
  return row.webhook;
}

async function deliverer(): Promise<Deliverer> {
  const made = new Deliverer(world.ctx);
  await made.start();
  onTestFinished(() => made.close());
  return made;
}

const rowOf = async (id: WebhookId) => (await world.ctx.store.read.webhooks.get(id)) as WebhookRow;

/** Wakes after a commit, and waits until nothing runs. */
async function settle(one: Deliverer): Promise<void> {
  world.clock.advance(SECOND_MS);
  await one.pass();
  await one.idle();
}

/** Longer than any wait between attempts. */
async function later(one: Deliverer): Promise<void> {
  world.clock.advance(BACKOFF_MAX_MS);
  await one.pass();
  await one.idle();
}

describe('delivery to webhooks', () => {
  beforeEach(async () => {
    world = await ApiWorld.make();
    host = await world.host();
    return () => world.close();
  });

  it('D2 sends over TLS what the receiver can check, and nothing personal', async () => {
    const to = await receiver(true);
    const id = await hook(to);
    const one = await deliverer();
    const alert = alertId();
    await host.send([told('raised', { alert })]);
    const at = toIso(world.clock.now());
    await settle(one);
    const [got] = to.taken;
    expect(got).toMatchObject({ signed: true });
    expect(got?.headers).toMatchObject({
      'content-type': 'application/json',
      'tilsyn-delivery': got?.id,
      'tilsyn-timestamp': String(world.clock.now() / 1000),
    });
    expect(got?.body).toEqual({
      id: got?.id,
      type: 'alert.raised',
      alert,
      check: 'disk-space',
      index: 0,
      level: 'warn',
      value: 930,
      threshold: 900,
      forSeconds: 60,
      host: host.id,
      customer: host.row.customer,
      at,
    });
    expect(await rowOf(id)).toMatchObject({ delivered: 1, failures: 0, status: 200, failingSince: null });
  });

  it('tells what people are to be told, from when the webhook was added on', async () => {
    const to = await receiver();
    await host.send([told('raised')]);
    await hook(to);
    const one = await deliverer();
    const agent = host.id;
    await host.send([
      told('raised', { check: 'cpu', notify: 'none' }),
      told('raised', { check: 'cpu', notify: 'audit' }),
      told('raised', { check: 'spool', notify: 'audit' }),
      told('raised', { check: 'memory', notify: 'all' }),
    ]);
    const silent = told('raised', { check: 'agent-silent', index: null, notify: 'audit', agent });
    await world.ctx.store.write((tx) => world.ctx.own.append(tx, [silent as OwnDraft]));
    await settle(one);
    expect(to.taken.map(({ body }) => body.check)).toEqual(['spool', 'memory', 'agent-silent']);
  });

  it('D6 tells nothing that a host says of another’s alert', async () => {
    const to = await receiver();
    await hook(to);
    const one = await deliverer();
    const stranger = await world.host({ name: 'stranger' });
    const alert = alertId();
    await host.send([told('raised', { alert })]);
    await stranger.send([told('cleared', { alert }), told('changed', { alert, agent: host.id })]);
    await host.send([told('cleared', { alert })]);
    await settle(one);
    expect(to.taken.map(({ body }) => [body.type, body.host])).toEqual([
      ['alert.raised', host.id],
      ['alert.cleared', host.id],
    ]);
  });

  it('one for a customer hears of no other’s hosts', async () => {
    const other = await world.host({ customer: 'Other', name: 'other' });
    const [all, theirs] = [await receiver(), await receiver()];
    await hook(all);
    await hook(theirs, other.row.customer);
    const one = await deliverer();
    await host.send([told('raised')]);
    await other.send([told('raised')]);
    await settle(one);
    expect(all.taken.map(({ body }) => body.host)).toEqual([host.id, other.id]);
    expect(theirs.taken.map(({ body }) => body.host)).toEqual([other.id]);
    expect(theirs.taken[0]?.id).toBe(all.taken[1]?.id);
  });

  it('D7 D8 a receiver that is dead for a week gets each alert once by id, in order, and nothing is lost', async () => {
    const to = await receiver(true);
    const id = await hook(to);
    let one = await deliverer();
    const sent: string[] = [];
    const raise = async () => {
      const alert = alertId();
      sent.push(alert);
      await host.send([told('raised', { alert, index: sent.length % 64 })]);
    };
    /** `ms` of a running collector: an alert every hour, an attempt whenever one is due. */
    const live = async (ms: number) => {
      for (let gone = 0; gone < ms; gone += BACKOFF_MAX_MS) {
        if (gone % HOUR_MS === 0) await raise();
        await later(one);
      }
    };
    await live(HOUR_MS);
    expect(to.taken).toHaveLength(1);
    const began = world.clock.now();
    await to.close();
    await live(3 * DAY_MS);
    await to.open();
    for (const mood of [500, 404, 410, 'redirect'] as const) {
      to.mood = mood;
      await live(DAY_MS - 6 * HOUR_MS);
      // The collector, too, is stopped and started in between.
      await one.close();
      one = await deliverer();
      await one.idle();
    }
    to.mood = 'silent';
    for (const before of [to.asked, to.asked + 1]) {
      world.clock.advance(BACKOFF_MAX_MS);
      await until(() => to.asked > before);
      world.clock.advance(10 * SECOND_MS);
      await one.idle();
    }
    expect(await rowOf(id)).toMatchObject({ status: null, reason: 'timeout', delivered: 1, told: true });
    to.mood = 503;
    await live(DAY_MS);
    expect(world.clock.now() - began).toBeGreaterThan(7 * DAY_MS);
    expect((await rowOf(id)).failures).toBeGreaterThan(1_500);
    to.mood = 200;
    await later(one);
    expect(to.taken.map(({ body }) => body.alert)).toEqual(sent);
    expect(new Set(to.taken.map((got) => got.id)).size).toBe(sent.length);
    expect(to.taken.every(({ signed }) => signed)).toBe(true);
    expect(await rowOf(id)).toMatchObject({ delivered: sent.length, failures: 0, told: false, status: 200 });
    expect((await world.own('webhook.failing', 'webhook.recovered')).map(({ type }) => type)).toEqual([
      'webhook.failing',
      'webhook.recovered',
    ]);
  }, 120_000);

  it('D9 a receiver that is dead or never answers holds up no other', async () => {
    const [dead, silent, fine] = [await receiver(), await receiver(), await receiver()];
    for (const to of [dead, silent, fine]) await hook(to);
    await dead.close();
    silent.mood = 'silent';
    const one = await deliverer();
    await host.send([told('raised'), told('raised', { index: 1 })]);
    world.clock.advance(SECOND_MS);
    await until(() => fine.taken.length === 2 && silent.asked === 1);
    world.clock.advance(10 * SECOND_MS);
    await one.idle();
    expect([silent.asked, silent.taken.length]).toEqual([1, 0]);
  });

  it('D3 reads no answer to its end, and follows no redirect', async () => {
    const to = await receiver();
    const id = await hook(to);
    const one = await deliverer();
    to.mood = 'redirect';
    await host.send([told('raised')]);
    await settle(one);
    expect([to.asked, (await rowOf(id)).status]).toEqual([1, 302]);
    to.mood = 'endless';
    await later(one);
    expect(await rowOf(id)).toMatchObject({ delivered: 1, status: 200 });
  });

  it('D2 a certificate that nobody known has signed is no receiver', async () => {
    const to = new Receiver(await (await makeCa()).server({ ip: ['127.0.0.1'] }));
    await to.open();
    onTestFinished(() => to.close());
    const id = await hook(to);
    const one = await deliverer();
    await host.send([told('raised')]);
    await settle(one);
    expect([to.asked, (await rowOf(id)).reason]).toEqual([0, 'tls']);
  });

  it('D8 where the cursor cannot be stored, the same id comes again', async () => {
    const to = await receiver();
    const id = await hook(to);
    const { store } = world.ctx;
    let full = true;
    const failing: Context = {
      ...world.ctx,
      store: { ...store, write: (fn) => (full ? Promise.reject(new Error('full')) : store.write(fn)) },
    };
    const one = new Deliverer(failing);
    await one.start();
    onTestFinished(() => one.close());
    await host.send([told('raised')]);
    await settle(one);
    full = false;
    await later(one);
    expect(to.ids).toHaveLength(2);
    expect(new Set(to.ids).size).toBe(1);
    expect((await rowOf(id)).delivered).toBe(1);
  });

  it('one that is removed hears no more; one whose file is gone says so and waits', async () => {
    const [gone, lost] = [await receiver(), await receiver()];
    const [removed, kept] = [await hook(gone), await hook(lost)];
    const admin = await world.person('admin');
    const one = await deliverer();
    await world.post(`/v1/webhooks/${removed}/remove`, admin, { reason: 'moved' });
    world.ctx.webhooks.keepOnly([]);
    await host.send([told('raised')]);
    await settle(one);
    expect([gone.asked, lost.asked]).toEqual([0, 0]);
    expect(await rowOf(kept)).toMatchObject({ reason: 'no-file', failures: 1 });
    world.ctx.webhooks.write(kept, { url: lost.url, secret: lost.secret, ca: null });
    await later(one);
    expect(lost.taken).toMatchObject([{ signed: true }]);
  });
});

describe('kill -9 of the collector', () => {
  it('D8 between the answer and the cursor: the same id comes again, then the others', async () => {
    const to = await receiver();
    const running = await startWorld();
    const { ctx } = running.handle;
    const agent = (await running.agent()).agent;
    const id = await hook(to, null, ctx);
    await to.close();
    const drafts = [0, 1, 2].map((index) => told('raised', { agent, index }) as OwnDraft);
    await ctx.store.write((tx) => ctx.own.append(tx, drafts));
    await until(async () => (await ctx.store.read.webhooks.get(id))?.failures !== 0);
    await running.handle.stop();
    await to.open();
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'deliver-child.ts'), running.dir, 'collector.deliver.before-cursor'],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const [, signal] = await once(child, 'close');
    expect(signal).toBe('SIGKILL');
    expect(to.ids).toHaveLength(1);
    await running.restart();
    await until(() => to.ids.length === 4);
    expect(to.ids[1]).toBe(to.ids[0]);
    expect(new Set(to.ids).size).toBe(3);
    expect(to.taken.slice(1).map(({ body }) => body.index)).toEqual([0, 1, 2]);
    expect(to.taken.every(({ signed }) => signed)).toBe(true);
  });
});

describe('addresses and waits', () => {
  it.each([
    'https://alerts.example/tilsyn?key=1',
    'https://10.0.0.7:8443/',
    'http://127.0.0.1:9000/',
    'http://[::1]:9000/',
    'http://localhost:9000/x',
  ])('D2 takes %s', (url) => {
    expect(checkTarget(url).href).toBe(url);
  });

  it.each([
    'http://alerts.example/',
    'http://10.0.0.7/',
    'http://127.0.0.1.example/',
    'http://localhost.example/',
    'https://name:word@alerts.example/',
    'https://alerts.example/#x',
    'ftp://alerts.example/',
    'alerts.example',
    `https://alerts.example/${'x'.repeat(3_000)}`,
  ])('D2 refuses %s', (url) => {
    expect(() => checkTarget(url)).toThrowError(expect.objectContaining({ code: 'webhook.url' }));
  });

  it('D2 asks nobody who localhost is', () => {
    lookupLoopback('localhost', {}, (_error, address) => expect(address).toBe('127.0.0.1'));
    lookupLoopback('localhost', { all: true }, (_error, addresses) => expect(addresses).toHaveLength(2));
  });

  it('D7 waits a random part of a time that grows to five minutes, for ever', () => {
    fc.assert(
      fc.property(
        fc.nat(1e9),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failures, random) => {
          const most = Math.min(5 * MINUTE_MS, 1000 * 2 ** Math.min(failures, 40));
          const wait = backoff(failures, random);
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThanOrEqual(most);
          expect(backoff(failures, 0.5)).toBe(most / 2);
        },
      ),
    );
  });
});
