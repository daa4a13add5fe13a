/**
 * Where TeamViewer's files lie. The folders are those of the vendor's own log collection script and of
 * forensic collectors; `NN` is the major version, and after an upgrade the files of several lie side by
 * side, while `Connections_incoming.txt` is shared.
 */
import { readdir } from 'node:fs/promises';
import { posix, win32 } from 'node:path';
import { hasCode } from '../../protocol/errors.ts';

/** Names in a folder; null where it does not exist, `refused` where it may not be looked into. */
export interface DetectProbe {
  list(folder: string): Promise<string[] | null | 'refused'>;
}

export interface DetectInput {
  /** As `process.platform`. */
  platform: string;
  env: Readonly<Record<string, string | undefined>>;
  probe: DetectProbe;
}

/** One installation, or one user's folder. At least one of the files is there. */
export interface FoundTeamviewer {
  tool: 'teamviewer';
  folder: string;
  connectionsIncoming: string | null;
  /** Outgoing sessions of one user. */
  connections: string | null;
  /** The log of the newest major version. */
  logfile: string | null;
}

export interface LookedAt {
  folder: string;
  result: 'found' | 'nothing' | 'missing' | 'refused';
}

export interface Detection {
  found: FoundTeamviewer[];
  /** Every folder that was tried, in order: an answer without it is not an answer. */
  lookedAt: LookedAt[];
}

/** Users' folders that are looked into; terminal servers may have thousands. */
const USERS_LOOKED_AT = 256;

/** Looks for TeamViewer's files. Never throws: a folder that cannot be read stands in `lookedAt`. */
export async function detectTeamviewer(input: DetectInput): Promise<Detection> {
  const { join } = input.platform === 'win32' ? win32 : posix;
  const detection: Detection = { found: [], lookedAt: [] };
  const folders = await foldersOf(input);
  for (const folder of [...new Set(folders)]) {
    const names = await input.probe.list(folder);
    const found = Array.isArray(names) ? filesIn(folder, names, join) : null;
    if (found !== null) detection.found.push(found);
    const absent = names === null ? 'missing' : names === 'refused' ? 'refused' : 'nothing';
    detection.lookedAt.push({ folder, result: found === null ? absent : 'found' });
  }
  return detection;
}

/** The real disk, for `detectTeamviewer`. */
export const diskProbe: DetectProbe = {
  async list(folder) {
    try {
      return await readdir(folder);
    } catch (error) {
      return hasCode(error, 'ENOENT', 'ENOTDIR') ? null : 'refused';
    }
  },
};

function filesIn(
  folder: string,
  names: string[],
  join: (...parts: string[]) => string,
): FoundTeamviewer | null {
  const named = (pattern: RegExp) => names.filter((name) => pattern.test(name));
  const path = (name: string | undefined) => (name === undefined ? null : join(folder, name));
  // Names have been seen in lower case too, and Linux is particular about it.
  const connectionsIncoming = path(named(/^connections_incoming\.txt$/i)[0]);
  const connections = path(named(/^connections\.txt$/i)[0]);
  const logs = named(/^teamviewer\d{1,3}_logfile\.log$/i).toSorted((a, b) => majorOf(b) - majorOf(a));
  const logfile = path(logs[0]);
  if (connectionsIncoming === null && connections === null && logfile === null) return null;
  return { tool: 'teamviewer', folder, connectionsIncoming, connections, logfile };
}

function majorOf(name: string): number {
  return Number(/\d+/.exec(name)?.[0] ?? 0);
}

async function foldersOf(input: DetectInput): Promise<string[]> {
  if (input.platform === 'win32') return windowsFolders(input);
  if (input.platform === 'darwin') return macFolders(input);
  return linuxFolders(input);
}

async function windowsFolders({ env, probe }: DetectInput): Promise<string[]> {
  const drive = env.SystemDrive ?? 'C:';
  const programs = [
    env.ProgramW6432,
    env.ProgramFiles,
    env['ProgramFiles(x86)'],
    win32.join(drive, '\\Program Files'),
    win32.join(drive, '\\Program Files (x86)'),
  ];
  const root = win32.join(drive, '\\');
  // Installed by hand into the root of the drive, under a name that still says what it is.
  const odd = (await children(probe, root)).filter((name) => /^teamviewe?r?\d*$/i.test(name));
  const users = await children(probe, win32.join(root, 'Users'));
  const profiles = users.map((user) => win32.join(root, 'Users', user, 'AppData'));
  return [
    ...given(programs).map((folder) => win32.join(folder, 'TeamViewer')),
    ...odd.map((name) => win32.join(root, name)),
    ...given([env.APPDATA]).map((folder) => win32.join(folder, 'TeamViewer')),
    ...given([env.LOCALAPPDATA]).map((folder) => win32.join(folder, 'TeamViewer', 'Logs')),
    ...profiles.map((folder) => win32.join(folder, 'Roaming', 'TeamViewer')),
    ...profiles.map((folder) => win32.join(folder, 'Local', 'TeamViewer', 'Logs')),
  ];
}

async function macFolders({ env, probe }: DetectInput): Promise<string[]> {
  const users = (await children(probe, '/Users')).map((user) => posix.join('/Users', user));
  const homes = ['/', ...given([env.HOME]), ...users];
  return homes.map((home) => posix.join(home, 'Library/Logs/TeamViewer'));
}

async function linuxFolders({ env, probe }: DetectInput): Promise<string[]> {
  const folders = ['/opt/teamviewer/logfiles', '/var/log/teamviewer'];
  const isTool = (name: string) => /^teamviewer\d{1,3}$/i.test(name);
  for (const name of (await children(probe, '/var/log')).filter(isTool)) {
    const folder = posix.join('/var/log', name);
    // Version 12 kept a folder for each user below it.
    const below = (await children(probe, folder)).filter((child) => !child.includes('.'));
    folders.push(folder, ...below.map((child) => posix.join(folder, child)));
  }
  const users = (await children(probe, '/home')).map((user) => posix.join('/home', user));
  for (const home of new Set([...given([env.HOME]), '/root', ...users])) {
    const share = posix.join(home, '.local/share');
    const tools = (await children(probe, share)).filter(isTool);
    folders.push(...tools.map((name) => posix.join(share, name, 'logfiles')));
  }
  return folders;
}

async function children(probe: DetectProbe, folder: string): Promise<string[]> {
  const names = await probe.list(folder);
  return Array.isArray(names) ? names.toSorted().slice(0, USERS_LOOKED_AT) : [];
}

function given(paths: (string | undefined)[]): string[] {
  return paths.filter((path) => path !== undefined && path !== '') as string[];
}
