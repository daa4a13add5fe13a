/** What a webhook has still to be told, in the order of `pos`. */
import type { AgentId, LogId } from '../../protocol/ids.ts';
import type { AlertId, LeafRow, Pos, Reader, WebhookRow } from '../store/types.ts';
import { DELIVERED_TYPES, type Found, isDelivered, isFor, readTold } from './payload.ts';

/** Events that are read at a time. */
const PAGE = 200;

export class Outbox {
  readonly #reader: Reader;
  readonly #customer: WebhookRow['customer'];
  /** Everything up to here is delivered, in `#found`, or not for this webhook. */
  #seen: Pos;
  #found: Found[] = [];

  constructor(reader: Reader, { cursor, customer }: Pick<WebhookRow, 'cursor' | 'customer'>) {
    this.#reader = reader;
    this.#customer = customer;
    this.#seen = cursor;
  }

  /** The first one; stays the first until `done`. Null: there is none now. */
  async first(): Promise<Found | null> {
    while (this.#found.length === 0) if (!(await this.#more())) return null;
    return this.#found[0] ?? null;
  }

  done(): void {
    this.#found.shift();
  }

  /** How many there are, counted up to `most`. */
  async count(most: number): Promise<number> {
    while (this.#found.length < most && (await this.#more()));
    return Math.min(most, this.#found.length);
  }

  /** Reads on; false: there is nothing more now. */
  async #more(): Promise<boolean> {
    // Read first: what is committed in between is beyond it, and is looked at next time.
    const last = await this.#reader.lastPos();
    if (last <= this.#seen) return false;
    const query = { after: this.#seen, types: DELIVERED_TYPES, limit: PAGE };
    const leaves = (await this.#reader.leaves(query)).filter(({ pos }) => pos <= last);
    const found = await tellings(this.#reader, leaves);
    this.#found.push(...found.filter((one) => isFor(this.#customer, one)));
    this.#seen = leaves.length < PAGE ? last : (leaves.at(-1)?.pos ?? last);
    return true;
  }
}

async function tellings(reader: Reader, leaves: readonly LeafRow[]): Promise<Found[]> {
  const read = leaves.flatMap((leaf) => {
    const data = readTold(leaf);
    return data === null ? [] : [{ leaf, data }];
  });
  const ids = [...new Set(read.map(({ data }) => data.alert as AlertId))];
  const alerts = new Map((await reader.alertsById(ids)).map((row) => [row.alert, row]));
  const logs = [...new Set(leaves.map(({ log }) => log))];
  const tellers = new Map<LogId, AgentId | null>(
    (await reader.logStates(logs)).map(({ log, agent }) => [log, agent]),
  );
  return read.flatMap(({ leaf, data }) => {
    const alert = alerts.get(data.alert as AlertId);
    const teller = tellers.get(leaf.log);
    if (alert === undefined || teller === undefined) return [];
    return isDelivered({ data, alert }, teller) ? [{ leaf, data, alert }] : [];
  });
}
