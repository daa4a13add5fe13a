/** The vault as the agent has it: behind the configuration, the passes of the scan and the sweep. */
import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../agent/config.ts';
import { Footage } from '../../../agent/footage.ts';
import { silentLog } from '../../../agent/log.ts';
import { MARKER_FILE, markerText } from '../../../agent/recordings/root.ts';
import { type Id, idBytes, newId, type SourceId } from '../../../protocol/ids.ts';
import { DAY_MS, MINUTE_MS, utcMs } from '../../../protocol/time.ts';
import { frigatePath, THIRTY_DAYS } from '../recordings/sweep-world.ts';
import { group, identity, type World, world } from '../support.ts';
import { digestOf, NOW } from './vault-world.ts';

const made: string[] = [];
const running: Footage[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

class House {
  readonly base: World = world();
  readonly root: string;
  readonly footage: Footage;

  constructor(more = '') {
    const home = realpathSync(mkdtempSync(join(tmpdir(), 'tilsyn-wired-')));
    made.push(home);
    this.root = join(home, 'recordings');
    mkdirSync(this.root);
    writeFileSync(join(this.root, MARKER_FILE), markerText(newId<'source'>(randomBytes) as SourceId));
    const text = `sources:\n  - {type: recordings, root: ${this.root}, layout: frigate${more}}\nholds:\n  vault: {leaveHours: 0}\n`;
    const { journal } = this.base;
    journal.addGroups([group('whole', 'host.name').signed]);
    this.footage = this.again(text);
  }

  /** The same state under another configuration. */
  again(text: string): Footage {
    const { journal, catalogue, sweeps, vault, book, cover, clock, dir } = this.base;
    const footage = new Footage({
      ...{
        config: parseConfig(text, 'agent.yaml'),
        journal,
        catalogue,
        sweeps,
        book,
        cover,
        vaultRows: vault,
        state: dir,
        clock,
      },
      ...{ identity: identity(), random: randomBytes, log: silentLog, faults: {}, platform: 'linux' },
      uptimeMs: () => clock.mono(),
    });
    running.push(footage);
    return footage;
  }

  get vault(): string {
    return join(this.base.dir, 'vault');
  }

  record(at: number, count: number): string[] {
    return Array.from({ length: count }, (_, n) => {
      const path = join(this.root, frigatePath(at + n * MINUTE_MS, 'gate'));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, randomBytes(2_000));
      utimesSync(path, NOW / 1000 - 3600, NOW / 1000 - 3600);
      // A folder that rested: what vanishes from it is seen.
      utimesSync(dirname(path), NOW / 1000 - 3600, NOW / 1000 - 3600);
      return path;
    });
  }

  sql(text: string, ...values: unknown[]): unknown[] {
    const db = new Sqlite(join(this.base.dir, 'agent.db'));
    try {
      const statement = db.prepare(text);
      return statement.reader ? statement.all(...values) : [statement.run(...values)];
    } finally {
      db.close();
    }
  }

  hold(): Id<'hold'> {
    const hold = newId<'hold'>(randomBytes);
    const scope = JSON.stringify({ from: null, to: null });
    this.sql("INSERT INTO holds (hold, kind, scope) VALUES (?, 'crime', ?)", idBytes(hold), scope);
    this.footage.vault?.holdsChanged();
    return hold;
  }

  told(type: string): Record<string, unknown>[] {
    const rows = this.sql('SELECT bytes FROM leaves ORDER BY pos') as { bytes: string }[];
    const leaves = rows.map(
      ({ bytes }) => JSON.parse(bytes) as { type: string; data: Record<string, unknown> },
    );
    return leaves.filter((leaf) => leaf.type === type).map(({ data }) => data);
  }

  copies(): string[] {
    return readdirSync(this.vault).filter((name) => name !== MARKER_FILE);
  }
}

async function until(fits: () => boolean): Promise<void> {
  for (let n = 0; n < 2_000 && !fits(); n++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(fits()).toBe(true);
}

describe('agent/footage: the vault', () => {
  it('H6, I8 copies in the state directory, tells what vanished with how many are safe, lets go when released and due', async () => {
    const house = new House();
    const paths = house.record(NOW - 31 * DAY_MS, 3);
    house.footage.doers['policy.set']?.({ class: 'recording', policy: THIRTY_DAYS } as never);
    house.footage.stated(utcMs(NOW), true);
    await house.footage.start();
    await house.footage.rescan();
    const hold = house.hold();
    await until(() => house.footage.vault?.progress(hold).state === 'copied');
    expect(house.footage.vault?.progress(hold)).toMatchObject({ done: 3, total: 3 });
    const before = paths.map(digestOf).sort();
    expect(
      house
        .copies()
        .map((name) => digestOf(join(house.vault, name)))
        .sort(),
    ).toEqual(before);
    for (const path of paths) {
      truncateSync(path);
      unlinkSync(path);
    }
    await house.footage.rescan();
    expect(house.told('recording.missing')).toMatchObject([{ count: 3, reason: 'vanished' }]);
    const [violated] = house.told('hold.violated');
    expect(violated).toMatchObject({ hold, count: 3, copied: 3, reason: 'vanished' });
    expect(violated?.from).toBe(new Date(NOW - 31 * DAY_MS).toISOString());
    expect(
      house
        .copies()
        .map((name) => digestOf(join(house.vault, name)))
        .sort(),
    ).toEqual(before);

    await house.footage.doers['sweep.run']?.({} as never);
    house.sql('UPDATE holds SET released_at = 1');
    house.footage.vault?.holdsChanged();
    await house.footage.doers['sweep.run']?.({} as never);
    await until(() => house.told('vault.erased').length > 0);
    expect(house.copies()).toEqual([]);
    expect(house.told('vault.erased')).toMatchObject([{ count: 3, policy: 'dk-msp' }]);
  });

  it('I8 also of a source whose recorder leaves the erasing to us: nothing is copied, what vanished is told', async () => {
    const house = new House(', mode: erase');
    const [path = ''] = house.record(NOW - 5 * DAY_MS, 1);
    await house.footage.start();
    await house.footage.rescan();
    const hold = house.hold();
    expect(house.footage.vault?.progress(hold)).toMatchObject({ state: 'not-needed' });
    unlinkSync(path);
    await house.footage.rescan();
    expect(house.told('hold.violated')).toMatchObject([{ hold, count: 1, copied: 0 }]);
  });

  it('D4 what a pass finds later is copied without anybody asking', async () => {
    const house = new House(', mode: erase, recorderDeletes: true');
    house.record(NOW - 5 * DAY_MS, 1);
    await house.footage.start();
    await house.footage.rescan();
    const hold = house.hold();
    await until(() => house.footage.vault?.progress(hold).state === 'copied');
    house.record(NOW - 4 * DAY_MS, 2);
    await house.footage.rescan();
    await until(() => house.footage.vault?.progress(hold).done === 3);
    expect(statSync(house.vault).mode & 0o777).toBe(0o700);
  });

  it('H9 a root that is configured no more: the copies of it go on their day all the same', async () => {
    const house = new House();
    house.record(NOW - 31 * DAY_MS, 2);
    house.footage.doers['policy.set']?.({ class: 'recording', policy: THIRTY_DAYS } as never);
    await house.footage.start();
    await house.footage.rescan();
    const hold = house.hold();
    await until(() => house.footage.vault?.progress(hold).state === 'copied');
    await house.footage.stop();
    const without = house.again('');
    without.stated(utcMs(NOW), true);
    await without.start();
    house.sql('UPDATE holds SET released_at = 1');
    await without.doers['sweep.run']?.({} as never);
    await until(() => house.copies().length === 0);
  });

  it('C43 the end of the agreement takes what originals were called; the copies stay', async () => {
    const house = new House();
    house.record(NOW - 5 * DAY_MS, 2);
    await house.footage.start();
    await house.footage.rescan();
    const hold = house.hold();
    await until(() => house.footage.vault?.progress(hold).state === 'copied');
    await house.footage.stop();
    house.footage.erase();
    expect(house.copies()).toHaveLength(2);
    expect(house.sql("SELECT id FROM vault_copies WHERE path <> x'' OR name <> x''")).toEqual([]);
  });
});
