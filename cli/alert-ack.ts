/** `tilsyn alert ack ID`. Done once; a second time says who was first. */
import { act } from './act.ts';
import { ALERT_CARD } from './alert-columns.ts';
import type { Input } from './io.ts';

export function alertAck(input: Input): Promise<number> {
  return act(input, { path: (alert) => `/v1/alerts/${alert}/ack`, columns: ALERT_CARD });
}
