/**
 * That the model can find something: copies of the product in which one place is changed, each of which it has to break
 * within its runs. A model that no mutant can break holds nothing.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { productIn } from './model-product.ts';
import { runModel } from './model-run.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;
/** Each is killed in the first few of its own seed; more only where a file system lists its names in another order. */
const RUNS = 60;
const TIMEOUT_MS = 10 * 60_000;
const made: string[] = [];
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

interface Mutant {
  /** Below `agent/`. */
  file: string;
  from: string;
  to: string;
  /** What the model says of it, and in the first runs of which seed. */
  law: RegExp;
  seed: number;
}

const MUTANTS: Record<string, Mutant> = {
  'holds are read once a slice': {
    file: 'recordings/slice.ts',
    from: 'if (version !== this.#version) {',
    to: 'if (version < 0) {',
    law: /^D1/,
    seed: 2,
  },
  'ends come from the time of change': {
    file: 'recordings/scan-walk.ts',
    from: 'const ends = latestEnds(items, layout.longestSegmentMs);',
    to: `latestEnds(items, 1);
    const ends = items.map((_, at) => (at < fresh.length ? Math.floor(lstatSync(forSystem(\`\${this.#dir}/\${fresh[at]!.name}\`)).mtimeMs) - 1 : near[at - fresh.length]!.ends));`,
    law: /^(D1|D3|R8)/,
    seed: 3,
  },
  'the root is not looked at': {
    file: 'recordings/root.ts',
    from: 'if (trouble === null) return { fd',
    to: 'if (trouble !== undefined) return { fd',
    law: /^(R3|C27)/,
    seed: 5,
  },
  'a restart forgets what it was erasing': {
    file: 'recordings/sweep.ts',
    from: 'for (const slice of store.openSlices()) {',
    to: 'for (const slice of store.openSlices().slice(0, 0)) {',
    law: /^R[178]/,
    seed: 1,
  },
  'the wall clock will do': {
    file: 'trusted-time.ts',
    from: 'if (raw === null || this.trouble() !== null) return null;\n    return utcMs(Math.floor(raw));',
    to: 'return this.#clock.now();',
    law: /^(D3|C1)/,
    seed: 3,
  },
  'nobody has to approve': {
    file: 'recordings/due.ts',
    from: 'if (count === 0) return null;',
    to: 'return null;',
    law: /^R6/,
    seed: 20261128,
  },
  'a stale plan is a plan': {
    file: 'recordings/sweep.ts',
    from: 'if (due.root !== waiting.root) {',
    to: "if (due.root === '') {",
    law: /^R6/,
    seed: 3,
  },
  'any file of the name': {
    file: 'recordings/erase.ts',
    from: '(inode !== null && found.ino !== inode)',
    to: 'false',
    law: /^C18/,
    seed: 3,
  },
  'a second name is one like the first': {
    file: 'recordings/erase.ts',
    from: "if (found.nlink > 1) return 'linked';",
    to: '',
    law: /^(C16|C18)/,
    seed: 3,
  },
  'links are followed': {
    file: 'recordings/erase.ts',
    from: ' | (constants.O_NOFOLLOW ?? 0);',
    to: ';',
    law: /^R3/,
    seed: 1,
  },
  'the collector’s word lasts for ever': {
    file: 'recordings/keeper.ts',
    from: 'return at === null || confirmed === null || at - confirmed > this.#o.freshnessMs;',
    to: 'return at === null;',
    law: /^H4/,
    seed: 20261128,
  },
  'a copy of an earlier day is as good': {
    file: 'journal-ending.ts',
    from: "if (reason === 'restored') unapprove(core);",
    to: '',
    law: /^R6/,
    seed: 2,
  },
  'the end of a recording is its start': {
    file: 'recordings/bounds.ts',
    from: 'return Math.min(next, latest + longestSegmentMs,',
    to: 'return Math.min(next, latest,',
    law: /^D[13]/,
    seed: 5,
  },
  'an erased name is never looked at again': {
    file: 'recordings/catalogue.ts',
    from: 'WHERE state IN (0, 3, ?)',
    to: 'WHERE state IN (0, 3, ? - 100)',
    law: /^R8/,
    seed: 20261128,
  },
};

async function broken({ file, from, to, seed }: Mutant): Promise<string | null> {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-mutant-'));
  made.push(dir);
  for (const room of ['agent', 'protocol', 'package.json'])
    cpSync(join(ROOT, room), join(dir, room), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  const path = join(dir, 'agent', file);
  const text = readFileSync(path, 'utf8');
  // A mutant of a text that is not there any more would break nothing and prove nothing.
  if (text.split(from).length !== 2) throw new Error(`not once in ${file}: ${from}`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  return await runModel(await productIn(dir), { runs: RUNS, seed, shrink: false });
}

describe('what the model is worth', () => {
  it.each(Object.entries(MUTANTS))(
    'a mutant is killed: %s',
    async (_, mutant) => {
      const said = await broken(mutant);
      expect(said).toMatch(mutant.law);
    },
    TIMEOUT_MS,
  );
});
