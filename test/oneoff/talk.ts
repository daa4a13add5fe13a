/** What harness and agent say to each other. */
import type { Armed } from './seam.ts';

/** Personal data that is found nowhere else. */
export interface Canaries {
  peerId: string;
  name: string;
  user: string;
}

export interface Told {
  session: string;
  group: string;
  /** base64url of 32 bytes. */
  key: string;
  /** Sealed parts, base64url. */
  bodies: string[];
}

export type Ask =
  | { do: 'start'; canaries: Canaries }
  | { do: 'end'; session: string }
  | { do: 'fill'; count: number }
  | { do: 'link'; on: boolean }
  | { do: 'state' }
  | { do: 'arm'; armed: Armed | null };
export type Asked = Ask & { n: number };

export interface AgentState {
  live: boolean;
  backlog: number;
  /** Groups whose end is not confirmed yet. */
  lane: number;
}
