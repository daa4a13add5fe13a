/** Z5: what pages and hints tell people to type is there. */
import { expect, it } from 'vitest';
import { TABLE } from '../../cli/table.ts';
import { codeOnly, filesIn, PRODUCT, readText } from './tree.ts';

const GLOBAL = ['--help', '--output', '--tz', '--timeout', '--version'];
const LATER = /^tilsyn (?:hold|sweep|verify|ledger|camera|recording|erasure|audit|access)\b/;

/** `tilsyn …` lines, to the end of the quote or of the line. */
function commandsIn(text: string): string[] {
  return [...text.matchAll(/\btilsyn ([a-z]+(?: [a-z-]+)?[^`'"\n;,|)]*)/g)].map(([all]) => all.trim());
}

/** What is wrong with it; null: nothing. */
function wrong(command: string): string | null {
  const words = command.split(/\s+/).slice(1);
  const two = TABLE.find(({ path }) => path === words.slice(0, 2).join(' '));
  const three = TABLE.find(({ path }) => path === words.slice(0, 3).join(' '));
  const entry = three ?? two ?? TABLE.find(({ path }) => path === words[0]);
  if (entry === undefined) return `no such command: ${command}`;
  const known = [...GLOBAL, ...(entry.options ?? []).map(([flags]) => /--[a-z0-9-]+/.exec(flags)?.[0])];
  const named = words.flatMap((word) => /^\[?(--[a-z0-9-]+)/.exec(word)?.[1] ?? []);
  const unknown = named.find((option) => !known.includes(option));
  return unknown === undefined ? null : `no such option: ${command}`;
}

it('Z5 every command that the guide, the README or a hint names is there, with its options', () => {
  const pages = [...filesIn(['docs/guide'], '.md').map((page) => page.text), readText('README.md')];
  const quoted = pages.flatMap((page) => [
    ...[...page.matchAll(/`(tilsyn [^`]+)`/g)].map(([, command]) => command ?? ''),
    ...[...page.matchAll(/^ *(tilsyn [^\n>]+)/gm)].map(([, command]) => command ?? ''),
  ]);
  const hints = filesIn(PRODUCT).flatMap(({ text }) =>
    [...codeOnly(text).matchAll(/`(tilsyn [a-z][^`$]*)\\?`/g)].map(
      ([, command]) => command?.replace(/\\$/, '') ?? '',
    ),
  );
  const all = [...quoted, ...hints].flatMap(commandsIn).filter((command) => !LATER.test(command));
  expect(all.length).toBeGreaterThan(60);
  expect([...new Set(all.flatMap((command) => wrong(command) ?? []))]).toEqual([]);
});

it('Z5 the reader of commands sees what is not there', () => {
  const said = commandsIn(
    'run `tilsyn agreement list --customer C`, `tilsyn nonsense x` or `tilsyn host show H`',
  );
  expect(said.map(wrong)).toEqual([
    'no such option: tilsyn agreement list --customer C',
    'no such command: tilsyn nonsense x',
    null,
  ]);
});
