/**
 * Holds from end to end: a real collector, a real agent with a root that it erases in, the command line for both. H1, H2,
 * H3, H5, H7, H10, H16.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../agent/log.ts';
import { enrol, type Handle, markRoot, run as runAgent } from '../../agent/main.ts';
import { init, run as runCollector } from '../../collector/main.ts';
import { addPerson } from '../../collector/people.ts';
import { createToken } from '../../collector/tokens.ts';
import { DAY_MS, HOUR_MS, systemClock } from '../../protocol/time.ts';
import { freePort } from '../support/free-port.ts';
import { CliWorld, type Ran } from './cli-world.ts';

let cli: CliWorld;
let home: string;
let root: string;
let state: string;
let config: string;
let agent: Handle | null = null;
let port: number;
let collector: Awaited<ReturnType<typeof runCollector>>;
const second: Record<string, string> = {};
const old = systemClock.now() - 35 * DAY_MS;
const paths = [0, 1, 2].flatMap((hour) =>
  ['gate', 'yard'].map((camera) => pathAt(old + hour * HOUR_MS, camera)),
);

const start = async () => {
  agent = await runAgent({ state, config, signals: false, log: silentLog });
};
const stop = async () => {
  await agent?.stop();
  agent = null;
};

beforeAll(async () => {
  cli = new CliWorld();
  home = mkdtempSync(join(tmpdir(), 'tilsyn-cli-holds-'));
  root = join(home, 'recordings');
  for (const path of paths) record(path);
  port = await freePort();
  const at = join(home, 'collector');
  await init({ state: at, policy: 'dk-msp', url: `wss://127.0.0.1:${port}` });
  collector = await runCollector({ state: at, listen: `127.0.0.1:${port}`, signals: false });
  const { text: token } = await createToken(collector.ctx, {
    customer: 'Acme',
    site: 'Albertslund',
    person: null,
  });
  state = join(home, 'agent');
  await enrol({ state, token });
  await markRoot(root);
  config = join(home, 'agent.yaml');
  const source = { type: 'recordings', root, layout: 'frigate', mode: 'erase' };
  writeFileSync(config, JSON.stringify({ sources: [source], telemetry: null }));
  await start();
  cli.env.TILSYN_SERVER = `https://127.0.0.1:${port}`;
  cli.env.TILSYN_TOKEN_FILE = join(at, 'admin.token');
  cli.env.TILSYN_CA = join(at, 'ca.pem');
  const other = await addPerson(collector.ctx, { role: 'security', customers: null, createdBy: null });
  second.TILSYN_TOKEN_FILE = cli.file('second', `${other.token}\n`);
}, 60_000);

afterAll(async () => {
  await stop();
  await collector?.stop();
  cli.close();
  rmSync(home, { recursive: true, force: true });
});

function pathAt(at: number, camera: string): string {
  const iso = new Date(at).toISOString();
  return `${iso.slice(0, 10)}/${iso.slice(11, 13)}/${camera}/${iso.slice(14, 16)}.${iso.slice(17, 19)}.mp4`;
}

function record(path: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), 'footage');
  // Written a minute ago: what is younger may still be written.
  utimesSync(join(root, path), systemClock.now() / 1000 - 60, systemClock.now() / 1000 - 60);
}

const host = () => collector.ctx.store.read.agents.list().then(([row]) => row?.agent ?? '');
const far = (args: readonly string[], env = {}): Promise<Ran> => cli.run([...args, '-o', 'json'], { env });
const near = (line: string) => cli.run([...line.split(' '), '--state', state, '-o', 'json']);
const iso = (at: number) => new Date(at).toISOString();
const there = () => paths.filter((path) => existsSync(join(root, path)));

const WHY = [
  '--kind',
  'dispute',
  '--case',
  '2026-114',
  '--basis',
  'TVOL 4 c (5)',
  '--reason',
  'claim about a fall',
];
const REVIEW = ['--review', iso(systemClock.now() + 30 * DAY_MS)];

describe('holds', () => {
  let hold = '';
  const scope = async () => [
    ...['--camera', `${await host()}/gate`],
    // Ends within the second hour: what overlaps it is covered whole (D3).
    ...['--from', iso(old + HOUR_MS + 1_000), '--to', iso(old + HOUR_MS + 5_000)],
  ];

  it('H1 names everything that is missing at once, and places nothing (exit 2)', async () => {
    const none = await far(['hold', 'place']);
    expect(none.code).toBe(2);
    expect(none.err).toMatch(/--kind.*--case.*--basis.*--reason.*--review.*a scope/);
    const wrong = await far([
      'hold',
      'place',
      ...WHY,
      ...REVIEW,
      '--site',
      'Albertslund',
      '--host',
      'x',
      '--from',
      iso(systemClock.now() + DAY_MS),
    ]);
    expect(wrong.err).toMatch(/one scope only.*a --from that is over/);
    const wide = await far(['hold', 'place', ...WHY, ...REVIEW, '--site', 'Albertslund']);
    expect(wide.code).toBe(2);
    expect(wide.err).toContain('wide (a whole site)');
    expect((await far(['hold', 'list'])).json().items).toEqual([]);
  });

  it('H2 previews what it would cover, and changes nothing', async () => {
    await expect
      .poll(async () => (await near('recording list')).json().items.length, { timeout: 30_000 })
      .toBe(paths.length);
    const seen = await far(['hold', 'preview', ...(await scope())]);
    expect(seen.code).toBe(0);
    expect(seen.json()).toMatchObject({ recordings: 1, bytes: 7, erased: 0, complete: true, wide: null });
    // The root is new: no day of it is finished yet.
    const filling = { fullAt: null, byHolds: false };
    expect(seen.json().hosts[0].filling).toMatchObject({ without: filling, withThis: filling });
    expect(
      (await far(['hold', 'preview', '--camera', 'nobody/gate', '--from', iso(old), '--to', iso(old + 1)]))
        .code,
    ).toBe(3);
  });

  it('H2, H16 is in force at once on a connected host: --wait exits 0', async () => {
    const placed = await far([
      'hold',
      'place',
      ...WHY,
      ...REVIEW,
      ...(await scope()),
      '--wait',
      '--timeout',
      '20s',
    ]);
    expect(placed.err).toBe('');
    expect(placed.code).toBe(0);
    const item = placed.json();
    hold = item.id;
    expect(item).toMatchObject({
      state: 'placed',
      agents: [{ state: 'in-force', protection: 'not-needed', recordings: 1, erased: 0, erasing: 0 }],
    });
    // H8: the host was told no more than it needs.
    const { commands } = collector.ctx.store.read;
    const [order] = await commands.list({ agent: (await host()) as never, verb: 'hold.place' });
    expect(Object.keys(order?.body ?? {}).sort()).toEqual(['cameras', 'from', 'hold', 'to']);
  });

  it('D1 the sweep takes the rest and leaves what is held', async () => {
    // The rules come from the collector within seconds (V70).
    const planOf = async () => {
      await near('sweep run');
      return (await near('sweep plan')).json().items[0]?.plan ?? null;
    };
    await expect.poll(planOf, { timeout: 30_000 }).toBeTruthy();
    const approved = await near(`sweep approve ${await planOf()} --yes --reason seen`);
    expect(approved.code).toBe(0);
    await expect.poll(there, { timeout: 30_000 }).toEqual([pathAt(old + HOUR_MS, 'gate')]);
    const [kept] = (await near('recording list --recording-state present')).json().items;
    expect(kept).toMatchObject({ holds: [hold], reason: 'hold' });
  });

  it('H2 over what is gone it says how many', async () => {
    const placed = await far([
      ...['hold', 'place', ...WHY, ...REVIEW, '--camera', `${await host()}/yard`],
      ...['--from', iso(old), '--to', iso(old + 3 * HOUR_MS), '--wait', '--timeout', '20s'],
    ]);
    expect(placed.json().agents).toMatchObject([{ state: 'in-force', recordings: 0, erased: 3 }]);
  });

  it('H5 a dispute that nobody was told of is overdue; told, it is not', async () => {
    const late = await far(['hold', 'list', '--overdue']);
    expect(late.code).toBe(6);
    expect(late.json().items.map(({ id }: { id: string }) => id)).toContain(hold);
    expect((await far(['hold', 'notify', hold])).code).toBe(2);
    const told = await far([
      'hold',
      'notify',
      hold,
      '--who',
      'the claimant',
      '--how',
      'letter',
      '--copy-asked',
    ]);
    expect(told.json().notice).toMatchObject({ overdue: false, doneAt: expect.any(String) });
    const again = (await far(['hold', 'list', '--overdue'])).json().items;
    expect(again.map(({ id }: { id: string }) => id)).not.toContain(hold);
    const text = await cli.run(['hold', 'notify', hold, '--template', 'da', '--controller', 'Acme A/S']);
    expect(text.out).toContain('Acme A/S gemmer videooptagelser');
  });

  it('H2, H10 to a host that is away it is pending; a slip that is carried there puts it in force', async () => {
    await stop();
    const placed = await far([
      ...[
        'hold',
        'place',
        ...WHY,
        ...REVIEW,
        '--host',
        await host(),
        '--from',
        iso(old),
        '--to',
        iso(old + DAY_MS),
      ],
      ...['--wait', '--timeout', '2s'],
    ]);
    expect(placed.code).toBe(10);
    expect(placed.json().agents).toMatchObject([{ state: 'pending', lastSeen: expect.any(String) }]);
    const away = placed.json().id;
    const file = join(home, 'hold.slip');
    expect((await far(['hold', 'slip', away, '--out', file])).code).toBe(0);
    // The host has no line: its collector is stopped.
    await collector.stop();
    await start();
    expect((await near(`hold import ${file}`)).json()).toEqual({ hold: away, already: false });
    expect((await near(`hold import ${file}`)).json()).toEqual({ hold: away, already: true });
    collector = await runCollector({
      state: join(home, 'collector'),
      listen: `127.0.0.1:${port}`,
      signals: false,
    });
    const stateOf = async () => (await far(['hold', 'show', away])).json().agents[0].state;
    await expect.poll(stateOf, { timeout: 60_000, interval: 500 }).toBe('in-force');
  }, 90_000);

  it('H3 goes by a second word only, and what it kept goes with the next sweep', async () => {
    const all = (await far(['hold', 'list'])).json().items as { id: string }[];
    for (const { id } of all) {
      const asked = await far(['hold', 'release', id, '--reason', 'settled', '--yes']);
      expect(asked.code).toBe(5);
      const { items } = (await far(['approval', 'list'])).json();
      const open = items.find(
        (one: { verb: string; state: string }) => one.verb === 'hold.release' && one.state === 'open',
      );
      expect((await far(['approval', 'approve', open.id])).code).toBe(5);
      expect((await far(['approval', 'approve', open.id], second)).code).toBe(0);
    }
    const states = async () =>
      (await far(['hold', 'list']))
        .json()
        .items.flatMap((one: { agents: { state: string }[] }) => one.agents.map((at) => at.state));
    await expect.poll(states, { timeout: 30_000 }).toEqual(['released', 'released', 'released']);
    const left = async () => {
      await near('sweep run');
      return there();
    };
    await expect.poll(left, { timeout: 30_000 }).toEqual([]);
  }, 60_000);

  it('H5 the whole history stands on one screen, with what people wrote', async () => {
    const { out } = await cli.run(['hold', 'show', hold]);
    for (const word of [
      'hold.placed',
      'claim about a fall',
      'hold.applied',
      'hold.notified',
      'the claimant',
      'hold.released',
    ]) {
      expect(out).toContain(word);
    }
  });
});
