/** Z2: protocol ← agent, protocol ← collector, cli on top; no circles. Z3: files stay small. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cycles, roomOffences } from './rooms.ts';
import { codeOnly, EVERYTHING, filesIn, importsOf, PRODUCT, placesOf, ROOT } from './tree.ts';

const all = filesIn(EVERYTHING);

describe('rooms', () => {
  it('Z2 every import goes the way it may', () => {
    expect(roomOffences(all)).toEqual([]);
  });

  it.each([
    ['protocol/x.ts', "import { a } from '../agent/types.ts';"],
    ['agent/x.ts', "import { a } from '../collector/types.ts';"],
    ['agent/x.ts', "import type { a } from '../collector/types.ts';"],
    ['agent/sources/x.ts', "import { a } from '../../cli/text.ts';"],
    ['collector/x.ts', "export { a } from '../agent/types.ts';"],
    ['collector/x.ts', "const a = await import('../cli/text.ts');"],
    ['collector/store/x.ts', "import { a } from '../keyring.ts';"],
    ['collector/x.ts', "import { a } from './main.ts';"],
    ['agent/db.ts', "import { a } from './journal.ts';"],
    ['agent/uplink/x.ts', "import { a } from '../sources/follow.ts';"],
    ['cli/x.ts', "import { run } from '../agent/main.ts';"],
    ['cli/x.ts', "import { a } from '../agent/journal.ts';"],
    ['cli/x.ts', "import { a } from '../test/support/world.ts';"],
    ['agent/x.ts', "import '../bench/run.ts';"],
    ['collector/x.ts', "import {\n  a,\n  b,\n} from '../installers/build.ts';"],
  ])('Z2 %s may not say %j', (path, text) => {
    expect(roomOffences([{ path, text }])).toHaveLength(1);
  });

  it.each([
    ['agent/x.ts', "import { a } from '../protocol/ids.ts';"],
    ['cli/x.ts', "const { run } = await import('../agent/main.ts');"],
    ['cli/x.ts', "import type { Options } from '../collector/main.ts';"],
    ['test/x.ts', "import { a } from '../agent/journal.ts';"],
    ['agent/x.ts', "// import { a } from '../collector/types.ts';"],
  ])('Z2 %s may say %j', (path, text) => {
    expect(roomOffences([{ path, text }])).toEqual([]);
  });

  it('Z2 every import of an own file names a file that exists', () => {
    // Not in this folder, whose texts quote imports.
    const missing = all
      .filter((file) => !file.path.startsWith('test/house/'))
      .flatMap((file) =>
        importsOf(file)
          .filter((i) => i.own && !existsSync(join(ROOT, i.target)))
          .map((i) => `${file.path} imports ${i.target}`),
      );
    expect(missing).toEqual([]);
  });

  it('Z2 nothing imports itself in a circle', () => {
    expect(cycles(all)).toEqual([]);
    const bad = [
      { path: 'agent/a.ts', text: "import { b } from './b.ts';" },
      { path: 'agent/b.ts', text: "import { c } from './c.ts';" },
      { path: 'agent/c.ts', text: "export { a } from './a.ts';" },
    ];
    expect(cycles(bad)).toEqual(['agent/a.ts → agent/b.ts → agent/c.ts → agent/a.ts']);
    const typed = bad.map((f) => ({ ...f, text: f.text.replace('import {', 'import type {') }));
    expect(cycles(typed)).toEqual([]);
  });
});

describe('files', () => {
  const tooLong = (files: { path: string; text: string }[]) =>
    files
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > 400)
      .map(({ path, lines }) => `${path}: ${lines} lines`);

  it('Z3 none of the product is over 400 lines', () => {
    expect(tooLong(filesIn(PRODUCT))).toEqual([]);
    expect(tooLong([{ path: 'x.ts', text: 'x\n'.repeat(401) }])).toHaveLength(1);
  });

  // Put together, so that this file does not find itself.
  const left = new RegExp(`\\b(?:${['TO', 'DO|FIX', 'ME|XX', 'X'].join('')})\\b`);
  const unrun = /\b(?:it|test|describe)(?:\.\w+)*\.(?:skip|only|todo|fails)\b|\bxit\b|\bfit\b/;

  it('Z3 nothing is left behind: no notes to self, no test that does not run', () => {
    const found = (files: { path: string; text: string }[]) =>
      files.flatMap((f) => [
        ...placesOf(f, f.text, left),
        ...placesOf(f, codeOnly(f.text, { strings: false }), unrun),
      ]);
    expect(found(all)).toEqual([]);
    expect(found([{ path: 'x.ts', text: `// ${'TO'}${'DO'} later\nit.${'skip'}('x');` }])).toHaveLength(2);
  });
});
