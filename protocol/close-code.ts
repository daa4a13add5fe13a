/** WebSocket close codes: one table. 4000–4999 are an application's own (RFC 6455, section 7.4.2). */
export const CLOSE = {
  /** Ordinary end: one side stops. The agent waits `random(0, 60 s)`. */
  goingAway: 1001,
  /** `ws` closes with this by itself when a frame is over `maxPayload`. */
  tooLarge: 1009,
  /** The collector cannot take more now; `refuse.retryAfter` says when. */
  tryLater: 1013,
  /** Not JSON, or a known frame with a field that is not as its schema says. */
  badFrame: 4001,
  /** A hole in `seq`: the agent rewinds to the cursor of the next `welcome`. */
  outOfOrder: 4002,
  /** Unknown agent, wrong signature, wrong channel. */
  notProven: 4003,
  revoked: 4004,
  /** A newer socket of the same identity took over. */
  replaced: 4005,
  /** Two live processes with one identity; both are refused until `tilsyn host resolve`. */
  identityConflict: 4006,
  /** The collector found out that it was restored; connect again at once for the new generation. */
  generationChanged: 4007,
  /** This log is quarantined or frozen; others of the agent go on. */
  logRefused: 4008,
  /** More was sent than the credits allow. */
  flowExceeded: 4009,
  /** A frame that has no place in this state of the link, a replayed `hello` or `proof` included. */
  unexpectedFrame: 4010,
  /** A frame type that this version does not know. */
  unknownFrame: 4011,
  /** No beat for 75 s. */
  silent: 4012,
} as const;

export type CloseName = keyof typeof CLOSE;

/** The name of a code for logs and `agent status`; the number where it is not ours. */
export function closeName(code: number): string {
  for (const [name, value] of Object.entries(CLOSE)) if (value === code) return name;
  return String(code);
}
