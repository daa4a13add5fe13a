/**
 * `npm run build [-- --out DIR]`: the product as plain JavaScript. Types are taken out by Node itself, import
 * specifiers of own files are rewritten from .ts to .js, schemas are copied. No bundler: every file of the tree
 * is one file of the build, on the same lines, so that a stack trace of the one fits the other.
 *
 * Z4  The build is the source without its types: same files, same lines, and it runs.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = resolve(import.meta.dirname, '..');
const ROOMS = ['protocol', 'agent', 'collector', 'cli'];

/** `from './x.ts'` and `import('./x.ts')` of own files, to `.js`. Packages and `node:` stay as they are. */
export function rewriteImports(code: string): string {
  return code.replace(
    /(\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(['"])(\.{1,2}\/[^'"\n]+)\.ts\2/g,
    (_match, before: string, quote: string, path: string) => `${before}${quote}${path}.js${quote}`,
  );
}

export function toJavaScript(text: string): string {
  return rewriteImports(stripTypeScriptTypes(text, { mode: 'strip' }));
}

/** Empties an earlier build; any other folder that holds something is left as it is. */
function makeRoom(out: string): void {
  const known = existsSync(join(out, 'package.json')) && existsSync(join(out, 'cli', 'main.js'));
  if (!known && existsSync(out) && readdirSync(out).length > 0) {
    throw new Error(
      `building into ${out}: it holds files that are not an earlier build; name an empty folder`,
    );
  }
  rmSync(out, { recursive: true, force: true });
}

/** Builds into `out`. Returns the number of files. */
export function build(out: string): number {
  makeRoom(out);
  let files = 0;
  for (const room of ROOMS) {
    for (const entry of readdirSync(join(ROOT, room), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const from = join(entry.parentPath, entry.name);
      const to = join(out, relative(ROOT, from));
      mkdirSync(dirname(to), { recursive: true });
      if (entry.name.endsWith('.ts'))
        writeFileSync(to.replace(/\.ts$/, '.js'), toJavaScript(readFileSync(from, 'utf8')));
      else cpSync(from, to);
      files += 1;
    }
  }
  writeFileSync(join(out, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  for (const name of ['LICENSE', 'CHANGELOG.md', 'README.md']) cpSync(join(ROOT, name), join(out, name));
  return files;
}

/** What a machine needs to run the build: the same versions, nothing for development. */
function manifest(): Record<string, unknown> {
  const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const { name, version, description, license, type, engines, dependencies, optionalDependencies } = own;
  const bin = { tilsyn: 'cli/main.js' };
  return {
    name,
    version,
    description,
    license,
    private: true,
    type,
    engines,
    bin,
    dependencies,
    optionalDependencies,
  };
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { out: { type: 'string', default: join(ROOT, 'dist') } } });
  const out = resolve(values.out);
  const files = build(out);
  console.log(`built ${files} files into ${out}`);
  console.log(`try: node ${join(relative('.', out) || '.', 'cli/main.js')} version`);
}
