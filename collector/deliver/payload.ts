/**
 * What webhooks are told: which events, and in which words. Pure.
 *
 * D4  A delivery's id is the event's own, for ever: the same after a crash, after a restart, and for every webhook.
 * D5  What is told holds ids, words, numbers and times: nothing personal, no name.
 * D6  Only tellings that count are delivered: by the host or collector whose alert it is, of alerts that have a row.
 */
import { isForPeople } from '../../protocol/alert-rules.ts';
import { type EventData, isRecognised } from '../../protocol/event.ts';
import type { AgentId, CustomerId } from '../../protocol/ids.ts';
import { toIso } from '../../protocol/time.ts';
import type { AlertRow, LeafRow } from '../store/types.ts';
import type { Post } from './send.ts';

export const DELIVERED_TYPES = ['alert.raised', 'alert.changed', 'alert.cleared'] as const;
type Told = EventData<'alert.raised'>;

/** An alert event, and the alert that it is about. */
export interface Found {
  leaf: LeafRow;
  data: Told;
  alert: AlertRow;
}

/** Reads a leaf of one of the types; null where this version does not understand it. */
export function readTold(leaf: LeafRow): Told | null {
  const { data } = JSON.parse(leaf.bytes) as { data: unknown };
  return isRecognised(leaf.type, data) ? (data as Told) : null;
}

/** Whether `teller` (null: the collector) may speak of this alert (D6), and people are to be told. */
export function isDelivered({ data, alert }: Omit<Found, 'leaf'>, teller: AgentId | null): boolean {
  const theirs = alert.own ? teller === null : teller === alert.agent;
  return theirs && alert.check === data.check && isForPeople(data.check, data.notify);
}

export function isFor(customer: CustomerId | null, { alert }: Found): boolean {
  return customer === null || customer === alert.customer;
}

/** D4: 32 hex characters of the leaf's hash. A position would be another one after a restore. */
function idOf({ hash }: LeafRow): string {
  return hash.toString('hex').slice(0, 32);
}

export function postOf({ leaf, data, alert }: Found): Post {
  const id = idOf(leaf);
  const { check, index, level, value, threshold, forSeconds } = data;
  const body = {
    id,
    type: leaf.type,
    alert: data.alert,
    ...{ check, index, level, value, threshold, forSeconds },
    host: alert.agent,
    customer: alert.customer,
    at: toIso(leaf.at),
  };
  return { id, body: JSON.stringify(body) };
}

/** What `webhook test` sends: no alert, to be recognised by its type. */
export function testPost(id: string, at: string): Post {
  return { id, body: JSON.stringify({ id, type: 'webhook.test', at }) };
}
