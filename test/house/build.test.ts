/** Z4: the built tree is the source without its types. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build, rewriteImports, toJavaScript } from '../../installers/build.ts';
import { filesIn, PRODUCT, ROOT } from './tree.ts';

let folder = '';
let out = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilsyn build æ '));
  out = join(folder, 'dist');
  build(out);
  // Installed packages: where `npm ci --omit=dev` would put them.
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the build', () => {
  it('Z4 has one .js for each .ts, every schema and declaration, and no TypeScript', () => {
    const built = readdirSync(out, { recursive: true, encoding: 'utf8' });
    for (const { path } of filesIn(PRODUCT))
      expect(existsSync(join(out, path.replace(/\.ts$/, '.js'))), path).toBe(true);
    const others = [...filesIn(PRODUCT, '.sql'), ...filesIn(PRODUCT, '.yaml')];
    expect(others.filter(({ path }) => path.startsWith('agent/sources/declared/')).length).toBeGreaterThan(4);
    for (const { path, text } of others) expect(readFileSync(join(out, path), 'utf8')).toBe(text);
    expect(built.filter((path) => path.endsWith('.ts'))).toEqual([]);
  });

  it('Z4 leaves no import of a .ts file behind, and every line on its line', () => {
    for (const { path, text } of filesIn(PRODUCT)) {
      const js = readFileSync(join(out, path.replace(/\.ts$/, '.js')), 'utf8');
      expect(js, path).not.toMatch(/(?:from|import)\s*\(?\s*['"]\.[^'"]*\.ts['"]/);
      expect(js.split('\n').length, path).toBe(text.split('\n').length);
    }
  });

  it('Z4 runs: `tilsyn version` of the build says what the source says', () => {
    const run = (args: string[]) => execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    const built = run([join(out, 'cli/main.js'), 'version']);
    expect(built).toMatch(/\d+\.\d+\.\d+/);
    expect(built).toBe(run([join(ROOT, 'cli/main.ts'), 'version']));
  });

  it('Z4 empties nothing but an earlier build', () => {
    const other = join(folder, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'letter.txt'), 'keep me');
    expect(() => build(other)).toThrow('not an earlier build');
    expect(readFileSync(join(other, 'letter.txt'), 'utf8')).toBe('keep me');
    expect(build(out)).toBeGreaterThan(0);
  });

  it('Z4 rewrites own imports only', () => {
    expect(
      rewriteImports("import a from './a.ts';\nexport { b } from \"../b.ts\";\nawait import('./c.ts');"),
    ).toBe("import a from './a.js';\nexport { b } from \"../b.js\";\nawait import('./c.js');");
    const others = "import x from 'pkg/x.ts'; const s = './a.ts'; import('node:fs');";
    expect(rewriteImports(others)).toBe(others);
    expect(toJavaScript("import type { A } from './a.ts';\nconst a: A = 1;").trim()).toBe('const a    = 1;');
  });
});
