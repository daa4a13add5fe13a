/**
 * `npm run test:holds` ends with this: copies of the product in which one place of what keeps a hold is changed, each of which
 * the model has to break within its runs. A model that no mutant can break holds nothing.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = new URL('../../', import.meta.url).pathname;
const COPIED = [
  'agent',
  'collector',
  'protocol',
  'test/agent',
  'test/collector',
  'test/holds',
  'test/support',
];
const FILES = ['package.json', 'tsconfig.json', 'vitest.config.ts'];
/** Each is killed in the first few. */
const RUNS = 60;
const AT_ONCE = 2;

interface Mutant {
  file: string;
  from: string;
  to: string;
  /** What the model says of it. */
  law: RegExp;
}

const MUTANTS: Record<string, Mutant> = {
  'what outlasts the hold is not covered': {
    file: 'protocol/hold.ts',
    from: 'const before = to !== null && bounds.startEarliest > to;',
    to: 'const before = to !== null && (bounds.endLatest ?? 0) > to;',
    law: /D1 |H2 /,
  },
  'the interval is half as long': {
    file: 'protocol/hold.ts',
    from: 'const after = from !== null && bounds.endLatest !== null && bounds.endLatest < from;',
    to: 'const after = from !== null && bounds.endLatest !== null && bounds.endLatest < (from + (to ?? from)) / 2;',
    law: /D1 |H2 /,
  },
  'the first hold is not looked at': {
    file: 'agent/recordings/hold-index.ts',
    from: 'if (holds.length <= FEW || contradicts(bounds)) return holds;',
    to: 'if (holds.length <= FEW || contradicts(bounds)) return holds.slice(1);',
    law: /D1 /,
  },
  'a sweep reads those that were released': {
    file: 'agent/recordings/hold-rows.ts',
    from: 'WHERE released_at IS NULL ORDER BY hold',
    to: 'WHERE released_at IS NOT NULL ORDER BY hold',
    law: /D1 |R8 /,
  },
  'it is said and not stored': {
    file: 'agent/holds/desk.ts',
    from: 'this.#o.book.place(order);',
    to: '',
    law: /H1 |V103 /,
  },
  'it is stored and not said': {
    file: 'agent/holds/desk.ts',
    from: "return { tell: [applied(order.hold, 'in-force', via)] };",
    to: 'return { tell: [] };',
    law: /V103 /,
  },
  'a release is said and not stored': {
    file: 'agent/holds/desk.ts',
    from: 'book.release(read.data, now());',
    to: '',
    law: /H1 |H3 |V103 /,
  },
  'a hold that is placed again stays released': {
    file: 'agent/holds/book.ts',
    from: 'DO UPDATE SET scope = excluded.scope, released_at = NULL',
    to: 'DO UPDATE SET scope = excluded.scope',
    law: /H1 |V103 /,
  },
  'a release ends all of them': {
    file: 'agent/holds/book.ts',
    from: 'this.#release.run(idBytes(hold as never), UNTOLD_KIND, nothing, at);',
    to: 'for (const row of this.list()) this.#release.run(idBytes(row.hold as never), UNTOLD_KIND, nothing, at);',
    law: /H1 |V103 /,
  },
  'the interval is counted from its end': {
    file: 'agent/holds/cover.ts',
    from: 'after: (order.from ?? 0) - 1, last }',
    to: 'after: order.to ?? 0, last }',
    law: /H2 /,
  },
  'what was sent is what is so': {
    file: 'collector/holds/note.ts',
    from: 'state: outcome, appliedAt',
    to: "state: 'in-force', appliedAt",
    law: /V103 /,
  },
  'what nobody knows is not taken back': {
    file: 'collector/holds/note.ts',
    from: "if (owner === null || outcome === 'released' || !isId(hold)) return null;",
    to: 'if (owner !== null || outcome !== null || isId(hold)) return null;',
    law: /V103 |H3 /,
  },
  'a restored collector orders nothing again': {
    file: 'collector/holds/courier.ts',
    from: 'await this.#place(hold, row, given);',
    to: 'void given;',
    law: /H1 |V103 /,
  },
  'orders of another generation count': {
    file: 'collector/holds/given.ts',
    from: 'commands.list({ agent, generation: generation(), verb })',
    to: 'commands.list({ agent, verb })',
    law: /H1 |V103 /,
  },
  'anybody signs': {
    file: 'agent/uplink/commands.ts',
    from: "if (!verifyRecord('command', context.identity, record)) return { do: 'close', code: 'notProven' };",
    to: "if (verifyRecord('command', '', record)) return { do: 'close', code: 'notProven' };",
    law: /H11 |H7 |H1 /,
  },
  'any number is the next': {
    file: 'agent/uplink/commands.ts',
    from: "return command.n === n + 1 ? { do: 'apply' } : { do: 'close', code: 'outOfOrder' };",
    to: "return { do: 'apply' };",
    law: /H11 |H1 |V103 /,
  },
};

function copyWith({ file, from, to }: Mutant): string {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-holds-mutant-'));
  mkdirSync(join(dir, 'test'));
  for (const room of COPIED) cpSync(join(ROOT, room), join(dir, room), { recursive: true });
  for (const one of FILES) cpSync(join(ROOT, one), join(dir, one));
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  const text = readFileSync(join(dir, file), 'utf8');
  // A mutant of a text that is not there any more would break nothing and prove nothing.
  if (text.split(from).length !== 2) throw new Error(`not once in ${file}: ${from}`);
  writeFileSync(
    join(dir, file),
    text.replace(from, () => to),
  );
  return dir;
}

/** What the model says; null: it found nothing. */
function modelSays(dir: string): Promise<string | null> {
  const args = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', 'test/holds/model.test.ts'];
  const env = { ...process.env, TILSYN_HOLD_RUNS: String(RUNS), NO_COLOR: '1' };
  const child = spawn(process.execPath, args, { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code === 0 ? null : text));
  });
}

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const names = Object.keys(MUTANTS).filter((name) => name.includes(values.only ?? ''));
let failed = 0;

async function take(name: string): Promise<void> {
  const mutant = MUTANTS[name] as Mutant;
  const began = performance.now();
  const dir = copyWith(mutant);
  try {
    const said = await modelSays(dir);
    // The word of the model itself, not that some code of the mutant could not run.
    const line = said?.match(/Error: (?:[A-Z]+\d+ .*)/g)?.find((one) => mutant.law.test(one));
    const killed = line !== undefined;
    if (!killed) failed += 1;
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    console.log(
      `${killed ? '✓ killed' : '✗ FAILED, it lives'}: ${name}, ${seconds} s${killed ? `: ${line.slice('Error: '.length)}` : ''}`,
    );
    if (!killed && said !== null) console.log(said.split('\n').slice(0, 60).join('\n'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const waiting = [...names];
const worker = async () => {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await take(name);
};
await Promise.all(Array.from({ length: AT_ONCE }, worker));
console.log(`mutants of what keeps a hold: ${names.length - failed} killed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
