/**
 * Which remote tools are on this machine, whether Tilsyn reads them or not.
 *
 * M6  What is not known to be watched is said: every tool that is found and has no source is a finding, and every
 *     folder that was looked at, or could not be, stands beside the answer.
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { posix, win32 } from 'node:path';
import { type DetectInput, type Detection, detectTeamviewer, diskProbe, type LookedAt } from './detect.ts';
import {
  foldersOn,
  namesIn,
  type Roots,
  type SupportWord,
  supportOf,
  type ToolProbe,
  type ToolRule,
} from './detect-rules.ts';
import { linuxTools, macTools } from './detect-tools-unix.ts';
import { windowsTools } from './detect-tools-windows.ts';

export interface ToolInput extends DetectInput {
  probe: ToolProbe;
}

/** A tool in one folder. */
export interface FoundTool {
  tool: string;
  name: string;
  folder: string;
  /** Paths by what they are; empty: the tool is there, and no log of it. */
  files: Record<string, string>;
  /** Every one of the files may be read by this account. */
  readable: boolean;
  supported: SupportWord;
  /** Name of the declaration that comes with Tilsyn. */
  spec: string | null;
}

export interface ToolDetection {
  found: FoundTool[];
  lookedAt: LookedAt[];
}

/** The real disk. */
export const toolProbe: ToolProbe = {
  ...diskProbe,
  readable: (path) =>
    access(path, constants.R_OK).then(
      () => true,
      () => false,
    ),
};

/** Looks for every tool that is known by name. Never throws: a folder that cannot be read stands in `lookedAt`. */
export async function detectTools(input: ToolInput): Promise<ToolDetection> {
  const probe = remembering(input.probe);
  const { join } = input.platform === 'win32' ? win32 : posix;
  const teamviewer = await detectTeamviewer({ ...input, probe });
  const found = await asTools(teamviewer, probe);
  const lookedAt = new Map(teamviewer.lookedAt.map((one) => [one.folder, one]));
  for (const rule of await rulesOf({ ...input, probe })) {
    for (const folder of await foldersOn(rule.way, probe, join)) {
      const names = await probe.list(folder);
      const one = Array.isArray(names) ? await toolIn(rule, folder, names, probe, join) : null;
      if (one !== null) found.push(one);
      const absent = names === null ? 'missing' : names === 'refused' ? 'refused' : 'nothing';
      const before = lookedAt.get(folder)?.result;
      if (before !== 'found') lookedAt.set(folder, { folder, result: one === null ? absent : 'found' });
    }
  }
  return {
    found: await withAuthLog(input.platform, merged(found), probe, join),
    lookedAt: [...lookedAt.values()],
  };
}

/** Folders are asked for many times, by many rules. */
function remembering(probe: ToolProbe): ToolProbe {
  const known = new Map<string, ReturnType<ToolProbe['list']>>();
  return {
    readable: (path) => probe.readable(path),
    list(folder) {
      const names = known.get(folder) ?? probe.list(folder);
      known.set(folder, names);
      return names;
    },
  };
}

async function asTools({ found }: Detection, probe: ToolProbe): Promise<FoundTool[]> {
  const tools: FoundTool[] = [];
  for (const { tool, folder, connectionsIncoming, connections, logfile } of found) {
    const files = Object.entries({ connectionsIncoming, connections, logfile });
    const there = Object.fromEntries(files.filter((pair): pair is [string, string] => pair[1] !== null));
    tools.push(await toolWith({ tool, name: 'TeamViewer' }, folder, there, probe));
  }
  return tools;
}

async function toolIn(
  rule: ToolRule,
  folder: string,
  names: readonly string[],
  probe: ToolProbe,
  join: (...parts: string[]) => string,
): Promise<FoundTool | null> {
  const sorted = names.toSorted();
  const files: Record<string, string> = {};
  for (const [part, pattern] of Object.entries(rule.files)) {
    const name = sorted.find((one) => pattern.test(one));
    if (name !== undefined) files[part] = join(folder, name);
  }
  const installed = rule.installed;
  const there = installed !== undefined && sorted.some((one) => installed.test(one));
  if (Object.keys(files).length === 0 && !there && rule.folderTells !== true) return null;
  return await toolWith(rule, folder, files, probe);
}

async function toolWith(
  { tool, name }: Pick<ToolRule, 'tool' | 'name'>,
  folder: string,
  files: Record<string, string>,
  probe: ToolProbe,
): Promise<FoundTool> {
  const { support, spec } = supportOf(tool);
  const answers = await Promise.all(Object.values(files).map((path) => probe.readable(path)));
  return { tool, name, folder, files, readable: answers.every((one) => one), supported: support, spec };
}

/** That a program is installed adds nothing where its log was found. */
function merged(found: readonly FoundTool[]): FoundTool[] {
  const logged = new Set(found.filter(hasFiles).map((one) => one.tool));
  const seen = new Set<string>();
  return found.filter((one) => {
    const key = hasFiles(one) ? `${one.tool}\0${one.folder}` : one.tool;
    if ((!hasFiles(one) && logged.has(one.tool)) || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function hasFiles({ files }: FoundTool): boolean {
  return Object.keys(files).length > 0;
}

/** sshd writes where syslog lets it: the file says nothing of sshd, and sshd nothing of the file. */
async function withAuthLog(
  platform: string,
  found: FoundTool[],
  probe: ToolProbe,
  join: (...parts: string[]) => string,
): Promise<FoundTool[]> {
  if (platform === 'win32' || platform === 'darwin') return found;
  const names = await namesOf('/var/log', probe);
  const name = ['auth.log', 'secure'].find((one) => names.includes(one));
  const journal = await probe.list('/var/log/journal');
  const folder = name === undefined && Array.isArray(journal) ? '/var/log/journal' : '/var/log';
  const all: FoundTool[] = [];
  for (const one of found) {
    const files: Record<string, string> = name === undefined ? {} : { logfile: join('/var/log', name) };
    all.push(one.tool === 'sshd' ? await toolWith(one, folder, files, probe) : one);
  }
  return all;
}

async function namesOf(folder: string, probe: ToolProbe): Promise<readonly string[]> {
  const names = await probe.list(folder);
  return Array.isArray(names) ? names : [];
}

async function rulesOf(input: ToolInput): Promise<ToolRule[]> {
  const roots = await rootsOf(input);
  if (input.platform === 'win32') return windowsTools(roots);
  return input.platform === 'darwin' ? macTools(roots) : linuxTools(roots);
}

async function rootsOf({ platform, env, probe }: ToolInput): Promise<Roots> {
  const none: Roots = { programs: [], data: [], windows: [], roaming: [], local: [], homes: [] };
  if (platform !== 'win32') {
    const users = platform === 'darwin' ? '/Users' : '/home';
    const homes = (await namesIn(probe, users)).map((user) => posix.join(users, user));
    const root = platform === 'darwin' ? '/var/root' : '/root';
    return { ...none, homes: distinct([env.HOME, root, ...homes]) };
  }
  const drive = env.SystemDrive ?? 'C:';
  const at = (...parts: string[]) => win32.join(drive, '\\', ...parts);
  const users = (await namesIn(probe, at('Users'))).map((user) => at('Users', user, 'AppData'));
  return {
    ...none,
    programs: distinct([
      env.ProgramW6432,
      env.ProgramFiles,
      env['ProgramFiles(x86)'],
      at('Program Files'),
      at('Program Files (x86)'),
    ]),
    data: distinct([env.ProgramData, at('ProgramData')]),
    windows: distinct([env.SystemRoot, at('Windows')]),
    roaming: distinct([env.APPDATA, ...users.map((user) => win32.join(user, 'Roaming'))]),
    local: distinct([env.LOCALAPPDATA, ...users.map((user) => win32.join(user, 'Local'))]),
  };
}

function distinct(paths: readonly (string | undefined)[]): string[] {
  return [...new Set(paths.filter((path) => path !== undefined && path !== ''))] as string[];
}
