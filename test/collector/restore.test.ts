/** A collector put back from a backup: what survives, what is not believed any more, and what is refused. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { isUnconfirmed, revokeAgent } from '../../collector/agents.ts';
import { backup, init, keys2, type RestoreOptions, restore } from '../../collector/main.ts';
import { addPerson, revokePerson } from '../../collector/people.ts';
import { tokenState } from '../../collector/tokens.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { DAY_MS, utcMs } from '../../protocol/time.ts';
import { ownEvents, ownTypes, type Place, scratch, silent, startWorld, type World } from './running.ts';

interface Scene {
  world: World;
  file: string;
  keysFile: string;
  identityFile: string;
}

/** A collector with a second copy of the keys, one host, one more admin; backed up with an escrow. */
async function scene(): Promise<Scene> {
  const root = scratch();
  const dir = join(root, 'state');
  const made = await init({
    state: dir,
    policy: 'none',
    name: 'tilsyn.test',
    log: silent,
    keys2: join(root, 'two'),
  });
  const place: Place = { dir, made, ca: readFileSync(made.caFile ?? '', 'utf8') };
  const world = await startWorld({ place });
  await world.agent();
  const identity = await generateX25519Identity();
  const identityFile = join(root, 'age.txt');
  writeFileSync(identityFile, `${identity}\n`);
  const file = join(root, 'one.tilsyn');
  const { keysFile } = await backup({
    file,
    state: dir,
    keysTo: await identityToRecipient(identity),
    log: silent,
  });
  return { world, file, keysFile: keysFile ?? '', identityFile };
}

/** Stops it, loses these files, restores, and starts again. */
async function lose({ world, file }: Scene, lost: RegExp, options: Partial<RestoreOptions> = {}) {
  await world.handle.stop();
  for (const name of readdirSync(world.dir))
    if (lost.test(name)) rmSync(join(world.dir, name), { recursive: true });
  const done = await restore({ state: world.dir, file, log: silent, clock: world.clock, ...options });
  await world.restart();
  return done;
}
const DATABASE = /^collector\.db/;
const ALL = /./;
const looseSecond = ({ world }: Scene) => rmSync(join(dirname(world.dir), 'two'), { recursive: true });

const agents = (world: World) => world.handle.ctx.store.read.agents.list();

describe('restore, the database lost and the keys there', () => {
  it('V28 V29 is a new generation with a successor of the own log; hosts are unconfirmed', async () => {
    const it = await scene();
    const before = it.world.handle.ctx.generation();
    const own = await it.world.handle.ctx.store.read.logsOf(null);
    const done = await lose(it, DATABASE);
    expect(done).toMatchObject({ keys: 'survived', identityKept: true, adminTokenFile: null });
    const { ctx } = it.world.handle;
    expect(ctx.generation()).toBe(done.generation);
    expect(ctx.generation()).not.toBe(before);
    const after = await ctx.store.read.logsOf(null);
    expect(after.at(-1)?.birth).toMatchObject({ reason: 'restored', predecessor: { log: own[0]?.log } });
    expect(await ownEvents(it.world, 'collector.restored')).toMatchObject([
      { reason: 'backup', backup: done.backup, pos: done.pos, keys: 'survived' },
    ]);
    expect((await agents(it.world)).map((row) => [row.state, isUnconfirmed(ctx, row)])).toEqual([
      ['approved', true],
    ]);
    expect(readdirSync(it.world.dir)).not.toContain('restoring');
    await it.world.agent();
    expect((await ownTypes(it.world)).at(-1)).toBe('agent.enrolled');
  });

  it('V24 V31 whoever was revoked since the backup stays revoked', async () => {
    const it = await scene();
    const { ctx } = it.world.handle;
    const { person, token } = await addPerson(ctx, { role: 'admin', customers: null, createdBy: null });
    const second = join(dirname(it.file), 'two.tilsyn');
    await backup({ file: second, state: it.world.dir, log: silent });
    const [host] = await agents(it.world);
    await revokeAgent(ctx, host!.agent, null);
    await revokePerson(ctx, { person: person.person, by: person.person, reason: null });
    const done = await lose({ ...it, file: second }, DATABASE);
    expect(done).toMatchObject({ hosts: { revoked: 1, known: 1, toApprove: 0 }, people: { revoked: 1 } });
    const { read } = it.world.handle.ctx.store;
    expect((await agents(it.world)).map(({ state }) => state)).toEqual(['revoked']);
    expect((await read.people.get(person.person))?.state).toBe('revoked');
    expect((await read.signins.list({ person: person.person })).map(({ state }) => state)).toEqual([
      'revoked',
    ]);
    expect(token).toMatch(/^tilsyn_/);
    expect(await ownEvents(it.world, 'agent.revoked')).toMatchObject([{ reason: 'tombstone' }]);
  });

  it('V24 a revocation that a crash cut off between tombstone and row is finished by the start', async () => {
    const it = await scene();
    const [host] = await agents(it.world);
    await it.world.handle.ctx.bury([host!.agent]);
    await it.world.restart();
    expect((await agents(it.world)).map(({ state }) => state)).toEqual(['revoked']);
    await it.world.restart();
    expect(await ownEvents(it.world, 'agent.revoked')).toHaveLength(1);
  });

  it('V29 open tokens end, and what fell due is erased before a port opens', async () => {
    const it = await scene();
    const { ctx } = it.world.handle;
    const [row] = (await ctx.store.read.groups.list({ kind: 'span' })).filter(
      ({ state }) => state === 'live',
    );
    const [agreement] = await ctx.store.read.agreements.list();
    const endsAt = utcMs(ctx.clock.now() + DAY_MS);
    await ctx.store.write((tx) => tx.agreements.put([{ ...agreement!, endsAt, coolingUntil: endsAt }]));
    const of = (await ctx.store.read.groups.list({ agreement: agreement!.agreement })).length;
    await it.world.token();
    const second = join(dirname(it.file), 'two.tilsyn');
    await backup({ file: second, state: it.world.dir, log: silent });
    it.world.clock.advance(2 * DAY_MS);
    const open = (await ctx.store.read.tokens.list()).length;
    expect(open).toBe(2);
    it.world.clock.advance(-2 * DAY_MS);
    await it.world.handle.stop();
    for (const name of readdirSync(it.world.dir)) if (DATABASE.test(name)) rmSync(join(it.world.dir, name));
    const clock = it.world.clock;
    clock.advance(2 * DAY_MS);
    const done = await restore({ state: it.world.dir, file: second, log: silent, clock });
    await it.world.restart();
    expect(done.erased).toBe(of);
    const { read } = it.world.handle.ctx.store;
    expect(await read.groups.get(row!.group)).toMatchObject({ state: 'erased', erasedBy: 'agreement' });
    const types = await ownTypes(it.world);
    expect(types.indexOf('erasure.started')).toBeLessThan(types.indexOf('erasure.done'));
    for (const token of await read.tokens.list()) expect(tokenState(token, clock.now())).not.toBe('open');
  });

  it('V29 a group that was erased since the backup stays erased', async () => {
    const it = await scene();
    const { ctx } = it.world.handle;
    const [row] = (await ctx.store.read.groups.list({ kind: 'span' })).filter(
      ({ state }) => state === 'live',
    );
    await ctx.store.write((tx) => tx.groups.put([{ ...row!, state: 'erasing', erasedBy: 'policy' }]));
    await it.world.restart();
    const done = await lose(it, DATABASE);
    expect(done.erased).toBe(1);
    expect(await it.world.handle.ctx.store.read.groups.get(row!.group)).toMatchObject({ state: 'erased' });
  });
});

describe('restore, the keys lost too', () => {
  it('V26 V32 with the escrow: everything opens, and nobody is believed', async () => {
    const it = await scene();
    looseSecond(it);
    await it.world.handle.stop();
    const live = async () => (await it.world.handle.ctx.store.read.groups.list({ state: 'live' })).length;
    await it.world.restart();
    const groups = await live();
    await it.world.handle.stop();
    const options = { keys: it.keysFile, identityFile: it.identityFile };
    await expect(lose(it, ALL)).rejects.toMatchObject({ code: 'restore.no-keys', exit: 'integrity' });
    const done = await restore({ state: it.world.dir, file: it.file, log: silent, ...options });
    await it.world.restart();
    expect(done).toMatchObject({ keys: 'escrow', identityKept: true, keys2: null, hosts: { toApprove: 1 } });
    expect(done.liveKeys).toBeGreaterThanOrEqual(groups);
    expect(done.people.signinsEnded).toBe(1);
    const { ctx } = it.world.handle;
    expect((await agents(it.world)).map((row) => [row.state, isUnconfirmed(ctx, row)])).toEqual([
      ['waiting', true],
    ]);
    expect(readFileSync(done.adminTokenFile ?? '', 'utf8')).toMatch(/^tilsyn_/);
    for (const row of await ctx.store.read.groups.list({ state: 'live' })) {
      expect(ctx.groups.byId(row.group)?.state).toBe('live');
      expect(ctx.opener.originKey(row.group as GroupId)).not.toBeNull();
    }
    expect(await ownEvents(it.world, 'keyring.damaged')).toEqual([]);
  });

  it('V32 without any: what was sealed stays closed, new keys never take the place of lost ones', async () => {
    const it = await scene();
    looseSecond(it);
    const before = await it.world.handle.ctx.store.read.groups.list();
    const done = await lose(it, ALL, { withoutKeys: true });
    expect(done).toMatchObject({ keys: 'lost', identityKept: false, hosts: { toApprove: 1 } });
    const { read } = it.world.handle.ctx.store;
    const lost = new Set(before.map(({ group }) => group));
    const highest = Math.max(...before.map(({ slot }) => slot ?? 0));
    for (const row of (await read.groups.list()).filter(({ group }) => !lost.has(group))) {
      expect(row.slot).toBeGreaterThan(highest);
    }
    expect(await ownEvents(it.world, 'keyring.damaged')).toHaveLength(before.length);
    // It works on: a host is enrolled, and gets groups.
    const ca = readFileSync(join(it.world.dir, 'ca.pem'), 'utf8');
    await startWorldAgain({ ...it.world, ca });
  });

  it('V28 one that was broken off is run again, and does not take half a keyring for one that survived', async () => {
    const it = await scene();
    looseSecond(it);
    await it.world.handle.stop();
    for (const name of readdirSync(it.world.dir)) rmSync(join(it.world.dir, name), { recursive: true });
    const options = {
      state: it.world.dir,
      file: it.file,
      keys: it.keysFile,
      identityFile: it.identityFile,
      log: silent,
    };
    let commits = 0;
    const hit = (point: string) => {
      if (point !== 'store.commit') return;
      commits += 1;
      if (commits === 2) throw new Error('cut off');
    };
    await expect(restore({ ...options, faults: { hit } })).rejects.toThrow('cut off');
    expect(existsSync(join(it.world.dir, 'collector.db'))).toBe(false);
    expect(existsSync(join(it.world.dir, 'keys.slots'))).toBe(true);
    await expect(restore({ state: it.world.dir, file: it.file, log: silent })).rejects.toMatchObject({
      code: 'restore.no-keys',
    });
    expect(await restore(options)).toMatchObject({ keys: 'escrow', hosts: { toApprove: 1 } });
    await it.world.restart();
  });

  it('V26 beside a database that lives: only the keys come back', async () => {
    const it = await scene();
    const { world } = it;
    await expect(restore({ state: world.dir, withoutKeys: true, log: silent })).rejects.toMatchObject({
      code: 'restore.nothing-lost',
    });
    looseSecond(it);
    const generation = world.handle.ctx.generation();
    const again = {
      file: undefined,
      keys: it.keysFile,
      identityFile: it.identityFile,
    } as Partial<RestoreOptions>;
    const done = await lose(it, /^keys\.slots/, again);
    expect(done).toMatchObject({ backup: null, generation: null, keys: 'escrow' });
    expect(world.handle.ctx.generation()).toBe(generation);
    expect((await agents(world)).map(({ state }) => state)).toEqual(['approved']);
    expect(await ownEvents(world, 'keyring.restored')).toMatchObject([{ reason: 'escrow' }]);
    expect(await ownEvents(world, 'keyring.damaged')).toEqual([]);
    await world.agent();
  });
});

describe('restore refuses', () => {
  it('V28 a living database, a running collector, another collector’s backup, and changes nothing', async () => {
    const it = await scene();
    const other = await scene();
    const state = it.world.dir;
    const run = (more: Partial<RestoreOptions> = {}) =>
      restore({ state, file: it.file, log: silent, ...more });
    await expect(run()).rejects.toMatchObject({ code: 'restore.living', exit: 'conflict' });
    await it.world.handle.stop();
    await expect(run()).rejects.toMatchObject({ code: 'restore.living', exit: 'conflict' });
    const kept = join(dirname(state), 'kept');
    cpSync(state, kept, { recursive: true });
    for (const name of readdirSync(state)) if (DATABASE.test(name)) rmSync(join(state, name));
    const before = readdirSync(state).sort();
    await expect(run({ file: other.file })).rejects.toMatchObject({ code: 'restore.another' });
    await expect(run({ keys: other.keysFile })).rejects.toMatchObject({ code: 'restore.escrow' });
    await expect(run({ file: it.keysFile })).rejects.toMatchObject({ code: 'backup.unreadable' });
    rmSync(join(state, 'identity.pem'));
    await expect(run()).rejects.toMatchObject({ code: 'restore.no-identity' });
    expect(await run({ keys: it.keysFile, identityFile: it.identityFile, dryRun: true })).toMatchObject({
      keys: 'survived',
      dryRun: true,
    });
    expect(readdirSync(state).sort()).toEqual(before.filter((name) => name !== 'identity.pem'));
    rmSync(state, { recursive: true });
    cpSync(kept, state, { recursive: true });
    await it.world.restart();
  });

  it('V28 an old WAL beside the place of the database is set aside, not replayed', async () => {
    const it = await scene();
    await it.world.handle.stop();
    rmSync(join(it.world.dir, 'collector.db'));
    writeFileSync(join(it.world.dir, 'collector.db-wal'), 'old');
    await restore({ state: it.world.dir, file: it.file, log: silent });
    await it.world.restart();
    expect(readdirSync(it.world.dir)).toContain('collector.db.left-1-wal');
  });
});

describe('the second copy of the keys', () => {
  it('V33 a lost one is replaced: what waited is erased, and the lost one is on record', async () => {
    const it = await scene();
    const { world } = it;
    looseSecond(it);
    const read = () => world.handle.ctx.store.read;
    const [row] = (await read().groups.list({ kind: 'span' })).filter(({ state }) => state === 'live');
    await world.handle.ctx.store.write((tx) =>
      tx.groups.put([{ ...row!, state: 'erasing', erasedBy: 'policy' }]),
    );
    await world.restart();
    expect(await read().groups.get(row!.group)).toMatchObject({ state: 'erasing' });
    const path = join(dirname(world.dir), 'three');
    await expect(keys2({ state: world.dir, path, log: silent })).rejects.toMatchObject({
      code: 'collector.running',
    });
    await world.handle.stop();
    expect(await keys2({ state: world.dir, path, log: silent })).toMatchObject({
      before: 'lost',
      oldUntil: null,
    });
    await world.restart();
    expect(await read().groups.get(row!.group)).toMatchObject({ state: 'erased' });
    expect((await read().keyCopies.list()).filter(({ kind }) => kind === 'second')).toMatchObject([
      { untilAt: null },
    ]);
    expect(await ownEvents(world, 'keyring.second-replaced')).toMatchObject([{ reason: 'absent' }]);
    expect(readFileSync(join(path, 'keys.slots')).equals(readFileSync(join(world.dir, 'keys.slots')))).toBe(
      true,
    );
  });

  it('V33 one that is there is overwritten before it goes', async () => {
    const it = await scene();
    const { world } = it;
    const [old, path] = ['two', 'three'].map((name) => join(dirname(world.dir), name));
    mkdirSync(join(dirname(world.dir), 'image'));
    await world.handle.stop();
    await expect(keys2({ state: world.dir, path: world.dir, log: silent })).rejects.toMatchObject({
      code: 'keys2.same',
    });
    await expect(keys2({ state: world.dir, path: old!, log: silent })).rejects.toMatchObject({
      code: 'keys2.there',
    });
    expect(await keys2({ state: world.dir, path: path!, dryRun: true, log: silent })).toMatchObject({
      dryRun: true,
    });
    expect(existsSync(path!)).toBe(false);
    const done = await keys2({ state: world.dir, path: path!, log: silent });
    expect(done.before).toBe('overwritten');
    expect(readdirSync(old!)).toEqual([]);
    await world.restart();
    const rows = await world.handle.ctx.store.read.keyCopies.list();
    expect(rows.find(({ kind }) => kind === 'second')?.untilAt).not.toBeNull();
    await world.agent();
  });
});

/** One more agent, by the CA that is there now. */
async function startWorldAgain(world: World): Promise<void> {
  const { AgentDouble } = await import('../support/agent-double.ts');
  const double = new AgentDouble({ address: world.handle.address, ca: world.ca, token: await world.token() });
  const answer = await double.enrol();
  expect(answer.status).toBe(200);
}
