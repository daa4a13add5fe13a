/** What was told, as whoever reads the journal has it, against what was done. */
import type { Event } from './model-process.ts';
import { Broken } from './model-truth.ts';

export class Books {
  /** All events. */
  told = 0;
  erasing = 0;
  erased = 0;
  /** Of those that were told as erased: gone when we looked. */
  unseen = 0;
  missing = 0;
  /** Begun and not ended when the database was lost or went back. */
  lost = 0;
  #open = new Map<string, number>();

  add(events: readonly Event[]): void {
    for (const { type, data } of events) {
      this.told += 1;
      const count = Number(data.count ?? 0);
      const slice = `${data.source}/${data.slice}`;
      if (type === 'recordings.erasing') {
        this.erasing += count;
        this.#open.set(slice, count);
      } else if (type === 'recordings.erased') {
        this.erased += count;
        this.unseen += Number(data.unseen);
        const begun = this.#open.get(slice);
        this.#open.delete(slice);
        if (begun !== undefined && begun !== count + Number(data.failed))
          throw new Broken(`R1 a slice of ${begun} ended with ${count} and ${data.failed}`);
      } else if (type === 'recording.missing') this.missing += count;
    }
  }

  /** The database is another one from here on. */
  forget(): void {
    for (const count of this.#open.values()) this.lost += count;
    this.#open.clear();
  }

  /** @param removed by the product, as the files say @throws Broken */
  check(removed: number, openSlices: number): void {
    if (removed > this.erasing) throw new Broken(`R1 ${removed} went, ${this.erasing} were told before`);
    if (openSlices > 0) return;
    if (removed > this.erased + this.lost) throw new Broken(`R1 ${removed} went, ${this.erased} were told`);
    if (this.erased > removed + this.unseen)
      throw new Broken(`R1 ${this.erased} were told, ${removed} went, ${this.unseen} unseen`);
  }
}
