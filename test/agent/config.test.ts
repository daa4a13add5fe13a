import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultConfig, exampleConfig, parseConfig } from '../../agent/config.ts';
import { durationMs, isSchedule, sizeBytes } from '../../agent/config-values.ts';
import { TilsynError } from '../../protocol/errors.ts';

const TYPES = 'teamviewer, sshd, anydesk, rustdesk, rdp, declared, csv, recordings';

/** The lines of the error's message, without the first. */
function problems(text: string): string[] {
  try {
    parseConfig(text, 'agent.yaml');
  } catch (error) {
    if (!(error instanceof TilsynError)) throw error;
    expect([error.code, error.exit]).toEqual(['config.invalid', 'usage']);
    expect(error.message).toMatch(/^reading agent\.yaml: \d+ problems?\n/);
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

describe('what is accepted', () => {
  test('nothing, a comment, null and the example are the defaults', () => {
    for (const text of ['', '# nothing\n', 'null\n', '{}', exampleConfig()]) {
      expect(parseConfig(text, 'f')).toEqual(defaultConfig);
    }
    expect(defaultConfig).toEqual({
      sources: null,
      recordings: [],
      telemetry: { everyMs: 60_000, notify: 'audit' },
      neverEraseYoungerThanMs: 3 * 86_400_000,
      holds: {
        holdFreshnessMs: 86_400_000,
        deferAtMostMs: null,
        vault: { path: null, quotaBytes: null, leaveHours: 6, ratePerSecond: 20_000_000 },
      },
      schedule: { sweep: '17 * * * *', selfAudit: '0 3 * * *', inventory: '40 4 * * *' },
      proxy: null,
    });
  });

  test('the sources shown in the example, with the # taken away', () => {
    const text = exampleConfig()
      .replace('sources: null\n', '')
      .replaceAll(/^# ?(?=sources:| {2})/gm, '');
    const config = parseConfig(text, 'f');
    expect(config.sources).toEqual([
      {
        type: 'teamviewer',
        connectionsIncoming: '/path/Connections_incoming.txt',
        connections: '/path/Connections.txt',
        logfile: '/path/TeamViewer15_Logfile.log',
        startFrom: 'now',
      },
      {
        type: 'sshd',
        path: '/var/log/auth.log',
        match: 'listed',
        listed: {
          accounts: ['support'],
          keys: [`SHA256:${'A'.repeat(43)}`],
          networks: ['198.51.100.0/24'],
        },
        startFrom: 'now',
      },
      {
        type: 'anydesk',
        trace: '/path/ad_svc.trace',
        connections: '/path/connection_trace.txt',
        startFrom: 'now',
      },
      { type: 'rustdesk', logfile: '/path/rustdesk_rCURRENT.log', startFrom: 'now' },
      { type: 'rdp', match: 'all', listed: null, startFrom: 'now' },
      { type: 'declared', spec: '/etc/tilsyn/tool.yaml', path: '/path/tool.log', startFrom: 'now' },
      { type: 'csv', spec: 'teamviewer-report', path: '/path/report.csv', startFrom: 'now' },
    ]);
    expect(config.recordings).toEqual([
      {
        type: 'recordings',
        root: '/srv/nvr/recordings',
        layout: 'frigate',
        timeZone: 'UTC',
        longestSegment: null,
        mode: 'report',
        recorderDeletes: null,
      },
    ]);
  });

  test('every field of the example stands below a comment', () => {
    const lines = exampleConfig().split('\n');
    for (const [index, line] of lines.entries()) {
      if (!/^#? *(?:- )?\w+:/.test(line)) continue;
      const above = lines.slice(0, index).findLast((other) => !/^#? *(?:- )?\w+:\s*$/.test(other));
      if (!/type: /.test(line)) expect(above, `above line ${index + 1}`).toMatch(/^ *#|type: /);
    }
  });

  test('the vault: another volume, a quota, hours that stay free, a rate; sizes as disks are sold', () => {
    const { holds, recordings } = parseConfig(
      'holds: {vault: {path: /srv/vault, quota: 1.5 TB, leaveHours: 0, ratePerSecond: 5MB}}\n' +
        'sources: [{type: recordings, root: /srv/nvr, layout: frigate, mode: erase, recorderDeletes: true}]',
      'f',
    );
    const vault = { path: '/srv/vault', quotaBytes: 1.5e12, leaveHours: 0, ratePerSecond: 5e6 };
    expect(holds.vault).toEqual(vault);
    expect(recordings).toMatchObject([{ recorderDeletes: true }]);
    expect(parseConfig('holds: {vault: }', 'f')).toEqual(defaultConfig);
    for (const [text, bytes] of [
      ['500 GB', 5e11],
      ['500GB', 5e11],
      ['0.5 TB', 5e11],
      ['500', null],
      ['500 GiB', null],
      ['-1 GB', null],
      ['1e3 GB', null],
      ['', null],
    ] as const) {
      expect(sizeBytes(text), text).toBe(bytes);
    }
  });

  test('sections left empty, telemetry off, Windows paths, other durations', () => {
    expect(parseConfig('telemetry:\nholds:\nschedule:\nsources:\n', 'f')).toEqual(defaultConfig);
    expect(parseConfig('telemetry: off', 'f').telemetry).toBeNull();
    expect(parseConfig('telemetry: false', 'f').telemetry).toBeNull();
    expect(parseConfig('holds: {deferAtMost: 30d}', 'f').holds.deferAtMostMs).toBe(30 * 86_400_000);
    expect(parseConfig('proxy: http://proxy.example:3128', 'f').proxy).toBe('http://proxy.example:3128');
    const windows =
      "sources: [{type: teamviewer, connectionsIncoming: 'C:\\TV\\x.txt', startFrom: beginning}]";
    expect(parseConfig(windows, 'f').sources?.[0]).toMatchObject({
      connectionsIncoming: 'C:\\TV\\x.txt',
      startFrom: 'beginning',
    });
    expect(parseConfig('sources: []', 'f').sources).toEqual([]);
  });

  test.each([
    ['60s', 60_000],
    ['250ms', 250],
    ['P3D', 259_200_000],
    ['P1W', 604_800_000],
    ['PT1H30M', 5_400_000],
    ['P1DT1S', 86_401_000],
    ['P', null],
    ['P1DT', null],
    ['P1M', null],
    ['P1Y', null],
    ['60', null],
    ['-1s', null],
    ['1.5h', null],
  ])('duration %s', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  test.each([
    ['17 * * * *', true],
    ['*/5 0-6,22 1 jan-mar mon', true],
    ['0 0 31 12 7', true],
    ['60 * * * *', false],
    ['* * * *', false],
    ['* * * * * *', false],
    ['*/0 * * * *', false],
    ['5-1 * * * *', false],
    ['a * * * *', false],
    [', * * * *', false],
  ])('schedule %s', (text, ok) => {
    expect(isSchedule(text)).toBe(ok);
  });
});

describe('what is refused', () => {
  test('an unknown key names its line and the nearest known key, everywhere', () => {
    expect(
      problems(
        'source: []\ntelemetry:\n  evry: 60s\nholds: {holdfreshness: 24h}\nschedule:\n  swep: x\n' +
          'sources:\n  - type: teamviewer\n    connectionsincoming: /a\n  - type: sshd\n    match: all\n    pth: /a\nzzzzzzzz: 1\n',
      ),
    ).toEqual([
      'line 1: unknown key "source"; did you mean "sources"?',
      'line 3: unknown key "evry" in telemetry; did you mean "every"?',
      'line 4: unknown key "holdfreshness" in holds; did you mean "holdFreshness"?',
      'line 6: unknown key "swep" in schedule; did you mean "sweep"?',
      'line 9: unknown key "connectionsincoming" in sources[0]; did you mean "connectionsIncoming"?',
      'line 12: unknown key "pth" in sources[1]; did you mean "path"?',
      'line 13: unknown key "zzzzzzzz"; known here: sources, telemetry, neverEraseYoungerThan, holds, schedule, proxy',
    ]);
  });

  test('C5 a misspelt type hides no other mistake, and every near word is named', () => {
    const text =
      'sources:\n  - type: teamviever\n    conections: /a\n    startFrom: begining\n    logfile: Morgan/x\n' +
      '  - {type: ssdh, match: al}\n  - {type: foo, path: /a}\ntelemetry: {notify: audits}\n';
    expect(problems(text)).toEqual([
      `line 2: sources[0].type: expected one of: ${TYPES}; did you mean "teamviewer"?`,
      'line 3: unknown key "conections" in sources[0]; did you mean "connections"?',
      'line 4: sources[0].startFrom: expected one of: now, beginning; did you mean "beginning"?',
      'line 5: sources[0].logfile: expected an absolute path',
      `line 6: sources[1].type: expected one of: ${TYPES}; did you mean "sshd"?`,
      'line 6: sources[1].match: expected one of: listed, all; did you mean "all"?',
      `line 7: sources[2].type: expected a source with type: ${TYPES}`,
      'line 8: telemetry.notify: expected one of: audit, all, none; did you mean "audit"?',
    ]);
    // A guess is never run on, also where it is the only mistake.
    expect(problems('sources: [{type: teamviewr}]')).toHaveLength(1);
  });

  test('C5 keys and values of every kind of source', () => {
    const text = [
      'sources:',
      '  - {type: sshd, match: listed, listed: {acounts: [a], keys: [Morgan], networks: [1.2.3.4/33]}}',
      '  - {type: anydesk, conections: /a}',
      '  - {type: rdp}',
      '  - {type: declared, spec: x11vnk}',
      '  - {type: csv, spec: talk2m}',
      '  - {type: declared, spec: x11vnc, path: /a}',
      '  - {type: csv, spec: /b, path: /a}',
    ].join('\n');
    const said = problems(text);
    expect(said).toEqual([
      'line 2: sources[0].listed.keys[0]: expected a fingerprint such as SHA256:… (43 characters)',
      'line 2: sources[0].listed.networks[0]: expected an address or a network such as 198.51.100.0/24',
      'line 2: unknown key "acounts" in sources[0].listed; did you mean "accounts"?',
      'line 3: unknown key "conections" in sources[1]; did you mean "connections"?',
      'line 4: sources[2].match: expected one of: listed, all',
      'line 5: sources[3].spec: expected an absolute path, or one of: ultraviewer, supremo, x11vnc, teamviewer-report, talk2m',
      'line 6: sources[4].path: expected a path',
    ]);
    expect(said.join()).not.toContain('Morgan');
    expect(problems(text.replace(/\n.*sshd.*\n.*\n.*\n.*\n.*talk2m}/, ''))).toEqual([
      'line 3: sources[1]: another source reads the same file',
    ]);
    const v6 = 'sources: [{type: rdp, match: listed, listed: {networks: ["2001:db8::/32", 203.0.113.9]}}]';
    expect(parseConfig(v6, 'f').sources).toMatchObject([{ listed: { accounts: [], keys: [] } }]);
  });

  test('the vault: each wrong value by its place, and the nearest key', () => {
    const text =
      'holds:\n  vault:\n    pth: /a\n    path: Morgan\n    quota: 5\n    leaveHours: -1\n    ratePerSecond: 0.1 MB\n' +
      'sources: [{type: recordings, root: /a, layout: frigate, recorderDeletes: perhaps}]';
    expect(problems(text)).toEqual([
      'line 3: unknown key "pth" in holds.vault; did you mean "path"?',
      'line 4: holds.vault.path: expected an absolute path',
      'line 5: holds.vault.quota: expected a size such as 500 GB',
      'line 6: holds.vault.leaveHours: expected 0 or more',
      'line 7: holds.vault.ratePerSecond: expected at least 1 MB, such as 20 MB',
      'line 8: sources[0].recorderDeletes: expected true, false or null',
    ]);
  });

  test('wrong values, all at once, each with its line; no value is quoted', () => {
    const secret = 'Morgan';
    const text = [
      'telemetry: {every: 1s, notify: loud}',
      `neverEraseYoungerThan: ${secret}`,
      'holds: {deferAtMost: sometimes, holdFreshness: 5}',
      'schedule: {sweep: hourly}',
      `proxy: http://${secret}:${secret}@proxy.example`,
      'sources:',
      `  - {type: teamviewer, logfile: ${secret}/x, startFrom: later}`,
      '  - type: telnet',
      '  - type: sshd',
      '  - 7',
    ].join('\n');
    const said = problems(text);
    expect(said).toEqual([
      'line 1: telemetry.every: expected 10s to 1d, such as 60s',
      'line 1: telemetry.notify: expected one of: audit, all, none',
      'line 2: neverEraseYoungerThan: expected a duration, such as P3D',
      'line 3: holds.holdFreshness: expected a duration such as 24h',
      'line 3: holds.deferAtMost: expected a duration, such as 30d, or never',
      'line 4: schedule.sweep: expected five cron fields such as "17 * * * *"',
      'line 5: proxy: user and password do not belong into this file; give them in the environment (HTTPS_PROXY)',
      'line 7: sources[0].logfile: expected an absolute path',
      'line 7: sources[0].startFrom: expected one of: now, beginning',
      `line 8: sources[1].type: expected a source with type: ${TYPES}`,
      'line 9: sources[2].match: expected one of: listed, all',
      `line 10: sources[3]: expected a source with type: ${TYPES}`,
    ]);
    expect(said.join()).not.toContain(secret);
  });

  test.each([
    [
      'a key twice, and what else is wrong',
      'proxy: null\nproxy: null\nx: 1',
      ['line 2: this key', 'line 3: unknown key "x"'],
    ],
    ['a tab', 'telemetry:\n\tevery: 60s\n', ['line 2: indented with a tab']],
    ['an open bracket', 'telemetry: {every: 60s\n', ['line ']],
    ['two documents', 'proxy: null\n---\nproxy: null\n', ['line 2: a second document']],
    ['an anchor and an alias', 'holds: &a {}\nschedule: *a\n', ['line 1: anchors', 'line 2: anchors']],
    ['an alias to nothing', 'holds: *b\n', ['line 1: ']],
    ['a tag', 'proxy: !!js/function x\n', ['line 1: tags']],
    ['a list', '- a\n', ['line 1: the file: expected settings']],
    ['a word', 'hello', ['line 1: the file: expected settings']],
    [
      'prototype keys',
      '__proto__: {proxy: 1}\nconstructor: 1\n',
      ['line 1: unknown key "__proto__"', 'line 2: unknown key "constructor"'],
    ],
    [
      'one file twice',
      'sources:\n  - type: teamviewer\n  - type: teamviewer\n',
      ['line 3: sources[1]: another source'],
    ],
    ['a key that is a list', '? [a, b]\n: 1\n', ['line 1: a key has to be one word']],
    [
      'a relative path',
      'sources: [{type: teamviewer, connections: x.txt}]',
      ['line 1: sources[0].connections: expected an abs'],
    ],
  ])('%s', (_label, text, expected) => {
    const said = problems(text);
    expect(said.length).toBeGreaterThanOrEqual(expected.length);
    for (const [index, start] of expected.entries())
      expect(said[index]).toMatch(new RegExp(`^${RegExp.escape(start)}`));
  });

  test('a bomb of aliases, ten thousand brackets and a megabyte are refused quickly', () => {
    const levels = Array.from(
      { length: 30 },
      (_, n) => `k${n}: &k${n} [${`*k${n - 1},`.repeat(n === 0 ? 0 : 9)}]`,
    );
    const start = performance.now();
    expect(problems(levels.join('\n'))).toHaveLength(30);
    expect(problems(`sources: ${'['.repeat(100_000)}`).length).toBeGreaterThan(0);
    expect(problems(`proxy: ${'{a: '.repeat(50_000)}`).length).toBeGreaterThan(0);
    expect(problems(Array.from({ length: 60 }, (_, n) => `zz${n}: 1`).join('\n')).at(-1)).toBe('and 10 more');
    expect(problems(`# ${'x'.repeat(1024 * 1024)}`)).toEqual(['line 1: larger than 1 MiB']);
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  test('any text: a configuration or `config.invalid`', () => {
    const piece = fc.constantFrom(
      'sources:',
      'telemetry:',
      '\n',
      '  ',
      '- ',
      'type: teamviewer',
      '{',
      '}',
      '[',
      ']',
      ': ',
      '? ',
      '\t',
      '"',
      "'",
      '!!',
      '&a',
      '*a',
      '|',
      '>',
      '#',
      '---',
      '<<: ',
      '\0',
    );
    const text = fc.array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 6 })), { maxLength: 25 });
    fc.assert(
      fc.property(text, (parts) => {
        problems(parts.join(''));
      }),
      { numRuns: 1500 },
    );
  });
});
