/**
 * Who may import whom.
 *
 * Z2  protocol ← agent, protocol ← collector, cli on top through the main files; no circles, nothing imports
 *     tests.
 * Z3  No file of the product is over 400 lines; nothing is left unfinished, no test is skipped.
 */
import { EVERYTHING, type Import, importsOf, type SourceFile } from './tree.ts';

const MAINS = ['agent/main.ts', 'collector/main.ts'];

function roomOf(path: string): string {
  return path.split('/')[0] ?? path;
}

/** Null: allowed. Otherwise why not. */
export function whyNot(from: string, to: Import): string | null {
  const [room, target] = [roomOf(from), roomOf(to.target)];
  if (!(EVERYTHING as readonly string[]).includes(target)) return null;
  if (['test', 'bench', 'installers'].includes(room)) return null;
  if (target === room) return insideWhyNot(from, to);
  if (target === 'protocol' && room !== 'protocol') return null;
  if (room === 'cli' && MAINS.includes(to.target)) {
    return to.dynamic || to.typeOnly
      ? null
      : 'cli/ loads a side only when it is needed: import it dynamically';
  }
  return `${room}/ may not import ${target}/`;
}

/** main → features → stores → db: a store never imports a feature, and nobody imports a main. */
function insideWhyNot(from: string, to: Import): string | null {
  if (MAINS.includes(to.target)) return 'nothing imports a main file but cli/';
  const store = from.startsWith('collector/store/') && !to.target.startsWith('collector/store/');
  if (store && !to.typeOnly && to.target !== 'collector/files.ts') return 'a store never imports a feature';
  if (from === 'agent/db.ts' && to.own && !['agent/files.ts', 'agent/types.ts'].includes(to.target)) {
    return 'the database never imports a feature';
  }
  if (from.startsWith('agent/uplink/') && to.target.startsWith('agent/sources/')) {
    return 'the uplink does not know the sources';
  }
  if (from.startsWith('agent/sources/') && to.target.startsWith('agent/uplink/')) {
    return 'sources do not know the uplink';
  }
  return null;
}

export function roomOffences(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter((i) => i.own)
      .map((i) => ({ i, why: whyNot(file.path, i) }))
      .filter(({ why }) => why !== null)
      .map(({ i, why }) => `${file.path} imports ${i.target}: ${why}`),
  );
}

/** Circles of imports that exist when the program runs, each as `a → b → a`. */
export function cycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(
    files.map((file) => [
      file.path,
      importsOf(file)
        .filter((i) => i.own && !i.typeOnly)
        .map((i) => i.target),
    ]),
  );
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: string[]) => {
    const at = trail.indexOf(path);
    if (at !== -1) {
      found.push([...trail.slice(at), path].join(' → '));
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}
