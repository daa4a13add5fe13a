/** Why somebody was there, as people type it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { ApiWorld, PEER, START, type TestHost } from '../collector/api-world.ts';
import { CliWorld } from './cli-world.ts';

let world: ApiWorld;
let cli: CliWorld;
let host: TestHost;
let auditor: string;
let ada: string;

beforeAll(async () => {
  world = await ApiWorld.make();
  cli = new CliWorld();
  cli.use(world, await world.person('admin'));
  auditor = cli.file('auditor', await world.person('auditor'));
  host = await world.host();
  const name = cli.file('name', 'Ada Specimen\n');
  const added = await cli.run(['person', 'add', '--role', 'technician', '--name-file', name, '-o', 'json']);
  ada = added.json().id;
});
afterAll(async () => {
  cli.close();
  await world.close();
});

const run = (line: string, options = {}) => cli.run(line.split(' '), options);
const asAuditor = {
  env: {
    get TILSYN_TOKEN_FILE() {
      return auditor;
    },
  },
};

describe('session explain', () => {
  it('explains, shows ticket and purpose, and takes them from files', async () => {
    const session = await host.session();
    const purpose = cli.file('purpose', 'printer driver, front desk\n');
    const said = await run(`session explain ${session} --ticket INC-1 --purpose @${purpose} -o json`);
    expect([said.code, said.json().ticket, said.json().purpose]).toEqual([
      0,
      'INC-1',
      'printer driver, front desk',
    ]);
    const shown = await run(`session show ${session}`);
    expect(shown.out).toMatch(/ticket +INC-1/);
    expect((await run(`session show ${session} -o csv`)).out).toContain('printer driver');
    expect((await run('session list --unexplained')).out).toContain('no sessions');
  });

  it('wants a ticket (2), a session that there is (3), and one whose data lives (7)', async () => {
    const session = await host.session({ startedAt: utcMs(START + MINUTE_MS) });
    expect((await run(`session explain ${session}`)).code).toBe(2);
    expect((await run(`session explain ${'0'.repeat(32)} --ticket X`)).code).toBe(3);
    const gone = await world.host({ customer: 'Gone', name: 'srv-09' });
    const erased = await gone.session();
    await world.erase(gone.group('session.started'));
    const late = await run(`session explain ${erased} --ticket X -o json`);
    expect([late.code, JSON.parse(late.err).error.code]).toEqual([7, 'session.erased']);
  });
});

describe('person id', () => {
  it('adds by file, lists, gives the session its technician, and removes', async () => {
    const value = cli.file('id', '1 660 360 496\n');
    const from = toIso(START);
    const added = await run(
      `person id add ${ada} --kind teamviewer --value-file ${value} --from ${from} -o json`,
    );
    expect([added.code, added.json().from]).toEqual([0, from]);
    const listed = (await run(`person id list ${ada} -o json`)).json();
    expect(listed.items).toMatchObject([{ kind: 'teamviewer', value: '1 660 360 496', state: 'active' }]);
    const session = await host.session({ startedAt: utcMs(START + 2 * MINUTE_MS) });
    expect((await run(`session show ${session} -o json`)).json().technician).toBe('Ada Specimen');
    expect((await run(`session list --technician ${ada} -o json`)).json().items.length).toBeGreaterThan(0);
    const removed = await run(`person id remove ${ada} ${added.json().id} -o json`);
    expect([removed.code, removed.json().state]).toEqual([0, 'removed']);
    expect((await run(`person id add ${ada} --kind teamviewer`)).err).toContain('--value-file');
  });
});

describe('session reveal', () => {
  it('shows names to who is shown pseudonyms, with a reason only', async () => {
    const session = await host.session({ startedAt: utcMs(START + 3 * MINUTE_MS) });
    const before = await run(`session show ${session} -o json`, asAuditor);
    expect(before.json()).toMatchObject({ personal: 'pseudonym', peer: { names: [], ips: [] } });
    expect((await run(`session list`, asAuditor)).out).not.toContain(PEER.peerId);
    expect((await run(`session reveal ${session}`, asAuditor)).code).toBe(2);
    const revealed = await run(`session reveal ${session} --reason complaint -o json`, asAuditor);
    expect([revealed.code, revealed.json().peer.id]).toEqual([0, PEER.peerId]);
  });
});

describe('ticket import', () => {
  const tickets = (technician: string) =>
    cli.file(
      'tickets.csv',
      `ticket,host,technician,from,to\nINC-7,srv-01,${technician},2026-11-22 13:30,2026-11-22 14:30\n`,
    );

  it('reads local time in --tz, explains what fits, and says so', async () => {
    const value = cli.file('id', '700700700');
    await run(`person id add ${ada} --kind teamviewer --value-file ${value}`);
    const startedAt = utcMs(START + 40 * MINUTE_MS); // 13:40 in Copenhagen
    const session = await host.session({ startedAt, personal: { peerId: '700700700' } });
    const line = `ticket import ${tickets('Ada Specimen')} --tz Europe/Copenhagen -o json`;
    const argv = line.split(' ');
    expect((await cli.run([...argv, '--dry-run'])).json()).toMatchObject({ imported: 1, dryRun: true });
    const done = await cli.run(argv);
    expect([done.code, done.json()]).toMatchObject([0, { imported: 1, explained: [session], ambiguous: [] }]);
    expect((await cli.run(argv)).json()).toMatchObject({ imported: 0, known: 1 });
    expect((await run(`session show ${session} -o json`)).json().ticket).toBe('INC-7');
  });

  it('names all that is wrong, with exit 2 and one error', async () => {
    const { code, err, out } = await run(`ticket import ${tickets('Nobody')} -o json`);
    expect([code, out, JSON.parse(err).error.code]).toEqual([2, '', 'ticket.file']);
    expect(JSON.parse(err).error.message).toContain('line 2, technician');
  });
});
