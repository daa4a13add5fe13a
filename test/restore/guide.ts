/** The commands of `docs/guide/restore.md`, run as they stand there: only paths and names are put in. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Answer, Stage } from '../identity/stage.ts';

const PAGE = fileURLToPath(new URL('../../docs/guide/restore.md', import.meta.url));
const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

const BLOCK = /<!-- run: ([a-z-]+) -->\n```sh\n([\s\S]*?)```/g;

/** Every block of the page, by name. @throws Error for a block of commands without a name */
export function blocksOf(page = readFileSync(PAGE, 'utf8')): Map<string, string> {
  const blocks = new Map([...page.matchAll(BLOCK)].map(([, name = '', text = '']) => [name, text]));
  const fences = [...page.matchAll(/^```sh$/gm)].length;
  if (fences !== blocks.size) throw new Error(`${fences} blocks of commands, ${blocks.size} of them named`);
  return blocks;
}

const ran = new Set<string>();

/** Blocks that no scenario has run. */
export function neverRun(): string[] {
  return [...blocksOf().keys()].filter((name) => !ran.has(name));
}

/** What stands on the page for what lies on the stage. */
function placed(stage: Stage, text: string, more: Record<string, string>): string {
  const places: Record<string, string> = {
    '/var/lib/tilsyn-collector': stage.collectorState,
    '/mnt/keys2-new/tilsyn': stage.at('keys2-new'),
    '/mnt/keys2/tilsyn': stage.at('keys2'),
    '/mnt/safe/age.txt': stage.at('secret', 'age.txt'),
    '/backup/': `${stage.at('backup')}/`,
    ...more,
  };
  return Object.entries(places).reduce((out, [from, to]) => out.replaceAll(from, to), text);
}

/** Runs one block in a shell that stops at the first failure. */
export async function tryGuide(
  stage: Stage,
  name: string,
  more: Record<string, string> = {},
  env: Record<string, string> = {},
): Promise<Answer> {
  const block = blocksOf().get(name);
  if (block === undefined) throw new Error(`the guide has no block ${name}`);
  ran.add(name);
  const bin = stage.at('bin');
  mkdirSync(bin, { recursive: true });
  mkdirSync(stage.at('backup'), { recursive: true });
  writeFileSync(`${bin}/tilsyn`, `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  chmodSync(`${bin}/tilsyn`, 0o755);
  const surroundings = stage.environment(env);
  const child = spawn('sh', ['-eu', '-c', placed(stage, block, more)], {
    env: { ...surroundings, PATH: `${bin}:${surroundings.PATH}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err]: Buffer[][] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out?.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err?.push(chunk));
  const [code] = await once(child, 'close');
  const text = (chunks: Buffer[] | undefined) => Buffer.concat(chunks ?? []).toString('utf8');
  return { code: code ?? -1, stdout: text(out), stderr: text(err) };
}

/** The same, and it must succeed; findings (exit 6) are no failure of the command. */
export async function guide(...args: Parameters<typeof tryGuide>): Promise<Answer> {
  const answer = await tryGuide(...args);
  if (answer.code === 0 || answer.code === 6) return answer;
  throw new Error(`block ${args[1]} of the guide: exit ${answer.code}\n${answer.stderr}`);
}
