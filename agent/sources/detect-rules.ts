/** What detection is told: for each system a table of tools, the folders they write to and the files in there. */
import type { DetectProbe } from './detect.ts';

export interface ToolProbe extends DetectProbe {
  /** Whether this account may read a file. */
  readable(path: string): Promise<boolean>;
}

/** A folder as the names on the way to it; a pattern stands for every name that fits. */
export type Way = readonly (string | RegExp)[];

export interface ToolRule {
  /** As the type of its source where it has one, otherwise a short word for it. */
  tool: string;
  name: string;
  way: Way;
  /** Files by what they are, each the first that fits in the order of their names. */
  files: Readonly<Record<string, RegExp>>;
  /** That the folder is there says that the tool is, also while it has no file. */
  folderTells?: true;
  /** Files by which the tool is known to be there although none of its logs is. */
  installed?: RegExp;
}

/** Where the tables begin: folders of this machine, of each of its users. */
export interface Roots {
  programs: string[];
  /** Data of programs, for all users. */
  data: string[];
  windows: string[];
  roaming: string[];
  local: string[];
  homes: string[];
}

export type SupportWord = 'built-in' | 'declared-example' | 'none';

/** What Tilsyn can do with a tool. */
export const SUPPORT: Readonly<Record<string, { support: SupportWord; spec: string | null }>> = {
  teamviewer: { support: 'built-in', spec: null },
  anydesk: { support: 'built-in', spec: null },
  rustdesk: { support: 'built-in', spec: null },
  sshd: { support: 'built-in', spec: null },
  rdp: { support: 'built-in', spec: null },
  x11vnc: { support: 'declared-example', spec: 'x11vnc' },
  ultraviewer: { support: 'declared-example', spec: 'ultraviewer' },
  supremo: { support: 'declared-example', spec: 'supremo' },
};

export function supportOf(tool: string): { support: SupportWord; spec: string | null } {
  return (Object.hasOwn(SUPPORT, tool) ? SUPPORT[tool] : undefined) ?? { support: 'none', spec: null };
}

/** Users whose folders are looked into, and names that a pattern may stand for. */
const MAX_CHILDREN = 256;

/** The folders that a way leads to; those with a pattern only where they exist. */
export async function foldersOn(
  way: Way,
  probe: DetectProbe,
  join: (...parts: string[]) => string,
): Promise<string[]> {
  let folders: string[] = [];
  for (const [index, step] of way.entries()) {
    if (typeof step === 'string') folders = index === 0 ? [step] : folders.map((one) => join(one, step));
    else {
      const next: string[] = [];
      for (const folder of folders) {
        const names = (await namesIn(probe, folder)).filter((name) => step.test(name));
        next.push(...names.map((name) => join(folder, name)));
      }
      folders = next;
    }
  }
  return folders;
}

export async function namesIn(probe: DetectProbe, folder: string): Promise<string[]> {
  const names = await probe.list(folder);
  return Array.isArray(names) ? names.toSorted().slice(0, MAX_CHILDREN) : [];
}
