/** Every command × role × customer against the one table. A command that is new and not in `COMMANDS` makes this red. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TABLE } from '../../cli/table.ts';
import { may, type Verb } from '../../collector/permissions.ts';
import { setPack } from '../../collector/policy.ts';
import {
  ABSENT,
  named,
  type Side,
  type TwoCustomers,
  twoCustomers,
  WHO,
  type Who,
} from '../collector/two-customers.ts';
import { CliWorld } from './cli-world.ts';

/** Commands that ask no collector, or only one that knows no people yet. */
const LOCAL = [
  'collector init',
  'collector run',
  'collector backup',
  'collector restore',
  'collector keys2',
  'agent enrol',
  'agent run',
  'agent status',
  'agent check',
  'source accept-root',
  'source add',
  'source detect',
  'source list',
  'source retire',
  'source test',
  'hold import',
  'logout',
  'quickstart',
  'version',
];

/** Commands whose arguments name nothing of a customer. */
const NAMELESS = ['login', 'retention set'];

interface Asks {
  verb: Verb;
  /** What is typed behind the command; things of a side where it names any. */
  args?: (side: Side) => string;
  /** Exit where what is named is not there, if not 3: of a file all that is wrong is named at once. */
  absent?: number;
}
const COMMANDS: Readonly<Record<string, Asks>> = {
  login: { verb: 'whoami', args: () => '--server URL --token-file TOKEN --ca CA --dry-run' },
  whoami: { verb: 'whoami' },
  'token create': { verb: 'token.create', args: (s) => `--customer ${s.customerName} --site x --dry-run` },
  'token list': { verb: 'token.list' },
  'token revoke': { verb: 'token.revoke', args: (s) => `${s.token} --dry-run` },
  'person add': { verb: 'person.add', args: (s) => `--role auditor --customer ${s.customer} --dry-run` },
  'person list': { verb: 'person.list' },
  'person change': { verb: 'person.change', args: (s) => `${s.person} --no-reading --dry-run` },
  'person revoke': { verb: 'person.revoke', args: (s) => `${s.person} --dry-run` },
  'approval list': { verb: 'approval.list' },
  'approval approve': { verb: 'approval.approve', args: (s) => `${s.approval} --dry-run` },
  'approval refuse': { verb: 'approval.refuse', args: (s) => `${s.approval} --reason no --dry-run` },
  'alert list': { verb: 'alert.list', args: (s) => `--host ${s.host}` },
  'alert ack': { verb: 'alert.ack', args: (s) => `${s.alert} --dry-run` },
  'audit list': { verb: 'audit.list', args: (s) => `--host ${s.hostName}` },
  'audit show': { verb: 'audit.show', args: (s) => s.audit },
  'audit sign': { verb: 'audit.sign', args: (s) => `${s.audit} --dry-run` },
  'webhook list': { verb: 'webhook.list' },
  'webhook add': {
    verb: 'webhook.add',
    args: (s) => `--url https://alerts.example/ --make-secret --customer ${s.customer} --dry-run`,
  },
  'webhook remove': { verb: 'webhook.remove', args: (s) => `${s.webhook} --dry-run` },
  'webhook test': { verb: 'webhook.test', args: (s) => `${s.webhook} --dry-run` },
  'telemetry show': { verb: 'telemetry.show', args: (s) => s.hostName },
  'host list': { verb: 'host.list', args: (s) => `--customer ${s.customerName}` },
  'host show': { verb: 'host.show', args: (s) => s.hostName },
  'host approve': { verb: 'host.approve', args: (s) => `${s.host} --dry-run` },
  'host resolve': { verb: 'host.resolve', args: (s) => `${s.hostName} --dry-run` },
  'host revoke': { verb: 'host.revoke', args: (s) => `${s.host} --dry-run` },
  'agreement create': { verb: 'agreement.create', args: (s) => `--customer ${s.customer} --dry-run` },
  'agreement list': { verb: 'agreement.list' },
  'agreement end': { verb: 'agreement.end', args: (s) => `${s.agreement} --dry-run` },
  'agreement show': { verb: 'agreement.show', args: (s) => s.agreement },
  'agreement cancel': { verb: 'agreement.cancel', args: (s) => `${s.ending} --dry-run` },
  'erasure list': { verb: 'erasure.list', args: (s) => `--customer ${s.customerName}` },
  'erasure show': { verb: 'erasure.show', args: (s) => s.erasure },
  'session list': { verb: 'session.list', args: (s) => `--host ${s.hostName}` },
  'session show': { verb: 'session.show', args: (s) => s.session },
  'session explain': { verb: 'session.explain', args: (s) => `${s.session} --ticket INC-1 --dry-run` },
  'session reveal': { verb: 'session.reveal', args: (s) => `${s.session} --reason complaint` },
  'session erase': { verb: 'session.erase', args: (s) => `${s.session} --dry-run` },
  'ticket import': {
    verb: 'ticket.import',
    args: (s) => `TICKETS-${s.hostName}-${s.person} --dry-run`,
    absent: 2,
  },
  'person id add': {
    verb: 'person.id.add',
    args: (s) => `${s.person} --kind account --value-file VALUE --dry-run`,
  },
  'person id list': { verb: 'person.id.list', args: (s) => s.person },
  'person id remove': { verb: 'person.id.remove', args: (s) => `${s.person} ${s.identity} --dry-run` },
  // `--after x` ends at once what would begin here.
  'session tail': { verb: 'session.tail', args: (s) => `--host ${s.host} --after x` },
  'event list': { verb: 'event.list', args: (s) => `--customer ${s.customer}` },
  'event tail': { verb: 'event.tail', args: (s) => `--customer ${s.customerName} --after x` },
  coverage: { verb: 'coverage', args: (s) => s.hostName },
  'retention rules': { verb: 'retention.rules' },
  'retention lint': { verb: 'retention.lint' },
  'retention plan': { verb: 'retention.plan' },
  'retention set': { verb: 'retention.set', args: () => 'dk-msp --dry-run' },
  'recording list': { verb: 'recording.list', args: (s) => `--host ${s.hostName}` },
  'recording due': { verb: 'recording.due', args: (s) => `--host ${s.host}` },
  'recording missing': { verb: 'recording.missing', args: (s) => `--host ${s.hostName}` },
  'recording stats': { verb: 'recording.stats', args: (s) => `--host ${s.hostName}` },
  'camera list': { verb: 'camera.list', args: (s) => `--host ${s.hostName}` },
  'camera register': { verb: 'camera.register', args: (s) => `${s.camera} --purpose theft --dry-run` },
  'sweep plan': { verb: 'sweep.plan', args: (s) => `--host ${s.host}` },
  'sweep status': { verb: 'sweep.status', args: (s) => `--host ${s.hostName}` },
  'sweep run': { verb: 'sweep.run', args: (s) => `--host ${s.host} --dry-run` },
  'sweep approve': { verb: 'sweep.approve', args: (s) => `--clock --host ${s.host} --dry-run` },
  'hold preview': { verb: 'hold.preview', args: (s) => `--host ${s.hostName}` },
  'hold place': {
    verb: 'hold.place',
    args: (s) =>
      `--host ${s.host} --kind dispute --case 1 --basis b --reason r --wide w --review 2027-03-01T00:00:00Z --dry-run`,
  },
  'hold list': { verb: 'hold.list' },
  'hold show': { verb: 'hold.show', args: (s) => s.hold },
  'hold notify': { verb: 'hold.notify', args: (s) => `${s.hold} --who x --how x --dry-run` },
  'hold confirm': { verb: 'hold.confirm', args: (s) => `${s.hold} --host ${s.host} --note x --dry-run` },
  'hold slip': { verb: 'hold.slip', args: (s) => s.hold },
  'hold release': { verb: 'hold.release', args: (s) => `${s.hold} --dry-run` },
};

let two: TwoCustomers;
let cli: CliWorld;
beforeAll(async () => {
  two = await twoCustomers();
  cli = new CliWorld();
  cli.use(two.world, two.admin);
  // Without a policy nothing goes on request.
  const { ctx } = two.world;
  const [first] = await ctx.store.read.people.list();
  await ctx.store.write((tx) => setPack(ctx, tx, { pack: 'dk-msp', person: first?.person ?? null }));
});
afterAll(async () => {
  cli.close();
  await two.world.close();
});

async function run(path: string, side: Side, token: string) {
  const env = { TILSYN_TOKEN_FILE: cli.file('who', token) };
  const typed = `${path} ${COMMANDS[path]?.args?.(side) ?? ''} -o OUT`
    .replace('OUT', path.endsWith('tail') ? 'jsonl' : 'json')
    .replace('URL', two.world.url)
    .replace('TOKEN', env.TILSYN_TOKEN_FILE)
    .replace(/TICKETS-(\S+)-([0-9a-f]{32})/, (_, host, person) => tickets(host, person))
    .replace('VALUE', cli.file('value', 'specimen\n'))
    .replace(' CA ', ` ${cli.env.TILSYN_CA} `);
  return cli.run(typed.split(/ +/), { env });
}
function tickets(host: string, person: string): string {
  const row = `INC-1;${host};${person};2026-11-22T12:00:00Z;2026-11-22T13:00:00Z`;
  return cli.file('tickets.csv', `ticket;host;technician;from;to\n${row}\n`);
}
const tokenOf = (tokens: TwoCustomers['bound'], who: Who) => tokens.get(who) ?? '';

/** Commands that the matrix does not know, and those that it knows and are gone. */
function unlisted(paths: readonly string[]): string[] {
  const known = [...LOCAL, ...Object.keys(COMMANDS)];
  return [...paths.filter((path) => !known.includes(path)), ...known.filter((path) => !paths.includes(path))];
}

describe('commands', () => {
  it('Q11 every command stands in this matrix; one that is new is seen', () => {
    const paths = TABLE.map(({ path }) => path);
    expect(unlisted(paths)).toEqual([]);
    expect(unlisted([...paths.filter((path) => path !== 'whoami'), 'host burn'])).toEqual([
      'host burn',
      'whoami',
    ]);
  });
});

describe.each(WHO.map((who) => [named(who), who] as const))('%s', (_, who) => {
  it('Q11 exit 5 where the table does not give the command, and only there', async () => {
    for (const [path, { verb }] of Object.entries(COMMANDS)) {
      const { code, out, err } = await run(path, two.own, tokenOf(two.free, who));
      const refused = code === 5 && JSON.parse(err).error.code.startsWith('permission.');
      expect(`${path}: ${refused ? 'refused' : 'let in'}`).toBe(
        `${path}: ${may(who, verb) ? 'let in' : 'refused'}`,
      );
      if (refused) expect(out).toBe('');
      else expect([0, 2, 6], `${path} ${err}`).toContain(code);
    }
  });

  it('Q4 of another customer: what is said is what is said of what never was', async () => {
    const token = tokenOf(two.bound, who);
    for (const [path, { verb, args, absent = 3 }] of Object.entries(COMMANDS)) {
      if (!may(who, verb)) continue;
      const theirs = await run(path, two.other, token);
      const foreign = Object.values(two.other).filter((word) => theirs.out.includes(word));
      expect(foreign, path).toEqual([]);
      if (args === undefined || NAMELESS.includes(path)) continue;
      const none = await run(path, ABSENT, token);
      expect([theirs.code, theirs.out, theirs.err], path).toEqual([none.code, none.out, none.err]);
      expect(none.code, path).toBe(absent);
    }
  });
});
