/**
 * Which mount points are real local disks. Pure: text of the system in, mount points out.
 *
 * T13 One entry per file system: what is mounted twice, or bound elsewhere, is one disk under its shortest name.
 * T14 What is not a disk of this machine is left out: network shares, memory, images that are always full.
 */
import { MAX_DISKS } from '../../protocol/telemetry.ts';

/** File systems that live on disks of this machine and may be written. */
const LOCAL = new Set([
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'btrfs',
  'zfs',
  'bcachefs',
  'f2fs',
  'jfs',
  'nilfs2',
  'reiserfs',
  'vfat',
  'exfat',
  'ntfs',
  'ntfs3',
  'fuseblk',
  'hfsplus',
  'apfs',
  'ufs',
]);
/** A container's own root: the only sight of a disk that it has. */
const CONTAINER_ROOT = new Set(['overlay', 'aufs']);

interface Mount {
  mount: string;
  device: string;
}

/** Mount points of `/proc/self/mountinfo` (proc_pid_mountinfo(5)), sorted, at most as many as a sample takes. */
export function linuxMounts(mountinfo: string): string[] {
  const found = mountinfo.split('\n').flatMap((line) => mountOf(line) ?? []);
  const byDevice = new Map<string, string>();
  for (const { mount, device } of found) {
    const known = byDevice.get(device);
    // Of two mounts at one place the later one is seen; a mount point below another is its own.
    if (known === undefined || shorter(mount, known)) byDevice.set(device, mount);
  }
  return [...new Set(byDevice.values())].sort(byPath).slice(0, MAX_DISKS);
}

function mountOf(line: string): Mount | null {
  const [before = '', after = ''] = line.split(' - ');
  const [, , device = '', , path = '', options = ''] = before.split(' ');
  const [type = '', source = ''] = after.split(' ');
  const mount = unescaped(path);
  const local = LOCAL.has(type) || (mount === '/' && CONTAINER_ROOT.has(type));
  if (!local || !mount.startsWith('/') || options.split(',').includes('ro')) return null;
  return { mount, device: deviceOf(type, source, device) };
}

/** Subvolumes of btrfs and datasets of a zfs pool share their space, under numbers of their own. */
function deviceOf(type: string, source: string, device: string): string {
  if (type === 'zfs') return source.split('/')[0] ?? source;
  return source.startsWith('/dev/') && type === 'btrfs' ? source : device;
}

/** `\040` and the like: blanks, tabs, line ends and backslashes. */
function unescaped(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_all, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function shorter(a: string, b: string): boolean {
  return a.length < b.length || (a.length === b.length && a < b);
}

function byPath(a: string, b: string): number {
  return a < b ? -1 : 1;
}

/** Places to try where the system gives no list: `C:\` to `Z:\`. A and B are floppies, which make a noise. */
export const WINDOWS_DRIVES: readonly string[] = Array.from(
  'CDEFGHIJKLMNOPQRSTUVWXYZ',
  (letter) => `${letter}:\\`,
);
