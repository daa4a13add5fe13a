/** What the local door answers: each verb to the room that knows it. */
import type { ControlHandlers } from './control.ts';
import type { Footage } from './footage.ts';
import type { AgentStatus } from './status.ts';

export interface Answering {
  status(): AgentStatus;
  check(): Promise<Record<string, unknown>>;
  rescan(): Promise<void>;
  footage: Footage;
  stop(): void;
}

export function handlersOf({ status, check, rescan, footage, stop }: Answering): ControlHandlers {
  return {
    status: async () => ({ ...status() }),
    check,
    rescan: async () => {
      await rescan();
      return { sources: status().sources.length };
    },
    recordings: (body) => footage.asked(body),
    holds: (body) => footage.holds.asked(body),
    stop: async () => {
      // After the answer has left: the control socket is the first thing that goes.
      setImmediate(stop);
      return {};
    },
  };
}
