/** Alert events as agents and the collector write them, for tests. */
import { randomBytes } from 'node:crypto';
import type { EventData } from '../../protocol/event.ts';
import { newId } from '../../protocol/ids.ts';
import type { Draft } from './api-world.ts';

export type AlertData = EventData<'alert.raised'>;
type Word = 'raised' | 'changed' | 'cleared';

export const alertId = () => newId<'alert'>(randomBytes);

/** One event about an alert. */
export function told(word: Word, over: Partial<AlertData> = {}): Draft<`alert.${Word}`> {
  const data: AlertData = {
    alert: over.alert ?? alertId(),
    check: 'disk-space',
    index: 0,
    agent: null,
    level: 'warn',
    value: 930,
    threshold: 900,
    forSeconds: 60,
    notify: 'all',
    ...over,
  };
  return { type: `alert.${word}`, data };
}
