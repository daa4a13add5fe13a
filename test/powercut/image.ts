/**
 * A file system that can lose its power: ext4 on a loop-mounted file. What ext4 has handed to its device lies in
 * the backing file; what it still holds in its own page cache does not. A copy of the backing file, mounted
 * elsewhere, is therefore what a machine finds after a power cut: the journal is replayed on mount.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, rmSync } from 'node:fs';

const mounted = new Set<string>();

/** What is missing for this test on this machine; null: nothing. */
export function missingForImages(): string | null {
  if (process.platform !== 'linux') return 'Linux';
  if (process.getuid?.() !== 0) return 'root';
  if (!existsSync('/dev/loop-control')) return 'loop devices (/dev/loop-control)';
  for (const tool of ['mkfs.ext4', 'mount', 'umount', 'cp']) {
    try {
      execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
    } catch {
      return tool;
    }
  }
  return null;
}

/** Makes an empty ext4 in a sparse file. Nothing is initialised lazily: that would be writes of the kernel's own. */
export function makeImage(path: string, megabytes: number): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, megabytes * 1024 * 1024);
  closeSync(fd);
  const lazy = 'lazy_itable_init=0,lazy_journal_init=0';
  execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', '-E', lazy, path], { stdio: 'pipe' });
}

/**
 * The journal is committed by fsync only, not every five seconds: a copy takes a few hundredths of a second, and
 * a commit of the kernel's own in the middle of it would make it a copy of two moments.
 */
export function mountImage(image: string, at: string): void {
  mkdirSync(at, { recursive: true });
  execFileSync('mount', ['-o', 'loop,commit=300', image, at], { stdio: 'pipe' });
  mounted.add(at);
}

/** The loop device goes with the mount. */
export function unmountImage(at: string): void {
  if (!mounted.has(at)) return;
  execFileSync('umount', [at], { stdio: 'pipe' });
  mounted.delete(at);
}

/** The backing file as it is at this moment. The machine that writes to it must not run meanwhile. */
export function copyImage(image: string, to: string): void {
  rmSync(to, { force: true });
  execFileSync('cp', ['--reflink=auto', '--sparse=always', image, to]);
}

/** For the way out, after an error too: lazily, as a killed child may just be going. */
export function unmountEverything(): void {
  for (const at of mounted) {
    try {
      execFileSync('umount', ['-l', at], { stdio: 'pipe' });
    } catch (error) {
      console.error(`powercut: ${at} could not be unmounted: ${String(error)}`);
    }
  }
  mounted.clear();
}
