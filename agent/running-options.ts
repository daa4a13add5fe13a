/** What a running agent is handed of the machine, the clock and the person who started it. */
import type { Random } from '../protocol/ids.ts';
import type { Clock } from '../protocol/time.ts';
import type { AgentConfig } from './config.ts';
import type { AgentLog } from './log.ts';
import type { ThisMachine } from './sessions/chains.ts';
import type { ToolInput } from './sources/detect-tools.ts';
import type { FaultSeam } from './types.ts';

export interface RunningOptions {
  state: string;
  config: AgentConfig;
  clock: Clock;
  random: Random;
  /** In [0, 1); spreads reconnects. */
  jitter: () => number;
  faults: FaultSeam;
  log: AgentLog;
  version: string;
  /** `linux-x64` and the like, and the version of Node. */
  platform: string;
  node: string;
  /** Where tools are looked for. */
  detect: ToolInput;
  machine: ThisMachine;
  /** The database is damaged: the process has to start anew, which sets it aside. */
  damaged(): void;
  /** Looks at the state of a database and its files. */
  check(): Promise<Record<string, unknown>>;
  /** `127.0.0.1:port` for `/metrics` and `/health`; absent: none. */
  metrics?: string | undefined;
  /** Resident memory of the process, bytes. */
  memory: () => number;
}
