/** A folder with a followed file in it, a clock that stands still until told, and a caller that stores states. */
import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type FollowedLine,
  Follower,
  type FollowerOptions,
  type FollowNotice,
  type FollowState,
} from '../../../agent/sources/follow.ts';
import { isCompleteRow } from '../../../agent/sources/teamviewer.ts';
import { type Clock, utcMs } from '../../../protocol/time.ts';

export const NAME = 'Connections_incoming.txt';

export class FollowWorld {
  readonly dir = mkdtempSync(join(tmpdir(), 'tilsyn-follow-'));
  readonly path = join(this.dir, NAME);
  readonly lines: FollowedLine[] = [];
  readonly notices: FollowNotice[] = [];
  /** What the caller has stored, as it would come back from its database. */
  stored: string | null = null;
  follower: Follower;
  mono = 1000;
  /** The machine's clock. At 0 every file is of the future, so that each look is a whole one. */
  now = 0;
  readonly #options: Partial<FollowerOptions>;

  constructor(options: Partial<FollowerOptions> = {}) {
    this.#options = options;
    this.follower = this.#open();
  }

  #open(): Follower {
    const clock: Clock = { now: () => utcMs(this.now), mono: () => this.mono, after: () => () => {} };
    const state = this.stored === null ? null : (JSON.parse(this.stored) as FollowState);
    const { path } = this;
    return new Follower({
      path,
      clock,
      state,
      key: Buffer.alloc(32, 7),
      isComplete: isCompleteRow,
      ...this.#options,
    });
  }

  at(name: string): string {
    return join(this.dir, name);
  }

  write(text: string | Buffer, name = NAME): void {
    writeFileSync(this.at(name), text);
  }

  append(text: string | Buffer, name = NAME): void {
    appendFileSync(this.at(name), text);
  }

  rename(from: string, to: string): void {
    renameSync(this.at(from), this.at(to));
  }

  remove(name = NAME): void {
    unlinkSync(this.at(name));
  }

  size(name = NAME): number {
    return statSync(this.at(name)).size;
  }

  /** Steps, storing each, until nothing is left for now. Returns the texts of the new lines. */
  async pump(maxLines = 500): Promise<string[]> {
    const from = this.lines.length;
    for (let idle = 0; idle < 2; ) {
      const step = await this.follower.step(maxLines);
      this.lines.push(...step.lines);
      this.notices.push(...step.notices);
      if (step.lines.length > 0 || step.notices.length > 0) this.stored = JSON.stringify(step.state);
      this.follower.accept(step);
      idle = step.more || step.lines.length > 0 ? 0 : idle + 1;
    }
    return this.lines.slice(from).map((line) => line.text);
  }

  /** Lets the file be quiet for longer than `quietMs`, then pumps. */
  async settle(): Promise<string[]> {
    const before = await this.pump();
    this.mono += 1500;
    return [...before, ...(await this.pump())];
  }

  /** The process dies: only what was stored is left. */
  async restart(): Promise<void> {
    await this.follower.close();
    this.follower = this.#open();
  }

  kinds(): string[] {
    return this.notices.map((notice) => `${notice.kind} ${notice.reason}`);
  }

  texts(): string[] {
    return this.lines.map((line) => line.text);
  }

  async end(): Promise<void> {
    await this.follower.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
