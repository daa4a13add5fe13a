/**
 * Roots as a person named them: which source each is, and whether what lies there was accepted.
 *
 * C45 The marker (R3) names the source; a root without it, or with another's, was never accepted and nothing in it is erased.
 * C40 A catalogue that was lost takes its source's id from the marker again, so that its recordings stay the same
 *     source's; it starts without approval (R6).
 * C41 Only a person writes a marker: `source add` into an empty claim, `source accept-root` where the disk was replaced.
 */
import { z } from 'zod';
import type { Id, SourceId } from '../../protocol/ids.ts';
import type { RecordingsSource } from '../config-sources.ts';
import type { AgentJournal } from '../journal.ts';
import type { Catalogue } from './catalogue.ts';
import { layoutOf } from './layouts/index.ts';
import { type AcceptedRoot, type FsIdentity, identityOf, openRoot, readMarker, writeMarker } from './root.ts';
import type { SweepSource } from './sweep.ts';
import type { SweepStore } from './sweep-store.ts';
import type { Layout, RecordingSource } from './types.ts';

/** As `agent status` and `source list` show one. */
export type RecordingsState = 'first-scan' | 'watched' | 'suspect' | 'not-accepted' | 'retired';

const fsIdentity = z.object({ type: z.string(), device: z.string(), uuid: z.string().nullable() });

export interface RootsDeps {
  journal: Pick<AgentJournal, 'transact' | 'sourceId'>;
  catalogue: Catalogue;
  sweeps: SweepStore;
}

/** One configured root. */
export interface Root {
  config: RecordingsSource;
  id: number;
  source: SourceId;
  layout: Layout;
}

/** Brings the catalogue's sources in line with the configuration. Safe to repeat. */
export function openRoots(deps: RootsDeps, configured: readonly RecordingsSource[]): Root[] {
  return configured.map((config) => {
    const known = deps.sweeps.sources().find(({ root }) => root === config.root);
    const marked = readMarker(config.root);
    const found = known?.source ?? (marked === 'missing' ? null : marked);
    const source = found ?? deps.journal.sourceId(`recordings\0${config.root}`);
    let id = 0;
    deps.journal.transact(() => {
      id = deps.catalogue.source(source, config.root, config.layout, config.timeZone);
      // The marker was put there by a person: what it lies on is what they meant.
      const fresh = known === undefined && marked === source;
      if (fresh) deps.catalogue.accept(id, source as Id<'source'>, JSON.stringify(identityOf(config.root)));
      return { tell: fresh ? [{ type: 'recordings.accepted', data: { source, reason: 'marker' } }] : [] };
    });
    const choice = { layout: config.layout, zone: config.timeZone, longestSegmentMs: config.longestSegment };
    return { config, id, source, layout: layoutOf(choice) };
  });
}

/** What was accepted for a source; null: nothing, or it cannot be read. */
export function acceptedOf({ source, root, fs }: RecordingSource): AcceptedRoot | null {
  if (fs === null) return null;
  try {
    const read = fsIdentity.safeParse(JSON.parse(fs));
    return read.success ? { source, root, fs: read.data satisfies FsIdentity } : null;
  } catch {
    return null;
  }
}

/** A root with all that a sweep of it needs; null: it was retired. */
export function sweepSourceOf(sweeps: SweepStore, { id, config, layout }: Root): SweepSource | null {
  const source = sweeps.sources().find((one) => one.id === id);
  if (source === undefined) return null;
  return { source, accepted: acceptedOf(source), mode: config.mode, layout };
}

export function stateOf(sweeps: SweepStore, root: Root): RecordingsState {
  const source = sweeps.sources().find(({ id }) => id === root.id);
  if (source === undefined) return 'retired';
  const accepted = acceptedOf(source);
  if (accepted === null) return 'not-accepted';
  const open = openRoot(accepted);
  if ('trouble' in open) return 'suspect';
  open.close();
  return source.state === 'first-scan' ? 'first-scan' : 'watched';
}

/**
 * A person says that what lies under a root now is meant: the marker is written, the file system remembered. Erasing waits
 * for approval again (R6).
 * @throws TilsynError `root.unusable`
 */
export function acceptRoot({ journal, catalogue }: RootsDeps, { id, source, config }: Root): void {
  writeMarker(config.root, source);
  // A crash up to here leaves a marker that is of no use without the catalogue's word.
  journal.transact(() => {
    catalogue.accept(id, source as Id<'source'>, JSON.stringify(identityOf(config.root)));
    catalogue.unapprove(id);
    return { tell: [{ type: 'recordings.accepted', data: { source, reason: 'person' } }] };
  });
}

/** A root is given up: nothing in it is watched or erased any more, and the record says what became of the disk. */
export async function retireRoot(
  { journal, catalogue, sweeps }: RootsDeps,
  { id, source }: Pick<Root, 'id' | 'source'>,
  disposition: 'destroyed' | 'stored' | 'returned',
  rest: () => Promise<void>,
): Promise<void> {
  const { count } = await sweeps.read.present(id, rest);
  journal.transact(() => {
    catalogue.setState(id, 'retired');
    return { tell: [{ type: 'recordings.retired', data: { source, reason: disposition, count } }] };
  });
}
