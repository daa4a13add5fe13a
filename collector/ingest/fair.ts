/**
 * Whose turn it is. Each sender has a line of its own; a turn goes round the lines, a share at a time (deficit round
 * robin, as routers do it). Who had nothing waiting goes first, so that a live event does not stand behind backlogs.
 *
 * F1  However much one sender has waiting, each of the others gets its share of every round.
 * F2  What one sender gave keeps its order, and nothing of it is lost.
 * F3  Those who come fresh take at most half of a turn: many live events do not stop the backlogs either.
 */

/** Events that a sender may have stored per round: a live batch is smaller, a full one waits for some rounds. */
const SHARE = 50;

interface Line<T> {
  items: { item: T; cost: number }[];
  /** What was given in rounds and not used yet. */
  share: number;
}

export class FairQueue<T> {
  /** Who had nothing waiting when it came. */
  readonly #fresh = new Map<object, Line<T>>();
  readonly #steady = new Map<object, Line<T>>();

  get empty(): boolean {
    return this.#fresh.size + this.#steady.size === 0;
  }

  add(sender: object, item: T, cost: number): void {
    const line = this.#steady.get(sender) ?? this.#fresh.get(sender);
    if (line !== undefined) line.items.push({ item, cost });
    else this.#fresh.set(sender, { items: [{ item, cost }], share: 0 });
  }

  /** The next ones, of about `most` cost together; at least one where any waits. */
  take(most: number): T[] {
    const taken: T[] = [];
    let cost = 0;
    while (!this.empty && cost < most) {
      const freshFirst = this.#fresh.size > 0 && (cost < most / 2 || this.#steady.size === 0);
      cost += this.#visit(freshFirst ? this.#fresh : this.#steady, taken);
    }
    return taken;
  }

  /** One visit to the first line; where something stays in it, it goes to the end of the steady ones. */
  #visit(lines: Map<object, Line<T>>, taken: T[]): number {
    const [first] = lines;
    if (first === undefined) return 0;
    const [sender, line] = first;
    lines.delete(sender);
    line.share += SHARE;
    let cost = 0;
    for (let head = line.items[0]; head !== undefined && head.cost <= line.share; head = line.items[0]) {
      line.items.shift();
      line.share -= head.cost;
      cost += head.cost;
      taken.push(head.item);
    }
    if (line.items.length > 0) this.#steady.set(sender, line);
    return cost;
  }
}
