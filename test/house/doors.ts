/**
 * What may be done where. `doors.test.ts` applies the table and proves that it can fail.
 *
 * Z1  One door per danger: removing, encrypting, signing, reading the clock, the process, a private half, each
 *     in the file that is named for it and nowhere else.
 */
import { codeOnly, importsOf, placesOf, type SourceFile } from './tree.ts';

export interface Door {
  name: string;
  /** What counts as going through; looked for in code without comments and quoted text. */
  pattern?: RegExp;
  /** Or: these names imported from this module. */
  imports?: { from: RegExp; names?: RegExp };
  /** The only files (or folders, ending in `/`) that may. */
  allowed: readonly string[];
  /** A line that must be found, so that a rule which no longer sees anything is noticed. */
  bad: string;
}

export const DOORS: readonly Door[] = [
  {
    name: 'files are removed only behind a named door',
    pattern: /\b(?:unlink|unlinkSync|rmSync|rmdir|rmdirSync)\b|\brm\s*\(/,
    // cli/settings.ts removes the one file that `tilsyn login` wrote for this person.
    allowed: ['agent/recordings/erase.ts', 'agent/files.ts', 'collector/files.ts', 'cli/settings.ts'],
    bad: "import { unlinkSync } from 'node:fs';\nunlinkSync(path);",
  },
  {
    name: 'files are truncated, renamed or written only behind the doors for own files',
    pattern:
      /\b(?:rename|truncate|ftruncate|writeFile|appendFile|createWriteStream|copyFile|cp|chmod|chown|mkdtemp)(?:Sync)?\s*\(/,
    allowed: [
      'agent/files.ts',
      'agent/recordings/erase.ts',
      'collector/files.ts',
      'collector/slots.ts',
      'cli/settings.ts',
      'cli/sample-writer.ts',
    ],
    bad: "writeFileSync(path, 'x');",
  },
  {
    name: 'the process is seen only by main files and the command line',
    pattern: /\bprocess\.[a-zA-Z]|[=(,]\s*process\b(?!\s*[:.=-])/,
    allowed: ['agent/main.ts', 'collector/main.ts', 'cli/'],
    bad: 'const home = process.env.HOME;',
  },
  {
    name: 'node:process is not imported around that door',
    imports: { from: /^node:process$/ },
    allowed: ['agent/main.ts', 'collector/main.ts', 'cli/'],
    bad: "import { env } from 'node:process';",
  },
  {
    name: 'the clock is read only in protocol/time.ts',
    pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bhrtime\b/,
    allowed: ['protocol/time.ts'],
    bad: 'const at = Date.now();',
  },
  {
    name: 'SQLite is opened only by the two databases',
    imports: { from: /^better-sqlite3$|^node:sqlite$/ },
    allowed: ['agent/db.ts', 'collector/store/'],
    bad: "import Sqlite from 'better-sqlite3';",
  },
  {
    name: 'encryption happens only in protocol/seal.ts',
    pattern: /\b(?:createCipheriv|createDecipheriv|diffieHellman|publicEncrypt|privateDecrypt)\b/,
    allowed: ['protocol/seal.ts'],
    bad: "const c = createCipheriv('aes-256-gcm', key, nonce);",
  },
  {
    name: 'signing and verifying happen only in protocol/sign.ts',
    imports: { from: /^node:crypto$/, names: /\b(?:sign|verify|createSign|createVerify)\b|\*/ },
    allowed: ['protocol/sign.ts'],
    bad: "import { sign } from 'node:crypto';",
  },
  {
    name: 'records are hashed only in protocol/canonical.ts',
    pattern: /\bcreateHash\b/,
    allowed: ['protocol/canonical.ts'],
    bad: "createHash('sha256').update(x)",
  },
  {
    name: 'the private half of a key group is seen only by the keyring and its slots',
    imports: { from: /(^|\/)protocol\/seal\.ts$/, names: /\b(?:x25519Private|openWrap)\b|\*/ },
    allowed: ['collector/keyring.ts', 'collector/slots.ts'],
    bad: "import { x25519Private } from '../protocol/seal.ts';",
  },
  {
    name: 'a keyring is read only by the keyring',
    imports: { from: /(^|\/)slots\.ts$/ },
    allowed: ['collector/'],
    bad: "import { readSlots } from '../collector/slots.ts';",
  },
  {
    name: 'keys are put into an escrow, and taken out of one, in one file',
    imports: { from: /^age-encryption$/ },
    allowed: ['collector/keyring-escrow.ts'],
    bad: "import { Encrypter } from 'age-encryption';",
  },
  {
    name: 'an escrow is sealed by the keyring only',
    imports: { from: /(^|\/)keyring-escrow\.ts$/, names: /\b(?:sealSlots|laySlots|encrypterFor)\b|\*/ },
    allowed: ['collector/keyring.ts'],
    bad: "import { sealSlots } from './keyring-escrow.ts';",
  },
  {
    name: 'the console belongs to the command line',
    pattern: /\bconsole\.[a-z]/,
    allowed: ['cli/'],
    bad: "console.log('x');",
  },
  {
    name: 'no child process is started in steady state',
    imports: { from: /^node:child_process$|^node:cluster$/ },
    // wevtutil.ts: Node cannot read Windows' event logs. Windows only, where remote desktop is a source.
    allowed: ['cli/', 'agent/sources/wevtutil.ts'],
    bad: "import { spawn } from 'node:child_process';",
  },
  {
    name: 'no chance but the one that is handed in',
    pattern: /\bMath\.random\b/,
    allowed: [],
    bad: 'const x = Math.random();',
  },
];

/** Where `files` go through `door` without being allowed to. */
export function offences(door: Door, files: readonly SourceFile[]): string[] {
  return files
    .filter(
      (file) => !door.allowed.some((a) => (a.endsWith('/') ? file.path.startsWith(a) : file.path === a)),
    )
    .flatMap((file) => {
      if (door.pattern !== undefined) {
        return placesOf(file, codeOnly(file.text, { strings: false }), door.pattern);
      }
      const { from, names } = door.imports ?? { from: /$^/ };
      return importsOf(file)
        .filter((i) => from.test(i.target) && !i.typeOnly && (names === undefined || names.test(i.names)))
        .map((i) => `${file.path} imports ${i.names} from ${i.target}`);
    });
}
