/** Which tools of a machine nobody reads (M6). Pure. */
import type { FoundTool } from './detect-tools.ts';

/** A source as far as coverage goes. */
export interface Covering {
  type: string;
  /** The files that it names; empty: those that are found. */
  files: readonly string[];
  /** Name or path of its declaration. */
  spec: string | null;
}

/** `no-source`: it could be read, and is not. `no-reader`: nothing here can read it. `refused`: not by this account. */
export type UncoveredReason = 'no-source' | 'no-reader' | 'no-log' | 'refused';

export interface Uncovered {
  tool: string;
  name: string;
  folder: string;
  reason: UncoveredReason;
}

/** One finding for each tool, in the order of detection. */
export function uncovered(found: readonly FoundTool[], configured: readonly Covering[]): Uncovered[] {
  const findings = new Map<string, Uncovered>();
  for (const one of found) {
    const { tool, name, folder } = one;
    const reason = reasonOf(one, configured);
    if (reason !== null && !findings.has(tool)) findings.set(tool, { tool, name, folder, reason });
  }
  // A tool whose other folder is read is watched: leftovers of an old version are no finding.
  for (const one of found) if (reasonOf(one, configured) === null) findings.delete(one.tool);
  return [...findings.values()];
}

function reasonOf(one: FoundTool, configured: readonly Covering[]): UncoveredReason | null {
  const files = Object.values(one.files);
  const covering = configured.filter((source) => covers(source, one, files));
  if (covering.length === 0) return one.supported === 'none' ? 'no-reader' : 'no-source';
  const named = covering.some((source) => source.files.length > 0);
  // A source that looks for files has none to read where there are none.
  if (files.length === 0 && !named) return 'no-log';
  return one.readable ? null : 'refused';
}

function covers(source: Covering, one: FoundTool, files: readonly string[]): boolean {
  if (source.type === one.tool) return true;
  if (source.type !== 'declared' && source.type !== 'csv') return false;
  if (one.spec !== null && source.spec === one.spec) return true;
  return source.files.some((file) => files.includes(file) || isBelow(file, one.folder));
}

/** `/var/log` holds everybody's files; a folder of the tool's own is one whose last name is not shared. */
function isBelow(file: string, folder: string): boolean {
  const shared = /^(?:\/var\/log|\/usr\/bin|\/etc\/ssh)$/.test(folder);
  return !shared && (file.startsWith(`${folder}/`) || file.startsWith(`${folder}\\`));
}
