/** CSV: all that the JSON says, in columns. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csvOf } from '../../cli/csv.ts';
import { TABLE } from '../../cli/table.ts';
import { ApiWorld, type Loose, type TestHost } from '../collector/api-world.ts';
import { CliWorld } from './cli-world.ts';

let world: ApiWorld;
let cli: CliWorld;
let host: TestHost;
const run = (line: string, options = {}) => cli.run(line.split(' '), options);

beforeAll(async () => {
  world = await ApiWorld.make();
  cli = new CliWorld();
  cli.use(world, await world.person('admin', null, 'Root Specimen'));
  host = await world.host();
  await host.session();
});
afterAll(async () => {
  cli.close();
  await world.close();
});

/** Rows as objects; good enough for cells without line breaks. */
function parse(text: string): Record<string, string>[] {
  const lines = text.trimEnd().split('\r\n').map(cellsOf);
  const [names = [], ...rows] = lines;
  for (const row of rows) expect(row).toHaveLength(names.length);
  return rows.map((row) => Object.fromEntries(row.map((cell, i) => [names[i] ?? '', cell])));
}

function cellsOf(line: string): string[] {
  return [...`,${line}`.matchAll(/,(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
}

describe('H4', () => {
  it('H4 nested fields have dotted columns; a declared object is JSON; an empty list keeps its header', () => {
    const items = [
      { a: 1, peer: null, ips: [], list: ['x', 'y'], data: { b: 2 }, on: true },
      {
        a: -2,
        peer: { id: '7', names: ['A', 'B'] },
        ips: [{ ip: 'p', basis: 'q' }, { ip: 'r' }],
        more: '=1',
      },
    ];
    expect(csvOf(items, ['a', 'data']).split('\r\n')).toEqual([
      'a,data,list,on,peer.id,peer.names,ips.ip,ips.basis,more',
      '1,"{""b"":2}",x; y,true,,,,,',
      "-2,,,,7,A; B,p; r,q; ,'=1",
      '',
    ]);
    expect(csvOf([], ['a', 'b.c'])).toBe('a,b.c\r\n');
  });

  it('H4 a session has every field of its JSON, times in UTC, whatever --tz says', async () => {
    const [item] = (await run('session list -o json')).json().items as Loose[];
    const { out } = await run('session list -o csv --tz Europe/Copenhagen');
    const [row] = parse(out);
    for (const [name, value] of Object.entries(item ?? {})) {
      // Nested: its columns have dotted names, also where there is nothing in it.
      if (Object.keys(row ?? {}).some((column) => column.startsWith(`${name}.`))) continue;
      const shown = Array.isArray(value) ? value.join('; ') : String(value ?? '');
      expect([name, row?.[name]]).toEqual([name, shown]);
    }
    expect(row).toMatchObject({
      startedAt: '2026-11-22T12:00:00.000Z',
      durationSeconds: '124',
      host: 'srv-01',
      hostId: host.id,
      customer: 'Acme',
      'peer.id': '1660360496',
      'peer.names': 'Ada Example',
    });
    const none = await run('session list --peer 999 -o csv');
    expect(none.out.split('\r\n')).toHaveLength(2);
    expect(out.startsWith(none.out.trimEnd())).toBe(true);
  });

  it.each([
    'host list',
    'token list',
    'person list',
    'agreement list',
    'retention rules',
    'event list --type session.started',
    'coverage srv-01',
  ])('H4 %s: every plain field of an item is a column', async (line) => {
    await run('token create --customer Acme --site Albertslund');
    const items = (await run(`${line} -o json`)).json().items as Loose[];
    const rows = parse((await run(`${line} -o csv`)).out);
    expect(rows).toHaveLength(items.length);
    for (const [i, item] of items.entries()) {
      for (const [name, value] of Object.entries(item)) {
        if (typeof value !== 'object') expect(rows[i]?.[name]?.replace(/^'/, '')).toBe(String(value));
      }
    }
  });

  it('H4 acts and looks at one thing have it too', async () => {
    const [made] = parse((await run('token create --customer Acme --site Albertslund -o csv')).out);
    expect(Object.keys(made ?? {})).toEqual(['id', 'token', 'expiresAt', 'agreement']);
    const file = cli.file(
      'Connections_incoming.txt',
      `\n1660360496\tAda\t16-02-2024 14:16:32\t16-02-2024 14:18:36\tu\tRemoteControl\t{b3a4df33-d027-44d5-b50f-4e61115494d4}\t\n`,
    );
    const tested = await run(`source test ${file} --type teamviewer -o csv`);
    expect(parse(tested.out)).toMatchObject([
      { startedAt: '2024-02-16T14:16:32.000Z', peerId: '1660360496' },
    ]);
    expect(tested.err).toContain('0 lines not understood');
  });

  const SENT: Record<string, string> = {
    'collector init': `--state ${join('/nonexistent', 'x')} --policy none --dry-run`,
    'token create': '--customer Acme --site Albertslund --dry-run',
    'person add': '--role auditor --dry-run',
    'agreement create': '--customer Acme --dry-run',
    'retention set': 'dk-msp --dry-run',
    'webhook add': '--url https://alerts.example/ --make-secret --dry-run',
    'host show': 'srv-01',
    'telemetry show': 'srv-01',
    'host approve': 'srv-01 --dry-run',
    'host resolve': 'srv-01 --dry-run',
    'host revoke': 'srv-01 --dry-run',
  };
  const NO_ANSWER = ['collector run', 'agent run', 'quickstart', 'session tail', 'event tail'];
  const NEEDS_MORE = [
    'collector restore',
    'collector keys2',
    'collector backup',
    'agent enrol',
    'agent status',
    'agent check',
    'source list',
    'source test',
    'login',
    'session show',
    'agreement end',
    'agreement cancel',
    'agreement show',
    'erasure show',
    'session explain',
    'session reveal',
    'session erase',
    'ticket import',
    'person id add',
    'person id list',
    'person id remove',
    'token revoke',
    'person change',
    'approval approve',
    'approval refuse',
    'person revoke',
    'alert ack',
    'audit show',
    'audit sign',
    'webhook remove',
    'webhook test',
    // Asked of a running agent with a root: recordings.test.ts.
    'source add',
    'source accept-root',
    'source retire',
    'recording list',
    'recording due',
    'recording missing',
    'recording stats',
    'sweep plan',
    'sweep run',
    'sweep approve',
    'sweep status',
    // holds.test.ts
    'hold preview',
    'hold place',
    'hold show',
    'hold notify',
    'hold confirm',
    'hold release',
    'hold slip',
    'hold import',
    'camera register',
  ];

  it.each(TABLE.map(({ path }) => path).filter((path) => ![...NO_ANSWER, ...NEEDS_MORE].includes(path)))(
    'H4 %s -o csv: a header, and rows as long as it',
    async (path) => {
      const { out, err } = await run(`${path} ${SENT[path] ?? ''} -o csv`.replace(/ +/g, ' '));
      expect(err).not.toContain('error:');
      expect(cellsOf(out.split('\r\n')[0] ?? '').length).toBeGreaterThan(1);
      parse(out);
    },
  );
});
