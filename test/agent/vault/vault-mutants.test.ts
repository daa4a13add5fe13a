/**
 * The laws of the vault as checks that a vault passes or fails, and vaults that break one of them on purpose: each is the
 * product's own text with one place changed.
 */
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { FaultSeam } from '../../../agent/types.ts';
import { Vault } from '../../../agent/vault/vault.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, utcMs } from '../../../protocol/time.ts';
import { KILLED, NOW, type VaultOptions, VaultWorld } from './vault-world.ts';

type Made = typeof Vault;
const ROOT = new URL('../../../', import.meta.url).pathname;
const AT = NOW - 5 * DAY_MS;
const EVER = { from: null, to: null };
const trees: string[] = [];
afterAll(() => {
  for (const dir of trees) rmSync(dir, { recursive: true, force: true });
});

/** Once at a point. */
function once(point: string, act: () => void): FaultSeam {
  let done = false;
  return {
    hit(at) {
      if (at !== point || done) return;
      done = true;
      act();
    },
  };
}

/** A world in which something happens to the one held recording at a point; true: no copy of it is called whole. */
async function notWhole(made: Made, point: string, act: (path: string) => void, told = 0): Promise<boolean> {
  let path = '';
  const it1 = new VaultWorld({ made, faults: once(point, () => act(join(it1.root, path))) });
  [path = ''] = it1.footage(AT, 1, 'gate', 700_000);
  const hold = it1.hold(EVER);
  await it1.copy();
  const none = it1.vault.progress(hold).done === 0 && it1.kept().every((name) => name.endsWith('.part'));
  return none && it1.told('hold.violated').length === told;
}

async function old(made: Made, more: VaultOptions = {}) {
  const it1 = new VaultWorld({ made, ...more });
  it1.footage(NOW - 31 * DAY_MS, 2);
  const hold = it1.hold(EVER);
  await it1.copy();
  return { it1, hold };
}

/** Each true where the law holds. */
const LAWS: Record<string, (made: Made) => Promise<boolean>> = {
  'H6 held is copied, and only that': async (made) => {
    const it1 = new VaultWorld({ made });
    const paths = it1.footage(AT, 2);
    it1.footage(AT, 1, 'yard');
    it1.footage(AT + DAY_MS, 1);
    it1.hold({ from: AT, to: AT + HOUR_MS, cameras: [it1.cameraId('gate')] });
    await it1.copy();
    return JSON.stringify([...it1.copies()].sort()) === JSON.stringify([...it1.digests(paths)].sort());
  },
  'H2 what a hold does not reach is not counted for it': async (made) => {
    const it1 = new VaultWorld({ made });
    it1.footage(AT, 2);
    const hold = it1.hold({ ...EVER, cameras: [it1.cameraId('yard')] });
    await it1.copy();
    return it1.vault.progress(hold).state === 'not-needed';
  },
  'H6 what is being written is not copied yet': async (made) => {
    const it1 = new VaultWorld({ made });
    it1.footage(AT, 1);
    it1.hold(EVER);
    it1.sql('UPDATE recordings SET size = NULL');
    await it1.copy();
    return it1.kept().length === 0;
  },
  'I1 the oldest first': async (made) => {
    const it1 = new VaultWorld({ made });
    for (const [n, camera] of ['a', 'b', 'a', 'b'].entries()) it1.footage(AT + n * HOUR_MS, 2, camera);
    it1.hold(EVER);
    await it1.copy();
    const starts = it1.sql('SELECT start FROM vault_copies ORDER BY id') as { start: number }[];
    return starts.every(({ start }, n) => n === 0 || start >= (starts[n - 1]?.start ?? 0));
  },
  'I2 the quota': async (made) => {
    const it1 = new VaultWorld({ made, config: { quotaBytes: 8_000 } });
    it1.footage(AT, 3);
    it1.hold(EVER);
    await it1.copy();
    return it1.kept().length === 0;
  },
  'I2 the hours that stay free': async (made) => {
    const it1 = new VaultWorld({ made, config: { leaveHours: 1e9 } });
    it1.footage(AT, 3);
    it1.hold(EVER);
    await it1.copy();
    return it1.kept().length === 0;
  },
  'I5 cut off before the first byte': (made) => notWhole(made, 'agent.vault.begun', truncateSync, 1),
  'I5 cut off while it is read': (made) => notWhole(made, 'agent.vault.slice', truncateSync, 1),
  'I5 cut off after it was read': (made) =>
    notWhole(made, 'agent.vault.slice', (path) => truncateSync(path, 699_999), 1),
  'I5 grown while it is read': (made) =>
    notWhole(made, 'agent.vault.slice', (path) => appendFileSync(path, 'x')),
  'I5 rewritten while it is read': (made) =>
    notWhole(made, 'agent.vault.slice', (path) => writeFileSync(path, Buffer.alloc(700_000, 7))),
  'I5 the copy itself is read again': async (made) => {
    const it1 = new VaultWorld({ made, faults: once('agent.vault.hashed', () => spoil(it1)) });
    it1.footage(AT, 1);
    const hold = it1.hold(EVER);
    await it1.copy();
    return it1.vault.progress(hold).done === 0 && it1.kept().length === 0;
  },
  'I6 a link is not followed': async (made) => {
    const it1 = new VaultWorld({ made });
    // Shorter than the link.
    const [path = ''] = it1.footage(AT, 1, 'gate', 3);
    it1.hold(EVER);
    // As on a file system whose inode numbers do not last.
    it1.sql('UPDATE recordings SET inode = NULL');
    unlinkSync(join(it1.root, path));
    symlinkSync('/etc/hostname', join(it1.root, path));
    await it1.copy();
    return it1.kept().length === 0 && it1.told('hold.violated').length === 1;
  },
  'I8 what was cut off after it was copied is told once': async (made) => {
    const it1 = new VaultWorld({ made });
    const [path = ''] = it1.footage(AT, 1);
    it1.hold(EVER);
    await it1.copy();
    truncateSync(join(it1.root, path));
    await it1.copy();
    await it1.copy();
    const told = it1.told('hold.violated');
    return told.length === 1 && told[0]?.copied === 1 && told[0].reason === 'truncated';
  },
  'I9 a torn part is not taken for a copy': async (made) => {
    const faults = once('agent.vault.hashed', () => {
      throw new Error(KILLED);
    });
    const it1 = new VaultWorld({ made, faults });
    const paths = it1.footage(AT, 1);
    it1.hold(EVER);
    await it1.copy();
    spoil(it1);
    it1.restart();
    await it1.copy();
    return JSON.stringify([...it1.copies()]) === JSON.stringify([...it1.digests(paths)]);
  },
  'D1 held stays': async (made) => {
    const { it1 } = await old(made);
    await it1.sweepVault();
    return it1.kept().length === 2;
  },
  'R2 held by another process after the marking stays': async (made) => {
    const { it1, hold } = await old(made, { faults: once('agent.vault.erasing', () => it1.hold(EVER)) });
    it1.release(hold);
    await it1.sweepVault();
    return it1.kept().length === 2;
  },
  'H9 not due stays, due goes': async (made) => {
    const { it1, hold } = await old(made);
    it1.release(hold);
    it1.trusted = utcMs(NOW - 2 * DAY_MS);
    await it1.sweepVault();
    const stayed = it1.kept().length === 2;
    it1.trusted = utcMs(NOW + MINUTE_MS);
    await it1.sweepVault();
    return stayed && it1.kept().length === 0 && it1.told('vault.erased')[0]?.count === 2;
  },
  'H4 unconfirmed stays': async (made) => {
    const { it1, hold } = await old(made);
    it1.release(hold);
    it1.unconfirmed = true;
    await it1.sweepVault();
    return it1.kept().length === 2;
  },
  'R3 in another vault nothing is erased': async (made) => {
    const { it1, hold } = await old(made);
    it1.release(hold);
    writeFileSync(join(it1.path, '.tilsyn-source'), JSON.stringify({ v: 1, source: '0'.repeat(32) }));
    await it1.sweepVault();
    return it1.kept().length === 2 && it1.told('vault.erasing').length === 0;
  },
};

function spoil(it1: VaultWorld): void {
  for (const name of it1.kept()) writeFileSync(join(it1.path, name), Buffer.alloc(3_000, 1));
}

/** File of agent/vault/, what stands there, what is put in its place, the law that sees it. */
const MUTANTS: readonly [file: string, from: string, to: string, law: string][] = [
  ['queue.ts', 'held && row.sizeBytes !== null', 'held', 'H6 what is being written is not copied yet'],
  [
    'plan.ts',
    'if (!covers(hold, anywhere)) return null;',
    '',
    'H2 what a hold does not reach is not counted for it',
  ],
  ['queue.ts', 'begins(row) < begins(best)', 'begins(row) > begins(best)', 'I1 the oldest first'],
  ['plan.ts', 'used + need > quota', 'used > quota', 'I2 the quota'],
  ['plan.ts', 'free - need < perHour * leaveHours', 'free - need < 0', 'I2 the hours that stay free'],
  ['copy.ts', 'before.size < known.sizeBytes', 'before.size < 0', 'I5 cut off before the first byte'],
  ['copy.ts', 'if (after.size < before.size)', 'if (after.size < 0)', 'I5 cut off after it was read'],
  ['copy.ts', 'if (change !== null) return', 'if (change === "changed") return', 'I5 grown while it is read'],
  ['copy.ts', '|| after.mtimeNs !== before.mtimeNs', '', 'I5 rewritten while it is read'],
  ['copy.ts', 'got.sha256.equals(expected.sha256)', 'true', 'I5 the copy itself is read again'],
  [
    'work.ts',
    "outcome.cloned ? 'same' : await verify",
    "true ? 'same' : await verify",
    'I5 the copy itself is read again',
  ],
  ['work.ts', '!there.isFile() ||', '', 'I6 a link is not followed'],
  [
    'violated.ts',
    'sum.copied += copied ? 1 : 0;',
    '',
    'I8 what was cut off after it was copied is told once',
  ],
  [
    'guard.ts',
    "else if (what !== 'grown') store.say(row.id, what);",
    '',
    'I8 what was cut off after it was copied is told once',
  ],
  ['copy.ts', 'got.sha256.equals(expected.sha256)', 'true', 'I9 a torn part is not taken for a copy'],
  [
    'release.ts',
    'judge(row, row.camera, surroundings, holds, now())',
    'judge(row, row.camera, surroundings, [], now())',
    'D1 held stays',
  ],
  [
    'release.ts',
    'const held = mayGo(deps, row, holds) === null;',
    'const held = false;',
    'R2 held by another process after the marking stays',
  ],
  [
    'release.ts',
    "verdict.verdict === 'keep' || verdict.dueAt",
    'verdict.dueAt',
    'H9 not due stays, due goes',
  ],
  ['release.ts', '|| deps.unconfirmed()', '', 'H4 unconfirmed stays'],
  ['release.ts', '|| vaultTrouble(vault) !== null', '', 'R3 in another vault nothing is erased'],
];

/** The product's vault with one place changed. */
async function mutant(file: string, from: string, to: string): Promise<Made> {
  const tree = mkdtempSync(join(tmpdir(), 'tilsyn-mutant-'));
  trees.push(tree);
  for (const part of ['agent', 'protocol']) cpSync(join(ROOT, part), join(tree, part), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(tree, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  const path = join(tree, 'agent/vault', file);
  const text = readFileSync(path, 'utf8');
  expect(text.split(from), `${file}: ${from}`).toHaveLength(2);
  writeFileSync(path, text.replace(from, to));
  const made = (await import(pathToFileURL(join(tree, 'agent/vault/vault.ts')).href)) as { Vault: Made };
  return made.Vault;
}

describe('agent/vault: laws and those who break them', () => {
  it.each(Object.keys(LAWS))('%s', async (law) => {
    expect(await LAWS[law]?.(Vault)).toBe(true);
  });

  it.each(MUTANTS)('%s, %s → %s is seen by %s', async (file, from, to, law) => {
    const made = await mutant(file, from, to);
    expect(await LAWS[law]?.(made).catch(() => false)).toBe(false);
  });

  it('every mutant is named with a law that is there', () => {
    for (const [, , , law] of MUTANTS) expect(Object.keys(LAWS)).toContain(law);
  });
});
