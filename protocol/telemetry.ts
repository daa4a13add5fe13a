/**
 * A telemetry sample: what an agent measured at one instant. Numbers and indexes only, nothing that has a name. Not
 * in the ledger: samples may be shed, are thinned, and go with their agreement.
 */
import { z } from 'zod';

const count = z.int().min(0);
const permille = z.int().min(0).max(1000);

export const MAX_DISKS = 64;
/** Samples of one `telemetry` frame. */
export const MAX_SAMPLES = 1000;

export const sample = z.object({
  /** UTC milliseconds by the agent's clock. */
  at: z.int().min(0),
  /** Of all cores since the last sample; null in the first one. */
  cpuPermille: permille.nullable(),
  memUsedPermille: permille,
  memTotalMb: count,
  /** Of the machine, seconds. */
  uptimeSeconds: count,
  disks: z
    .array(
      z.object({
        /** Stable per mount point on this agent; `host.named` says, sealed, what it is called. */
        index: count.max(4095),
        usedPermille: permille,
        freeMb: count,
        totalMb: count,
        /** Null where the file system has none. */
        inodesUsedPermille: permille.nullable(),
      }),
    )
    .max(MAX_DISKS),
});
export type Sample = z.infer<typeof sample>;
