/**
 * Whatever a writer, a rotation tool and a crashing agent do to real files, each row comes exactly once.
 * The writer keeps its file open over renames, as programs do, and reopens the path between two rows.
 */
import { copyFileSync, existsSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FollowWorld, NAME } from '../agent/sources/follow-world.ts';
import { fakeRow } from '../fixtures/teamviewer.ts';

type Act =
  | { do: 'write'; bytes: number }
  | { do: 'step'; lines: number; stored: boolean }
  | { do: 'rename' | 'reopen' | 'copytruncate' | 'truncate' | 'restart' | 'quiet' };

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('write' as const), bytes: fc.integer({ min: 1, max: 700 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('step' as const),
      lines: fc.integer({ min: 1, max: 5 }),
      stored: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'rename' as const,
        'reopen' as const,
        'copytruncate' as const,
        'truncate' as const,
        'restart' as const,
        'quiet' as const,
      ),
    }),
  },
);

class Story {
  readonly world = new FollowWorld();
  readonly written: string[] = [];
  readonly #newline: string;
  #name = NAME;
  #rest = Buffer.alloc(0);
  #rotations = 0;

  constructor(newline: string) {
    this.#newline = newline;
  }

  /** What lies there before the first look is history and no business of ours. */
  async begin(): Promise<void> {
    this.world.write('');
    await this.world.pump();
  }

  async play(what: Act): Promise<void> {
    const { world } = this;
    if (what.do === 'write') this.#write(what.bytes);
    else if (what.do === 'step') await this.#step(what.lines, what.stored);
    else if (what.do === 'restart') await world.restart();
    else if (what.do === 'rename') this.#shift(() => world.rename(NAME, `${NAME}.1`));
    else if (this.#rest.length > 0) return;
    else if (what.do === 'reopen') this.#reopen();
    else if (what.do === 'quiet') world.mono += this.#name === NAME ? 70_000 : 2000;
    else if (this.#name !== NAME || !existsSync(world.path)) return;
    else if (what.do === 'copytruncate') this.#copytruncate();
    else await this.#truncate();
  }

  async end(): Promise<string[]> {
    if (this.#rest.length > 0) this.#write(this.#rest.length);
    // A file emptied twice within one tick of the file system's clock shows it with its next row.
    this.#reopen();
    this.#write(1);
    this.#write(this.#rest.length);
    await this.world.settle();
    await this.world.end();
    return this.world.texts();
  }

  #write(bytes: number): void {
    let left = bytes;
    while (left > 0) {
      if (this.#rest.length === 0) {
        const text = fakeRow(this.written.length);
        this.written.push(text);
        this.#rest = Buffer.from(this.#newline + text);
      }
      const part = this.#rest.subarray(0, left);
      this.world.append(part, this.#name);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
    }
  }

  async #step(lines: number, stored: boolean): Promise<void> {
    const step = await this.world.follower.step(lines);
    if (!stored) return this.world.follower.reject();
    this.world.lines.push(...step.lines);
    this.world.stored = JSON.stringify(step.state);
    this.world.follower.accept(step);
  }

  /** `name.1` becomes `name.2` and so on; then `move` makes the new `name.1`. */
  #shift(move: () => void): void {
    const { world } = this;
    if (this.#rotations === 8 || !existsSync(world.path)) return;
    for (let n = this.#rotations; n >= 1; n--) world.rename(`${NAME}.${n}`, `${NAME}.${n + 1}`);
    const number = Number(this.#name.slice(NAME.length + 1));
    this.#name = `${NAME}.${number + 1}`;
    this.#rotations += 1;
    move();
  }

  #reopen(): void {
    this.#name = NAME;
    this.world.append('');
  }

  #copytruncate(): void {
    this.#shift(() => {
      copyFileSync(this.world.path, this.world.at(`${NAME}.1`));
      this.world.write('');
    });
    this.#name = NAME;
  }

  /** Only what has been read may be truncated without a loss. */
  async #truncate(): Promise<void> {
    await this.world.settle();
    this.world.write('');
  }
}

test('F1: every row exactly once, whatever happens to the files', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('\n', '\r\n'),
      fc.array(act, { maxLength: 40 }),
      async (newline, acts) => {
        const story = new Story(newline);
        await story.begin();
        for (const what of acts) await story.play(what);
        const delivered = await story.end();
        expect(delivered.toSorted()).toEqual(story.written.toSorted());
      },
    ),
    { numRuns: Number(process.env.TILSYN_RUNS ?? 150) },
  );
});
