/** Z5: the pages say what the code says. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EVENTS } from '../../protocol/event.ts';
import { codesOn, errorsIn, headingOf, headingsOn } from './error-codes.ts';
import { eventTable } from './event-table.ts';
import { lawFiles, testFiles } from './law-files.ts';
import {
  citedIn,
  doubledNumbers,
  lawsDefined,
  lawsIn,
  lawTables,
  marked,
  readPage,
  withMarked,
} from './laws.ts';
import { codeOnly, filesIn, PRODUCT, ROOT, readText } from './tree.ts';
import { adviceOn, pageWith, withoutAdvice } from './troubleshooting.ts';

const BY = 'out of date: node test/house/write-docs.ts brings it up to date';
const pages = filesIn(['docs'], '.md');

describe('docs/design/events.md', () => {
  it('Z5 its table is that of protocol/event.ts', () => {
    expect(marked(readPage('design/events.md')), BY).toBe(eventTable());
  });

  it('Z5 the table names every type once, and every field', () => {
    const table = eventTable();
    for (const type of Object.keys(EVENTS)) expect(table.split(`| \`${type}\` |`)).toHaveLength(2);
    expect(table).toContain('peerIps?[{ip, basis, scope}]');
    expect(table).toMatch(/`session\.started` \| session, source, tool, direction, mode, kind/);
  });
});

describe('laws', () => {
  const laws = lawFiles().flatMap(lawsIn);
  const defined = new Set([
    ...laws.map((law) => law.number),
    ...pages.filter((page) => page.path.startsWith('docs/design/')).flatMap((page) => lawsDefined(page.text)),
  ]);

  it('Z5 docs/design/invariants.md lists every law of the tree, and where it is stated', () => {
    const stated = (table: string) =>
      table.split('\n').map((row) => row.split(' | ').slice(0, -1).join(' | '));
    expect(stated(marked(readPage('design/invariants.md'))), BY).toEqual(
      stated(lawTables(lawFiles(), testFiles())),
    );
  });

  it('Z5 every test that the page names for a law is there and cites it', () => {
    const cites = new Map(testFiles().map((file) => [file.path, citedIn(file)]));
    const wrong = marked(readPage('design/invariants.md'))
      .split('\n')
      .flatMap((row) => {
        const number = /^\| \*\*([A-Z]\d+)\*\*/.exec(row)?.[1];
        const named = [...(row.split(' | ').at(-1) ?? '').matchAll(/`([^`]+)`/g)].map(
          ([, path]) => path ?? '',
        );
        return number === undefined ? [] : named.filter((path) => !cites.get(path)?.includes(number));
      });
    expect(wrong, BY).toEqual([]);
  });

  it('Z5 every number that a test cites is defined', () => {
    const unknown = testFiles().flatMap((file) =>
      citedIn(file)
        .filter((number) => !defined.has(number))
        .map((number) => `${file.path} cites ${number}`),
    );
    expect(unknown).toEqual([]);
  });

  // Found when the laws were first collected. The list only shrinks: what is mended has to leave it.
  const STILL_DOUBLED: string[] = [
    'agent J9',
    'collector A2',
    'collector N1',
    'collector N2',
    'collector N3',
    'collector/ingest M1',
    'collector/ingest M2',
    'collector/ingest M3',
    'collector/ingest S1',
  ];

  it('Z5 inside a room one number means one law', () => {
    expect(doubledNumbers(laws).sort()).toEqual(STILL_DOUBLED);
  });

  it('Z5 the reader of laws finds what is stated, over several lines, and what is cited', () => {
    const text = [
      '/**',
      ' * Some words about X1 and Y2.',
      ' *',
      ' * X1  First law, which goes',
      ' *     on here.',
      ' * X10 Second law. */',
      "it('X1 X3 holds', f); it.each([])('F2: also', f); it('so says (T1, T2)', f); it('not Q9 here', f);",
    ].join('\n');
    const file = { path: 'a.ts', text };
    expect(lawsIn(file)).toEqual([
      { number: 'X1', text: 'First law, which goes on here.', file: 'a.ts' },
      { number: 'X10', text: 'Second law.', file: 'a.ts' },
    ]);
    expect(citedIn(file)).toEqual(['F2', 'T1', 'T2', 'X1', 'X3']);
    const other = { path: 'agent/b.ts', text: ' * X1  Another law.' };
    const first = { ...file, path: 'agent/a.ts' };
    expect(doubledNumbers([first, other].flatMap(lawsIn))).toEqual(['agent X1']);
    expect(doubledNumbers([first, { ...first, path: 'agent/b.ts' }].flatMap(lawsIn))).toEqual([]);
    expect(doubledNumbers([first, { ...other, path: 'cli/b.ts' }].flatMap(lawsIn))).toEqual([]);
    expect(lawsDefined('* **D1** A thing. **not D2**')).toEqual(['D1']);
    expect(marked(withMarked(readPage('design/events.md'), 'new'))).toBe('new');
  });
});

describe('docs/guide/troubleshooting.md', () => {
  const page = readPage('guide/troubleshooting.md');
  const errors = filesIn(PRODUCT).flatMap(errorsIn);

  it('Z5 has every error code of the product, with every literal text of it as a heading', () => {
    expect(page, BY).toBe(pageWith(page, errors));
    const there = [codesOn(page), headingsOn(page)] as const;
    for (const { code, text } of errors) {
      expect(there[0]).toContain(code);
      if (text !== null) expect(there[1]).toContain(headingOf(text));
    }
  });

  it('Z5 says for each what to do', () => {
    expect(withoutAdvice(page)).toEqual([]);
  });

  it('Z5 a new code, a new text and a lost code change the page; advice stays', () => {
    const made = (code: string, text: string | null) => ({ code, text, file: 'a.ts' });
    const before = pageWith('# T\n\n## Errors, by code\n\n### `a.b`\n\nDo this and that, then go on.\n', [
      made('a.b', 'doing x: `y`'),
      made('c.d', null),
    ]);
    expect([...headingsOn(before)]).toEqual(['Errors, by code', 'a.b', 'doing x: y', 'c.d']);
    expect(adviceOn(before).get('a.b')).toBe('Do this and that, then go on.');
    expect(withoutAdvice(before)).toEqual(['c.d']);
    expect([...codesOn(pageWith(before, [made('a.b', null)]))]).toEqual(['a.b']);
  });

  it('Z5 the reader of errors sees codes, texts, templates and codes that are handed on', () => {
    const text = [
      "// new TilsynError('comment.only', 'x')",
      "throw new TilsynError('a.b', 'doing x: it\\'s bad', { hint: 'y' });",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: source text
      "new TilsynError(\n  'c.d-e', `opening ${names[`${i}`]}: not ${a + 1}`,\n)",
      "new TilsynError('f.g', message);",
      "const r = { code: 'h.i', status: 401 };",
      "throw wrong('j.k', 'it is'); say('agent.started', 'start');",
      "new TilsynError(late ? 'l.m' : 'n.o', `x`, {});",
      "const c = { code: own?.code ?? 'p.q', verb: 'session.list', badFrame: 'r.s' };",
      "report('t.u'); report('v.w', 3); this.#offend('badFrame', 'x.y', 'why'); about('z.a', m, []);",
      "const HINTS = {\n  'token.used': 'Make another',\n  'host.name': 'month',\n};\nhit('b.c');",
    ].join('\n');
    expect(errorsIn({ path: 'a.ts', text })).toEqual([
      { code: 'a.b', text: "doing x: it's bad", file: 'a.ts' },
      { code: 'c.d-e', text: 'opening …: not …', file: 'a.ts' },
      { code: 'f.g', text: null, file: 'a.ts' },
      ...['h.i', 'p.q', 'j.k', 'r.s', 'x.y', 'z.a', 'l.m', 'n.o', 't.u', 'v.w', 'token.used'].map((code) => ({
        code,
        text: null,
        file: 'a.ts',
      })),
    ]);
    expect(codesOn('see `a.b`, not a.c')).toEqual(new Set(['a.b']));
    expect(headingsOn('### opening `x`: no\ntext')).toEqual(new Set(['opening x: no']));
  });
});

describe('docs/design/secret-files.md', () => {
  const named = (page: string) =>
    [...page.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell]) =>
      [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ''),
    );
  const files = named(readPage('design/secret-files.md')).filter((name) => /^[a-z]/.test(name));

  it('Z5 every file that it names is one that the product makes, and README.md names it too', () => {
    const code = filesIn(PRODUCT).map((file) => codeOnly(file.text));
    expect(files.filter((name) => !code.some((text) => text.includes(`'${name}'`)))).toEqual([]);
    expect(files.length).toBeGreaterThan(15);
    const readme = readText('README.md');
    const short = ['enrol.json'];
    expect(files.filter((name) => !short.includes(name) && !readme.includes(`\`${name}\``))).toEqual([]);
  });

  it('Z5 every file name in the state of a role is on it', () => {
    const made = filesIn(['agent', 'collector']).flatMap((file) => [
      ...codeOnly(file.text).matchAll(/(?:_FILE|_NAME) = '([a-z-]+(?:\.[a-z]+)?)'|: at\('([a-z.]+)'\)/g),
    ]);
    const names = made
      .map(([, constant, at]) => constant ?? at ?? '')
      .filter((name) => !name.endsWith('.pem'));
    expect(names.filter((name) => !files.includes(name))).toEqual([]);
    expect(names.length).toBeGreaterThan(8);
  });
});

describe('README.md and links', () => {
  it('Z5 the README shows both commands at its top, each on a line of its own', () => {
    const top = readText('README.md').split('\n').slice(0, 15);
    expect(top.some((line) => /^npm ci && npm start\b/.test(line))).toBe(true);
    expect(top.some((line) => /^npm ci && npm test\b/.test(line))).toBe(true);
  });

  const brokenLinks = (from: { path: string; text: string }[]) =>
    from.flatMap((page) =>
      [...page.text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, target]) => target ?? '')
        .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(ROOT, dirname(page.path), target)))
        .map((target) => `${page.path} → ${target}`),
    );

  it('Z5 every link of a page leads to a file', () => {
    const top = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].map((path) => ({
      path,
      text: readText(path),
    }));
    expect(brokenLinks([...pages, ...top])).toEqual([]);
    expect(brokenLinks([{ path: 'docs/x.md', text: '[a](nowhere.md)' }])).toHaveLength(1);
  });

  it('Z5 every script that a page tells people to run is in package.json', () => {
    const { scripts } = JSON.parse(readText('package.json'));
    const top = ['README.md', 'CONTRIBUTING.md', '.ci/run'].map((path) => ({ path, text: readText(path) }));
    const named = [...pages, ...top].flatMap((page) =>
      [...page.text.matchAll(/\bnpm run (?:-s )?([a-z][a-z:]*)/g)].map(([, name]) => ({
        name: name ?? '',
        path: page.path,
      })),
    );
    expect(named.filter(({ name }) => !Object.hasOwn(scripts, name))).toEqual([]);
    expect(named.length).toBeGreaterThan(3);
  });
});
