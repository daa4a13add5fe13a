import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../collector/config.ts';
import { init, run } from '../../collector/main.ts';
import { policyInForce } from '../../collector/policy.ts';
import { openStore } from '../../collector/store/sqlite.ts';
import { http } from '../support/agent-double.ts';
import { makePlace, ownTypes, scratch, silent, startWorld } from './running.ts';

describe('collector init', () => {
  it('N4: makes a whole collector whose files nobody else can read', async () => {
    const { dir, made } = await makePlace('dk-msp');
    expect(made).toMatchObject({ name: 'tilsyn.test', url: 'wss://127.0.0.1:8443' });
    expect(made.identity).toMatch(/^[A-Za-z0-9_-]{43}$/);
    for (const name of readdirSync(dir)) {
      expect(statSync(join(dir, name)).mode & 0o077, name).toBe(0);
    }
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(readFileSync(made.adminTokenFile, 'utf8')).toMatch(/^tilsyn_[A-Za-z0-9_-]{43}\n$/);
  });

  it('V50 keeps the policy that was chosen, whole, with its version', async () => {
    const { dir } = await makePlace('dk-msp');
    const store = await openStore(join(dir, 'collector.db'), {});
    const record = await policyInForce(store.read);
    expect(record).toMatchObject({ pack: 'dk-msp', person: null, policy: { name: 'dk-msp', version: 1 } });
    expect(record.setAt).not.toBeNull();
    await store.close();
  });

  it('N5: a second init on the same directory says so and changes nothing', async () => {
    const { dir } = await makePlace();
    const before = readFileSync(join(dir, 'identity.pem'), 'utf8');
    await expect(init({ state: dir, policy: 'none', log: silent })).rejects.toMatchObject({
      code: 'collector.exists',
      exit: 'conflict',
    });
    expect(readFileSync(join(dir, 'identity.pem'), 'utf8')).toBe(before);
  });

  it('without a policy names the packs; an unknown one is refused', async () => {
    const dir = join(scratch(), 'state');
    const missing = init({ state: dir, log: silent });
    await expect(missing).rejects.toMatchObject({ code: 'policy.missing', exit: 'usage' });
    await expect(missing).rejects.toHaveProperty('hint', expect.stringContaining('dk-msp'));
    await expect(init({ state: dir, policy: 'nope', log: silent })).rejects.toMatchObject({
      code: 'policy.unknown',
    });
  });

  it('refuses a URL without TLS and a name that is none', async () => {
    const dir = join(scratch(), 'state');
    const make = (change: object) => init({ state: dir, policy: 'none', log: silent, ...change });
    await expect(make({ url: 'ws://127.0.0.1:8443' })).rejects.toMatchObject({ code: 'collector.url' });
    await expect(make({ name: 'two words' })).rejects.toMatchObject({ code: 'collector.name' });
    await expect(make({ tlsCert: '/x' })).rejects.toMatchObject({ code: 'tls.half' });
  });
});

describe('an init that was interrupted', () => {
  it('N4 says what to remove, also of the second copy, and works once that is gone', async () => {
    const [state, keys2] = [join(scratch(), 'state'), join(scratch(), 'two')];
    let commits = 0;
    const faults = {
      hit: (point: string) => {
        if (point !== 'store.commit') return;
        commits += 1;
        if (commits === 4) throw new Error('power');
      },
    };
    const make = (more: object = {}) => init({ state, keys2, policy: 'none', log: silent, ...more });
    await expect(make({ faults })).rejects.toThrow();
    await expect(make()).rejects.toMatchObject({
      code: 'collector.half-made',
      hint: expect.stringContaining('remove keys.slots from the folder of --keys2'),
    });
    rmSync(state, { recursive: true });
    await expect(make()).rejects.toMatchObject({
      code: 'keyring.exists',
      hint: expect.stringContaining('remove that file'),
    });
    rmSync(join(keys2, 'keys.slots'));
    await make();
  });
});

describe('collector run', () => {
  it('listens, is healthy, gives its CA, and says start and stop in its own log', async () => {
    const world = await startWorld();
    const { address } = world.handle;
    expect(await http(address, world.ca, 'GET', '/v1/health')).toMatchObject({
      status: 200,
      body: { status: 'ok', name: 'tilsyn.test' },
    });
    expect((await http(address, world.ca, 'GET', '/v1/ca')).body.text).toBe(world.ca);
    await world.restart();
    expect(await ownTypes(world)).toEqual([
      'policy.set',
      'person.added',
      'collector.started',
      'collector.stopped',
      'collector.started',
    ]);
  });

  it('one process per state directory', async () => {
    const world = await startWorld();
    const again = run({ state: world.dir, listen: '127.0.0.1:0', signals: false, log: silent });
    await expect(again).rejects.toMatchObject({ code: 'collector.running', exit: 'conflict' });
  });

  it('a port that is taken, an address that is not ours, an address that is none', async () => {
    const world = await startWorld();
    const place = await makePlace();
    const start = (listen: string) => run({ state: place.dir, listen, signals: false, log: silent });
    await expect(start(world.handle.address)).rejects.toMatchObject({ code: 'listen.in-use' });
    await expect(start('192.0.2.1:0')).rejects.toMatchObject({ code: 'listen.no-address' });
    await expect(start('somewhere')).rejects.toMatchObject({ code: 'listen.address', exit: 'usage' });
    // What failed to start has let go of everything.
    const handle = await start('127.0.0.1:0');
    await handle.stop();
  });

  it('N2: a damaged database is set aside, the keys stay, and nothing goes on without it', async () => {
    const { dir } = await makePlace();
    const slots = readFileSync(join(dir, 'keys.slots'));
    writeFileSync(join(dir, 'collector.db'), Buffer.alloc(8192, 7));
    const start = () => run({ state: dir, listen: '127.0.0.1:0', signals: false, log: silent });
    await expect(start()).rejects.toMatchObject({ code: 'store.quarantined', exit: 'integrity' });
    expect(readdirSync(dir).some((name) => name.startsWith('collector.db.quarantined'))).toBe(true);
    await expect(start()).rejects.toMatchObject({ code: 'store.absent' });
    expect(readFileSync(join(dir, 'keys.slots')).equals(slots)).toBe(true);
  });

  it('an unknown key of collector.json names the nearest known one', async () => {
    const { dir } = await makePlace();
    const path = join(dir, 'collector.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as object;
    writeFileSync(path, JSON.stringify({ ...config, keysTwo: null }));
    const start = run({ state: dir, listen: '127.0.0.1:0', signals: false, log: silent });
    await expect(start).rejects.toMatchObject({
      code: 'collector.config',
      message: expect.stringContaining('keys2'),
    });
  });

  const office = { days: [1, 5], from: '07:00', to: '18:00', zone: 'Europe/Copenhagen' };
  it.each([
    ['an unknown key', { unknwon: true }, 'unknown key "unknwon"; the nearest known one is unknown'],
    ['one of a customer', { customers: { ['a'.repeat(32)]: { longerThanHour: 1 } } }, 'is longerThanHours'],
    ['one of working hours', { workingHours: { ...office, zon: 1 } }, 'is zone'],
    ['no customer', { customers: { Acme: {} } }, 'field sessionAlerts.customers'],
    ['no zone', { workingHours: { ...office, zone: 'Mars' } }, 'field sessionAlerts.workingHours.zone'],
    ['no hours', { workingHours: { ...office, to: '06:00' } }, 'field sessionAlerts.workingHours.to'],
    ['no clock', { workingHours: { ...office, from: '7 am' } }, 'field sessionAlerts.workingHours.from'],
  ])('U18 sessionAlerts of collector.json: %s is said by its place', async (_, sessionAlerts, said) => {
    const { dir } = await makePlace();
    const path = join(dir, 'collector.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as object;
    writeFileSync(path, JSON.stringify({ ...config, sessionAlerts }));
    expect(() => readConfig(dir)).toThrow(said);
    const right = { workingHours: office, customers: { ['a'.repeat(32)]: { deniedMoreThan: null } } };
    writeFileSync(path, JSON.stringify({ ...config, sessionAlerts: right }));
    expect(readConfig(dir).sessionAlerts).toEqual(right);
  });
});
