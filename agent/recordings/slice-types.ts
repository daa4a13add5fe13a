/** What a slice works with. Pure types. */
import type { UtcMs } from '../../protocol/time.ts';
import type { AgentJournal } from '../journal.ts';
import type { FaultSeam } from '../types.ts';
import type { Surroundings } from './due.ts';
import type { AcceptedRoot } from './root.ts';
import type { SweepStore } from './sweep-store.ts';
import type { CameraRow, Layout, RecordingSource } from './types.ts';

export interface SliceDeps {
  journal: Pick<AgentJournal, 'transact'>;
  store: SweepStore;
  /** Wall clock, for rows that are shown. */
  clock: { now(): UtcMs; mono(): number };
  faults: FaultSeam;
  /** Lets everything else have its turn. */
  rest(): Promise<void>;
  /** Trusted time; null: there is none. */
  now(): UtcMs | null;
}

export interface SliceWork {
  source: RecordingSource;
  accepted: AcceptedRoot;
  layout: Pick<Layout, 'folder'>;
  camera: CameraRow;
  around: Surroundings;
}
