import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPolicyFile } from '../../cli/policy-file.ts';
import { setPack } from '../../collector/policy.ts';
import { DAY_MS, utcMs } from '../../protocol/time.ts';
import { ApiWorld, type Loose, START, type TestHost } from '../collector/api-world.ts';
import { CliWorld } from './cli-world.ts';

let world: ApiWorld;
let cli: CliWorld;
let host: TestHost;
const run = (line: string, options = {}) => cli.run(line.split(' '), options);

beforeAll(async () => {
  world = await ApiWorld.make();
  cli = new CliWorld();
  cli.use(world, await world.person('admin'));
  host = await world.host();
  await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'dk-msp', person: null }));
});
afterAll(async () => {
  cli.close();
  await world.close();
});

const GOOD = `
name: acme
version: 2
author: office
zone: Europe/Copenhagen
rules:
  - class: session
    trigger: session-end
    keepAtMost: P30D
    action: erase
`;
const BAD = `
name: acme
versoin: 2
author: office
zone: Europe/Kopenhagen
rules:
  - class: sesion
    trigger: sesion-end
    keepAtMost: 30D
    action: delete
  - class: session
    trigger: last-activity
    keepAtMost: P30D
    keepAtLeast: P1M
    action: erase
    nots: x
  - {class: session, trigger: event, keepAtMost: P1D, action: erase}
`;

function problems(text: string): string[] {
  const read = readPolicyFile(text);
  return 'problems' in read ? read.problems.map((one) => `${one.line} ${one.text}`) : [];
}

describe('retention lint FILE', () => {
  it('H5 says every problem at once, with its line and the nearest word; exit 6', async () => {
    const found = problems(BAD);
    const said = [
      '2 version: is missing',
      '3 unknown key "versoin"; did you mean "version"?',
      '5 zone: not a zone',
      '7 rules[0].class: expected one of: session',
      '8 rules[0].trigger: no trigger; did you mean "session-end"?',
      '9 rules[0].keepAtMost: not an ISO 8601 period',
      '10 rules[0].action: expected one of: erase, anonymise, report',
      '12 rules[1].trigger: last-activity comes with a later version',
      '14 rules[1].keepAtLeast: longer than keepAtMost',
      '16 unknown key "nots" in rules[1]; did you mean "note"?',
      '17 rules[2]: says again what rules[1] says',
    ];
    for (const [i, start] of said.entries()) expect(found[i]).toContain(start);
    expect(found).toHaveLength(said.length);
    expect(found.join()).toContain('did you mean "session"?');
    const ran = await run(`retention lint ${cli.file('bad.yaml', BAD)} -o json`);
    expect(ran.code).toBe(6);
    expect(ran.json().items.map((item: Loose) => `${item.line} ${item.text}`)).toEqual(found);
    expect(ran.json().items[0]).toMatchObject({ severity: 'error', finding: 'wrong' });
  });

  it('Y18 a file that is right: what it leaves open, asking nobody', async () => {
    const file = cli.file('good.yaml', GOOD);
    const ran = await run(`retention lint ${file} -o json`, {
      env: { TILSYN_SERVER: 'https://127.0.0.1:1' },
    });
    expect(ran.code).toBe(6);
    const { items } = ran.json();
    expect(new Set(items.map((item: Loose) => item.severity))).toEqual(new Set(['finding']));
    expect(items.map((item: Loose) => item.class)).not.toContain('session');
    const whole = `${GOOD}${[
      'host.name',
      'audit.event',
      'audit.reading',
      'hold.record',
      'person.account',
      'customer.name',
      'device.telemetry',
    ]
      .map((cls) => `  - {class: ${cls}, trigger: event, keepAtMost: P1Y, action: erase}\n`)
      .join('')}  - {class: recording, trigger: recording-end, keepAtMost: P30D, action: report}\n`;
    const clean = await run(`retention lint ${cli.file('whole.yaml', whole)}`);
    expect([clean.code, clean.out]).toEqual([0, 'no findings\n']);
  });

  it('H5 a finding of a rule names its line', async () => {
    const forever = GOOD.replace('keepAtMost: P30D', 'keepAtMost: null');
    const { items } = (await run(`retention lint ${cli.file('ever.yaml', forever)} -o json`)).json();
    expect(items.find((item: Loose) => item.finding === 'no-period')).toMatchObject({ line: 7, rule: 0 });
  });

  it.each([
    ['', 'name: is missing'],
    ['- 1\n', 'the file: expected object'],
    ['a: [[[\n', 'not YAML'],
    ['name: &a x\nzone: *a\n', 'anchors (&) and aliases (*) are not used'],
    ['rules: 1\n', 'rules: expected a list'],
    ['rules: [1]\n', 'rules[0]: expected object'],
    ['? [a]\n: 1\n', 'a key has to be one word'],
    [`name: ${'x'.repeat(300_000)}\n`, 'larger than 256 KiB'],
    [`${'['.repeat(100_000)}\n`, 'nested too deeply'],
    [`rules:\n${'  - {a: 1}\n'.repeat(60)}`, 'more problems'],
  ])('H5 a file that is none is told, never thrown: %#', (text, start) => {
    expect(problems(text).join('\n')).toContain(start);
    expect(problems(text).length).toBeLessThanOrEqual(201);
  });

  it('H5 no text is thrown at, and no value comes back in what is said', () => {
    const word = fc.constantFrom(
      'rules',
      'class',
      'trigger',
      'session',
      ':',
      '-',
      ' ',
      '\n',
      '[',
      ']',
      '{',
      '}',
      'P1D',
      '&a',
      '*a',
      '!!js',
      '"',
      '#',
      'canary-4711',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        for (const text of problems(words.join(''))) expect(text).toMatch(/^\d+ /);
      }),
      { numRuns: 500 },
    );
    const planted = BAD.replaceAll('P30D', 'canary-4711')
      .replace('30D', 'canary-4711')
      .replace('delete', 'canary-4711');
    expect(problems(planted).join()).not.toContain('canary');
  });
});

describe('retention rules, lint and plan', () => {
  it('rules: each class, its period, where the rule comes from', async () => {
    const { code, out } = await run('retention rules');
    expect(code).toBe(0);
    expect(out).toMatch(
      /session +one-off +session-end +P0D +- +session +erase +dk-msp 1 +pn\.session\.oneoff/,
    );
    expect(out).toMatch(/audit\.reading +- +event +no period/);
    await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'none', person: null }));
    expect((await run('retention rules')).out).toMatch(/session +- +- +no rule/);
    await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'dk-msp', person: null }));
  });

  it('Y18 lint without a file: the policy in force; findings exit 6', async () => {
    const ran = await run('retention lint -o json');
    expect(ran.code).toBe(6);
    expect(ran.json().items).toContainEqual(
      expect.objectContaining({ severity: 'finding', finding: 'promise-open', line: null }),
    );
    const table = await run('retention lint');
    expect([table.code, table.out.split('\n')[0]]).toEqual([
      6,
      expect.stringMatching(/^SEVERITY +LINE +FINDING/),
    ]);
  });

  it('plan: a duration lies ahead, a time is a time; columns are those of the JSON', async () => {
    await world.ctx.store.write(async (tx) => {
      const row = await tx.agreements.get(host.row.agreement);
      if (row !== null) await tx.agreements.put([{ ...row, endsAt: utcMs(START + 10 * DAY_MS) }]);
    });
    const count = async (until: string) =>
      (await run(`retention plan${until} -o json`, { clock: world.clock })).json().items.length;
    expect(await count(' --until 9d')).toBe(0);
    const due = await count(' --until 11d');
    expect(due).toBeGreaterThan(0);
    expect(await count(' --until 2026-12-03T12:00:00Z')).toBe(due);
    expect(await count('')).toBeGreaterThan(due);
    const csv = (await run('retention plan -o csv')).out.split('\r\n')[0]?.split(',');
    const [item] = (await run('retention plan -o json')).json().items;
    expect([...(csv ?? [])].sort()).toEqual(Object.keys(item).sort());
    expect((await run('retention plan')).out).toMatch(
      /session +span +Acme .+ waiting .+agreement-end +erase/,
    );
    expect((await run('retention plan --until soon')).code).toBe(2);
  });

  it('Y19 set: shown first, at once where nothing is shorter, else exit 5 with the approval', async () => {
    expect((await run('retention set none')).code).toBe(2); // nobody can be asked here
    const dry = await run('retention set none --dry-run -o json');
    expect(dry.json()).toMatchObject({ policy: 'none', needsApproval: false, dryRun: true });
    const asked = await run('retention set none', { answer: 'n' });
    expect([asked.code, asked.err]).toEqual([2, expect.stringContaining('put none 1 in force')]);
    expect((await run('retention set none --yes --reason tidy')).code).toBe(0);
    expect((await run('retention rules')).out).toMatch(/session +- +- +no rule/);
    const back = await cli.run([
      'retention',
      'set',
      'dk-msp',
      '--yes',
      '--reason',
      'as agreed',
      '-o',
      'json',
    ]);
    const { error } = JSON.parse(back.err);
    expect([back.code, error.code]).toEqual([5, 'approval.needed']);
    const second = { TILSYN_TOKEN_FILE: cli.file('dpo', await world.person('dpo')) };
    const given = await run(`approval approve ${error.approval}`, { env: second, answer: 'y' });
    expect([given.code, given.err]).toEqual([0, expect.stringContaining('retention.set {"pack":"dk-msp"')]);
    expect((await run('retention rules')).out).toContain('dk-msp 1');
    expect((await run('retention set nonsense --yes --reason x')).code).toBe(2);
  });
});

describe('retention set with a file', () => {
  const file = (name: string, text: string) => {
    const path = join(world.dir, name);
    writeFileSync(path, text);
    return path;
  };
  const reason = { args: ['--yes', '--reason', 'as agreed'] };
  const set = (path: string, ...more: string[]) => cli.run(['retention', 'set', path, ...more]);

  it('H5 refuses a file with problems, all of them named, and asks the collector nothing', async () => {
    const ran = await set(file('bad.yaml', BAD), ...reason.args);
    expect(ran.code).toBe(2);
    for (const part of ['line 3: unknown key "versoin"', 'line 7:', 'line 8:', 'line 17:']) {
      expect(ran.err).toContain(part);
    }
    const taken = await set(file('taken.yaml', GOOD.replace('acme', 'dk-msp')), ...reason.args);
    expect([taken.code, taken.err]).toEqual([2, expect.stringContaining('line 2: name: the name of a pack')]);
  });

  it('Y19 --dry-run counts by class, and shorter is an approval: exit 5', async () => {
    const path = file('good.yaml', GOOD);
    const dry = await set(path, '--dry-run', '-o', 'json');
    expect(dry.code).toBe(0);
    expect(dry.json()).toMatchObject({ policy: 'acme', version: 2, dryRun: true, needsApproval: true });
    expect(dry.json().effects.map((one: Loose) => one.class)).toContain('session');
    const ran = await set(path, ...reason.args);
    expect([ran.code, ran.err]).toEqual([5, expect.stringContaining('needs a second person')]);
  });

  it('Y19 what only keeps longer is set at once', async () => {
    await world.ctx.store.write((tx) => setPack(world.ctx, tx, { pack: 'none', person: null }));
    const longer = GOOD.replace('P30D', 'null').replace('acme', 'kept-for-ever');
    const ran = await set(file('longer.yaml', longer), ...reason.args);
    expect([ran.code, ran.err]).toEqual([0, '']);
    expect((await run('retention rules')).out).toContain('kept-for-ever 2');
  });
});
