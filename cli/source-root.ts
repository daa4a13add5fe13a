/**
 * `tilsyn source detect --root DIR` and `source add`: which layout a recorder's folder has, with ten paths as they were
 * read; and the folder named in `agent.yaml`, with its marker, once a person has looked at them.
 */
import { isAbsolute, resolve } from 'node:path';
import { EXIT, TilsynError } from '../protocol/errors.ts';
import { flag, format, text, usage } from './args.ts';
import { addSource } from './config-edit.ts';
import { confirm } from './confirm.ts';
import { csvOf } from './csv.ts';
import type { Input } from './io.ts';
import { type Cell, jsonText, tableText } from './text.ts';

type Look = Awaited<ReturnType<typeof import('../agent/main.ts')['lookAtRoot']>>;
type Layout = Look['layouts'][number];

const FIELDS = ['layout', 'title', 'erasable', 'recordings', 'others', 'unknown'];

export async function detectRoot(input: Input, root: string): Promise<number> {
  const kind = format(input, 'table', 'json', 'csv');
  const look = await lookAt(input, root, text(input, 'layout') ?? null);
  const coverage = { from: null, to: null, hosts: [] };
  if (kind === 'json') {
    input.io.out(
      jsonText({ schema: 1, items: look.layouts, root: look.root, files: look.files, coverage, next: null }),
    );
  } else if (kind === 'csv') input.io.out(csvOf(look.layouts.map(plain), FIELDS));
  else showLook(input, look);
  return look.layouts.length === 0 ? EXIT.findings : EXIT.done;
}

function plain({ shown: _shown, ...layout }: Layout): Record<string, unknown> {
  return layout;
}

async function lookAt(input: Input, root: string, layout: string | null): Promise<Look> {
  const { lookAtRoot } = await import('../agent/main.ts');
  return await lookAtRoot(resolve(root), text(input, 'zone') ?? 'UTC', layout);
}

function showLook({ io }: Input, { root, files, whole, layouts }: Look): void {
  io.out(`${files}${whole ? '' : ' of more'} files below ${root} looked at\n`);
  const [best] = layouts;
  if (best === undefined) {
    io.out('no layout of ours reads any of them; a pattern of your own can: docs/guide/recorders.md\n');
    return;
  }
  const rows = layouts.map((one): Cell[] => [
    ...[one.layout, one.title, one.recordings, one.others, one.unknown],
    one.erasable ? 'report or erase' : 'report only',
  ]);
  io.out(tableText(['layout', 'recorder', 'recordings', 'others', 'unknown', 'modes'], rows));
  io.out(`\nas ${best.layout} reads them:\n`);
  io.out(tableText(['camera', 'starts', 'ends', 'path'], best.shown.map(shownRow)));
}

function shownRow({ camera, from, to, ends, path }: Layout['shown'][number]): Cell[] {
  const start = from === to ? (from ?? 'not in the path') : `${from} … ${to}`;
  return [camera === '' ? '-' : camera, start, ends ?? 'bounded', path];
}

/** `source add`: shows what would be read, asks, writes `agent.yaml` and the marker. */
export async function sourceAdd(input: Input): Promise<number> {
  const root = needed(input, 'root', '--root /srv/nvr/recordings');
  const config = needed(input, 'config', '--config /etc/tilsyn/agent.yaml');
  if (!isAbsolute(root))
    throw usage(`adding a source: ${root} is no absolute path`, 'Name the folder from / on.');
  const mode = text(input, 'mode') ?? 'report';
  if (mode !== 'report' && mode !== 'erase')
    throw usage('adding a source: --mode is report or erase', 'Begin with report.');
  const look = await lookAt(input, root, text(input, 'layout') ?? null);
  const [best] = look.layouts;
  if (best === undefined || best.recordings === 0) {
    throw new TilsynError('layout.none', `adding ${root}: no layout reads any of its files`, {
      hint: 'Name one with --layout, or a pattern: docs/guide/recorders.md.',
      exit: 'usage',
    });
  }
  if (mode === 'erase' && !best.erasable) {
    throw usage(
      `adding ${root}: ${best.title} is report-only`,
      'Use --mode report; the recorder itself has to erase.',
    );
  }
  showLook(input, { ...look, layouts: [best] });
  const zone = text(input, 'zone') ?? 'UTC';
  const source = { type: 'recordings', root, layout: best.layout, timeZone: zone, mode };
  if (flag(input, 'dryRun')) return EXIT.done;
  await confirm(input, `${root} is read as ${best.layout}, times in ${zone}, mode ${mode}`);
  // The marker last: one without its entry does nothing, an entry without its marker is only reported.
  await addSource(config, source);
  const { markRoot } = await import('../agent/main.ts');
  const id = await markRoot(root);
  if (format(input, 'table', 'json') === 'json') input.io.out(jsonText({ source: id, ...source }));
  else input.io.out(`added; restart the agent to have it read\n`);
  return EXIT.done;
}

function needed(input: Input, name: string, example: string): string {
  const given = text(input, name);
  if (given !== undefined) return given;
  throw usage(`adding a source: --${name} is missing`, `Say it: ${example}.`);
}
