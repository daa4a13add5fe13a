/** R3 as the kernel saw it: what a sweep unlinked, and what it opened for writing. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Place } from './place.ts';

const CHILD = new URL('./sweep-child.ts', import.meta.url).pathname;
const CALLS =
  'openat,open,creat,unlink,unlinkat,rename,renameat,renameat2,rmdir,truncate,link,linkat,symlink,mkdir';
const EXPIRED = 30;

export async function traced(note: (text: string) => void): Promise<void> {
  const place = new Place();
  try {
    place.fill(EXPIRED, 31);
    place.fill(5, 2);
    place.catalogue();
    const log = join(place.home, 'strace.log');
    const order = JSON.stringify({ where: place.where, point: null, nth: 0 });
    const strace = ['-f', '-y', '-e', `trace=${CALLS}`, '-o', log, process.execPath, CHILD, order];
    const child = spawnSync('strace', strace, { encoding: 'utf8' });
    if (child.status !== 0) throw new Error(`the traced sweep failed: ${child.stderr}`);
    const { unlinked, written } = readTrace(readFileSync(log, 'latin1'));
    const wrong = unlinked.filter(
      (path) => !path.startsWith(`${place.root}/`) && !path.startsWith(`${place.state}/`),
    );
    if (wrong.length > 0) throw new Error(`unlinked outside of the root: ${wrong.length}`);
    const files = unlinked.filter((path) => path.endsWith('.mp4')).length;
    if (files !== EXPIRED)
      throw new Error(`the kernel saw ${files} recordings unlinked, expected ${EXPIRED}`);
    const elsewhere = written.filter(
      (path) => !path.startsWith(`${place.state}/`) && !path.startsWith('/dev/'),
    );
    if (elsewhere.length > 0) throw new Error(`opened for writing outside of its own state: ${elsewhere[0]}`);
    if (!place.foreignIsThere()) throw new Error('a foreign file was touched');
    note(
      `${files} recordings unlinked below the root, ${written.length} opens for writing, all in the state directory`,
    );
  } finally {
    place.close();
  }
}

/** Follows descriptors, because a recording is unlinked through one. */
function readTrace(text: string): { unlinked: string[]; written: string[] } {
  const folders = new Map<string, string>();
  const unlinked: string[] = [];
  const written: string[] = [];
  for (const line of text.split('\n')) {
    const opened =
      /open(?:at)?\((?:AT_FDCWD<[^>]*>, )?"([^"]*)", ([A-Z_|0-9a-z]+)[^)]*\) = (\d+)<([^>]*)>/.exec(line);
    if (opened !== null) {
      const [, , flags = '', fd = '', real = ''] = opened;
      folders.set(fd, real);
      if (/O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(flags)) written.push(real);
      continue;
    }
    const gone = /(?:unlink|unlinkat|rmdir|rename|truncate)\((?:AT_FDCWD<[^>]*>, )?"([^"]*)".*\) = 0$/.exec(
      line,
    );
    if (gone === null) continue;
    const [, path = ''] = gone;
    unlinked.push(path.replace(/^\/proc\/self\/fd\/(\d+)/, (_, fd: string) => folders.get(fd) ?? '?'));
  }
  return { unlinked, written };
}
