/** Backups of a running collector: one commit, whole, signed, without a secret; and the escrow beside it. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import Sqlite from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { checkBackup } from '../../collector/backup.ts';
import { makeEmpty } from '../../collector/files.ts';
import { horizonOf } from '../../collector/horizon.ts';
import { Keyring } from '../../collector/keyring.ts';
import { openEscrow } from '../../collector/keyring-escrow.ts';
import { backup } from '../../collector/main.ts';
import { decodeSlot, SLOT_BYTES, SlotFile } from '../../collector/slots.ts';
import { copyDatabase, sealBackup } from '../../collector/store/backup.ts';
import { type GroupId, toB64 } from '../../protocol/ids.ts';
import { newSigningKey, signRecord } from '../../protocol/sign.ts';
import { DAY_MS, utcMs } from '../../protocol/time.ts';
import { newHex, newHouse, random } from './house.ts';
import { ownEvents, ownTypes, silent, startWorld, type World } from './running.ts';

const take = (world: World, more: object = {}) =>
  backup({ file: join(dirname(world.dir), 'one.tilsyn'), state: world.dir, log: silent, ...more });

/** Every 32 bytes of the keys that lie in the slots. */
function keysOf(dir: string): Buffer[] {
  const bytes = readFileSync(join(dir, 'keys.slots'));
  const found: Buffer[] = [];
  for (let at = SLOT_BYTES; at < bytes.length; at += SLOT_BYTES) {
    const slot = bytes.subarray(at, at + SLOT_BYTES);
    if (decodeSlot(Buffer.from(slot)).state === 'live') found.push(Buffer.from(slot.subarray(24, 56)));
  }
  return found;
}

describe('collector backup', () => {
  it('V27 K9 copies one commit of a running collector, which goes on', async () => {
    const world = await startWorld();
    await world.agent();
    const made = await take(world);
    expect(made).toMatchObject({ keysFile: null, keys: null, dryRun: false });
    expect(statSync(made.file).mode & 0o777).toBe(0o600);
    const copy = new Sqlite(made.file, { readonly: true });
    const pos = copy.prepare<[], { pos: number }>('SELECT max(pos) AS pos FROM leaves').get()?.pos;
    copy.close();
    expect(pos).toBe(made.pos);
    // Its own record is the last event that it holds.
    expect((await ownEvents(world, 'collector.backed-up')).at(-1)).toMatchObject({
      backup: made.backup,
      withKeys: false,
      pos: made.pos - 1,
    });
    await world.agent();
    expect((await ownTypes(world)).at(-1)).toBe('agent.enrolled');
    await world.restart();
    expect(checkBackup(made.file)).toMatchObject({ digest: made.digest, manifest: { pos: made.pos } });
    expect(readdirSync(dirname(world.dir)).sort()).toEqual(['one.tilsyn', 'state']);
  });

  it('V27 holds no private half and no other secret', async () => {
    const world = await startWorld();
    await world.agent();
    const bytes = readFileSync((await take(world)).file);
    const keys = keysOf(world.dir);
    expect(keys.length).toBeGreaterThan(3);
    for (const key of keys) for (const form of forms(key)) expect(bytes.includes(form)).toBe(false);
    for (const name of ['identity.pem', 'ledger.pem', 'ca.key', 'server.key', 'admin.token']) {
      const line = readFileSync(join(world.dir, name), 'utf8')
        .split('\n')
        .find((text) => !text.startsWith('---'));
      expect(bytes.includes(line ?? '')).toBe(false);
    }
    expect(bytes.includes('PRIVATE KEY')).toBe(false);
  });

  it('V27 an interrupted or refused one has no name, and none is written over', async () => {
    const world = await startWorld();
    await expect(take(world, { keysTo: 'nobody' })).rejects.toMatchObject({ code: 'backup.recipient' });
    const planned = await take(world, { dryRun: true });
    expect(planned).toMatchObject({ backup: null, digest: null, dryRun: true });
    expect(readdirSync(dirname(world.dir))).toEqual(['state']);
    expect(await ownTypes(world)).not.toContain('collector.backed-up');
    const { file } = await take(world);
    await expect(take(world)).rejects.toMatchObject({ code: 'backup.exists', exit: 'conflict' });
    const bytes = readFileSync(file);
    for (const at of [100, bytes.length >> 1, bytes.length - 1]) {
      const bent = Buffer.from(bytes);
      bent[at] = (bent[at] ?? 0) ^ 1;
      writeFileSync(file, bent);
      expect(() => checkBackup(file)).toThrow(/^(reading|checking) the backup/);
    }
    writeFileSync(file, bytes);
    checkBackup(file);
  });

  it('V27 one that somebody changed and sealed anew is not signed by the collector it names', async () => {
    const world = await startWorld();
    const { file } = await take(world);
    const { manifest } = checkBackup(file);
    const forged = join(dirname(world.dir), 'forged.tilsyn');
    makeEmpty(forged);
    copyDatabase(file, forged);
    const own = newSigningKey();
    sealBackup(
      forged,
      JSON.stringify(manifest),
      `${newHex()}${newHex()}:${toB64(random(64))}`,
      (digest) => signRecord('backup', own, { ...manifest, digest }).sig,
    );
    expect(() => checkBackup(forged)).toThrow(expect.objectContaining({ code: 'backup.unsigned' }));
  });
});

describe('escrow', () => {
  it('V25 V30 holds what lives, opens for its recipient only, and was on record before', async () => {
    const world = await startWorld();
    await world.agent();
    const identity = await generateX25519Identity();
    const keysTo = await identityToRecipient(identity);
    const made = await take(world, { keysTo, keysKeptForMs: 90 * DAY_MS });
    const keys = keysOf(world.dir);
    expect(made.keys).toBe(keys.length);
    const sealed = readFileSync(made.keysFile ?? '');
    expect(statSync(made.keysFile ?? '').mode & 0o777).toBe(0o600);
    for (const key of keys) for (const form of forms(key)) expect(sealed.includes(form)).toBe(false);
    await expect(openEscrow(sealed, await generateX25519Identity())).rejects.toMatchObject({
      code: 'escrow.closed',
    });
    await expect(openEscrow(sealed, 'nothing')).rejects.toMatchObject({ code: 'escrow.identity' });
    const opened = await openEscrow(sealed, `# a comment\n${identity}\n`);
    expect([...opened.records()].map(({ bytes }) => toB64(bytes.subarray(24, 56)))).toEqual(keys.map(toB64));
    expect(opened.head).toMatchObject({ backup: made.backup, name: 'tilsyn.test' });
    expect(Object.keys(opened.head.files).sort()).toEqual(
      ['caCert', 'caKey', 'identity', 'ledger', 'serverCert', 'serverKey'].sort(),
    );
    opened.close();
    const [row] = await world.handle.ctx.store.read.keyCopies.list();
    expect(row).toMatchObject({ copy: made.backup, kind: 'escrow', pos: made.pos - 1 });
    expect((row?.untilAt ?? 0) - (row?.madeAt ?? 0)).toBe(90 * DAY_MS);
    expect((await ownEvents(world, 'collector.backed-up')).at(-1)).toMatchObject({ withKeys: true });
  });

  it('V26 comes back only where nothing stronger is, into any slot that is free or damaged', async () => {
    const house = await newHouse();
    const ids = Array.from({ length: 4 }, () => newHex<GroupId>());
    const made = await house.keyring.create(ids);
    const slot = (i: number) => made[i]?.slot ?? -1;
    await house.keyring.erase([{ group: ids[3]!, slot: null }]);
    const identity = await generateX25519Identity();
    const places = { dir: house.dir, second: join(house.dir, 'two') };
    const recipient = await identityToRecipient(identity);
    const escrow = { ...places, recipient, backup: newHex(), name: 'tilsyn.test', files: {} };
    const { sealed } = await Keyring.escrow(escrow);
    await house.keyring.erase([{ group: ids[0]!, slot: null }]);
    await house.close();
    const raw = (i: number, bytes: Buffer) => {
      for (const dir of [places.dir, places.second]) {
        const file = SlotFile.open(join(dir, 'keys.slots'));
        file?.write(slot(i), bytes);
        file?.close();
      }
    };
    raw(1, Buffer.alloc(SLOT_BYTES));
    raw(2, Buffer.alloc(SLOT_BYTES, 0x5a));
    const opened = await openEscrow(sealed, identity);
    for (let twice = 0; twice < 2; twice += 1) await Keyring.refill(places, opened);
    const again = await Keyring.open({ ...places, random });
    expect(ids.map((id) => again.stateOf(id))).toEqual(['erased', 'live', 'live', 'erased']);
    expect(ids.slice(1, 3).map((id) => again.publicKey(id))).toEqual(made.slice(1, 3).map(({ key }) => key));
    await again.close();
    const other = await newHouse();
    await other.close();
    await expect(
      Keyring.refill({ dir: other.dir, second: join(other.dir, 'two') }, opened),
    ).rejects.toMatchObject({ code: 'keyring.mismatch' });
    opened.close();
  });

  it('V30 sets the horizon of every group that lived when it was made', () => {
    const at = (day: number) => utcMs(day * DAY_MS);
    const copy = (madeAt: number, untilAt: number | null) => ({
      copy: 'c'.repeat(32) as never,
      kind: 'escrow' as const,
      pos: 1,
      madeAt: at(madeAt),
      untilAt: untilAt === null ? null : at(untilAt),
    });
    const group = { createdAt: at(10), erasedAt: at(20) };
    expect(horizonOf(group, [])).toBeNull();
    expect(horizonOf(group, [copy(9, null), copy(21, null)])).toBeNull();
    expect(horizonOf(group, [copy(10, 50), copy(20, 40)])).toEqual({ copies: 2, until: at(50) });
    expect(horizonOf(group, [copy(15, 50), copy(15, null)])).toEqual({ copies: 2, until: null });
    expect(horizonOf({ ...group, erasedAt: null }, [copy(99, 120)])).toEqual({ copies: 1, until: at(120) });
  });
});

function forms(key: Buffer): (Buffer | string)[] {
  return [key, key.toString('hex'), key.toString('base64url')];
}
