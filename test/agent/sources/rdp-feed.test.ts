/** Windows' event logs as a feed: R80 to R84, against logs that answer what `wevtutil` would. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FollowedLine, FollowNotice, FollowState } from '../../../agent/sources/follow.ts';
import { eventsIn, merge, RDP_CHANNELS, rangeQuery } from '../../../agent/sources/rdp-channels.ts';
import { WevtutilFeed } from '../../../agent/sources/rdp-feed.ts';
import { MAX_EVENT_CHARS, readWindowsEvent } from '../../../agent/sources/windows-event.ts';
import { type Clock, utcMs } from '../../../protocol/time.ts';
import { CHANNELS, eventLogStarted, knock, logon, lsm, security } from '../../fixtures/rdp.ts';
import { FakeWindows } from './fake-windows.ts';

const NOON = Date.UTC(2026, 2, 12, 12);

/** A machine, its clock, and a caller that stores what it is given. */
class Machine {
  readonly windows = new FakeWindows();
  now = NOON + 3_600_000;
  mono = 0;
  readonly lines: FollowedLine[] = [];
  readonly notices: FollowNotice[] = [];
  stored: string | null = null;
  feed = this.#open();

  #open(): WevtutilFeed {
    const clock: Clock = { now: () => utcMs(this.now), mono: () => this.mono, after: () => () => {} };
    const state = this.stored === null ? null : (JSON.parse(this.stored) as FollowState);
    return new WevtutilFeed({ run: this.windows.run, clock, state });
  }

  restart(): void {
    this.feed = this.#open();
  }

  /** One step, stored. */
  async step(max = 200) {
    const step = await this.feed.step(max);
    this.lines.push(...step.lines);
    this.notices.push(...step.notices);
    this.stored = JSON.stringify(step.state);
    this.feed.accept(step);
    return step;
  }

  /** Half a minute later, to the end of what there is. */
  async look(max = 200) {
    this.mono += 30_000;
    let step = await this.step(max);
    while (step.more) step = await this.step(max);
    return step;
  }

  /** What the lines were, as `id@record`. */
  ids(lines: readonly FollowedLine[] = this.lines): string[] {
    return lines.map(({ text }) => {
      const event = readWindowsEvent(text);
      return event === null || typeof event === 'string' ? 'too-long' : `${event.id}@${event.record}`;
    });
  }

  kinds(): string[] {
    return this.notices.map(({ kind, reason }) => `${kind} ${reason}`);
  }

  async again(from: number): Promise<string[] | null> {
    const { files } = JSON.parse(this.stored ?? '{}') as FollowState;
    const to = files[0]?.offset ?? null;
    const lines = await this.feed.replay([{ file: 1, head: null, ino: '1', encoding: 'utf8', from, to }]);
    if (lines === null) return null;
    const all: FollowedLine[] = [];
    for await (const line of lines) all.push(line);
    return this.ids(all);
  }
}

const arrival =
  (at: string, session = 4) =>
  (record: number) =>
    lsm(21, { at, record, session });
const logoff =
  (at: string, session = 4) =>
  (record: number) =>
    lsm(23, { at, record, session });
const secured = (at: string) => (record: number) => logon({ at, record });
const other = (at: string) => (record: number) => security(4663, { at, record }, { ObjectName: 'C:\\x' });

/** All three logs, with events that nobody wants between. */
function busy(machine: Machine): void {
  const { windows } = machine;
  windows.write((record) => knock({ at: '12:00:00', record }));
  windows.write(other('12:00:00.1'));
  windows.write(secured('12:00:00.5'));
  windows.write(arrival('12:00:02'));
  windows.write(other('12:00:03'));
  windows.write(logoff('12:30:00'));
}

describe('reading', () => {
  it('R81 gives the events of all logs in the order of their times, and only those of sessions', async () => {
    const machine = new Machine();
    busy(machine);
    const first = await machine.step(0);
    expect(first.lines).toEqual([]);
    expect(machine.kinds()).toEqual(['opened first']);
    await machine.look();
    expect(machine.ids()).toEqual(['1149@1', '4624@2', '21@1', '23@2']);
    const places = machine.lines.map(({ start }) => start);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(new Set(places).size).toBe(4);
    expect(machine.lines.every(({ file, start, end }) => file === 1 && end > start)).toBe(true);
  });

  it('what was there at first sight is told by the size of then', async () => {
    const machine = new Machine();
    busy(machine);
    const { state } = await machine.step(0);
    const through = state.files[0]?.size ?? 0;
    await machine.look();
    machine.windows.write(arrival('12:40:00', 5));
    const last = await machine.look();
    expect(machine.lines.map(({ start }) => start < through)).toEqual([true, true, true, true, false]);
    expect(last.state.files[0]?.offset).toBeGreaterThanOrEqual(through);
  });

  it('starts programs every half minute only, and one for each log where nothing is new', async () => {
    const machine = new Machine();
    busy(machine);
    await machine.look();
    const before = machine.windows.asked.length;
    for (let n = 0; n < 50; n++) {
      machine.mono += 500;
      // Nothing is known to be there, and nothing is known to be read through either.
      expect((await machine.step()).behindBytes).toBe(1);
    }
    expect(machine.windows.asked.length).toBe(before);
    expect((await machine.look()).behindBytes).toBe(0);
    expect(machine.windows.asked.length).toBe(before + RDP_CHANNELS.length);
  });

  it('goes on where it was after a restart, and gives again what was not stored', async () => {
    const machine = new Machine();
    busy(machine);
    await machine.look();
    machine.windows.write(arrival('12:50:00'));
    machine.mono += 30_000;
    const lost = await machine.feed.step(200);
    expect(machine.ids(lost.lines)).toEqual(['21@3']);
    machine.feed.reject();
    expect((await machine.feed.step(200)).lines).toEqual(lost.lines);
    machine.restart();
    expect((await machine.step()).lines).toEqual(lost.lines);
    machine.restart();
    expect((await machine.step()).lines).toEqual([]);
    expect(() => machine.feed.accept(lost)).toThrow(/another step/);
  });

  it.each([1, 2, 3, 7])('gives the same in pages of %i', async (max) => {
    const machine = new Machine();
    for (let n = 0; n < 5; n++) busy(machine);
    const whole = new Machine();
    for (let n = 0; n < 5; n++) busy(whole);
    await machine.look(max);
    await whole.look();
    expect(machine.ids()).toEqual(whole.ids());
    expect(machine.lines.map(({ start }) => start)).toEqual(whole.lines.map(({ start }) => start));
    expect(machine.ids()).toHaveLength(20);
  });

  it('R82 what is younger than a second waits, so that an older one of another log comes first', async () => {
    const machine = new Machine();
    machine.now = NOON;
    machine.windows.write(arrival('11:59:59.900'));
    const held = await machine.look();
    expect([held.lines.length, held.more, held.behindBytes]).toEqual([0, false, 1]);
    machine.windows.write(secured('11:59:59.500'));
    machine.now += 2_000;
    machine.mono += 2_000;
    await machine.step();
    expect(machine.ids()).toEqual(['4624@1', '21@1']);
  });

  it('R82 with a clock that was set back nothing waits for ever', async () => {
    const machine = new Machine();
    machine.windows.write(arrival('19:00:00'));
    machine.windows.write(logoff('12:10:00'));
    await machine.look();
    expect(machine.ids()).toEqual(['21@1', '23@2']);
    expect(await machine.again(machine.lines[0]?.start ?? 0)).toEqual(['21@1', '23@2']);
  });

  it('an event that is too long is a line without text', async () => {
    const machine = new Machine();
    machine.windows.write((record) =>
      lsm(21, { at: '12:00:00', record }).replace('<User>', `<User>${'x'.repeat(MAX_EVENT_CHARS - 1_000)}`),
    );
    machine.windows.mangle = (stdout) => stdout.replace('<User>', `<User>${'y'.repeat(2_000)}`);
    await machine.look();
    expect(machine.lines).toMatchObject([{ text: '', problem: 'too-long' }]);
  });
});

describe('an answer', () => {
  it('R80 that lacks what must be there is a failure, however well it ended', async () => {
    const machine = new Machine();
    busy(machine);
    machine.windows.mangle = (stdout, args) => (args.some((arg) => arg.startsWith('/q:')) ? '' : stdout);
    const step = await machine.look();
    expect(step.lines).toEqual([]);
    expect(step.state.unreadable).toBe('EIO');
    machine.windows.mangle = (stdout) => stdout;
    await machine.look();
    expect(machine.ids()).toEqual(['1149@1', '4624@2', '21@1', '23@2']);
    expect(machine.kinds().filter((kind) => kind.startsWith('unreadable'))).toHaveLength(3);
    expect(machine.kinds().filter((kind) => kind === 'recovered EIO')).toHaveLength(3);
  });

  it('R80 that was cut off is taken as far as it goes, and no further', async () => {
    const machine = new Machine();
    busy(machine);
    machine.windows.mangle = (stdout, args) =>
      args[1] === CHANNELS.lsm && args.some((arg) => arg.startsWith('/q:')) ? stdout.slice(0, -80) : stdout;
    await machine.look();
    expect(machine.ids()).not.toContain('23@2');
    machine.windows.mangle = (stdout) => stdout;
    await machine.look();
    expect(machine.ids().toSorted()).toEqual(['1149@1', '21@1', '23@2', '4624@2']);
  });

  it('events are found in a root element, without a newline between, and not in what they say', () => {
    const a = lsm(21, { record: 5, user: 'P\\</Event><Event ' });
    const b = lsm(23, { record: 9 });
    expect(eventsIn(`<Events>${a}${b}</Events>`).map(({ record }) => record)).toEqual([5, 9]);
    expect(eventsIn(`${b}${a}`).map(({ record }) => record)).toEqual([9]);
    expect(eventsIn(`${a}${b.slice(0, -3)}`).map(({ record }) => record)).toEqual([5]);
    expect(eventsIn('<Event></Event><EventData></Event>')).toEqual([]);
  });

  it('queries stay within what Windows takes', () => {
    for (const channel of RDP_CHANNELS) {
      const range = { last: 10, upTo: 20, since: NOON };
      const query = rangeQuery(channel, range, 5).find((arg) => arg.startsWith('/q:')) ?? '';
      expect(query.match(/[=<>]/g)?.length).toBeLessThanOrEqual(20);
      expect(query.split('(').length).toBe(query.split(')').length);
      expect(query.split('[').length).toBe(query.split(']').length);
    }
  });
});

describe('logs that change', () => {
  it('R83 a log that went round while nobody looked has lost so many records', async () => {
    const machine = new Machine();
    machine.windows.write(arrival('12:00:00'));
    await machine.look();
    for (let n = 0; n < 9; n++) machine.windows.write(logoff(`12:1${n}:00`));
    machine.windows.rotate(CHANNELS.lsm, 4);
    await machine.look();
    expect(machine.kinds()).toEqual(['opened first', 'lost rotated']);
    expect(machine.notices[1]).toMatchObject({ length: 5 });
    expect(machine.ids()).toEqual(['21@1', '23@7', '23@8', '23@9', '23@10']);
  });

  it('R83 a log that was cleared is said, also when nothing is lost, and once', async () => {
    const machine = new Machine();
    machine.windows.write(arrival('12:00:00'));
    await machine.look();
    machine.windows.clear(CHANNELS.lsm);
    await machine.look();
    await machine.look();
    machine.windows.write(logoff('12:20:00'));
    await machine.look();
    expect(machine.kinds()).toEqual(['opened first', 'truncated shortened']);
    expect(machine.ids()).toEqual(['21@1', '23@2']);
    machine.windows.clear(CHANNELS.lsm);
    machine.windows.write(arrival('12:30:00'));
    await machine.look();
    expect(machine.kinds().slice(2)).toEqual(['truncated shortened']);
    expect(machine.ids().at(-1)).toBe('21@3');
  });

  it.each([1, 2, 5])(
    'R83 a log whose numbers begin anew is read from its beginning (%i new)',
    async (count) => {
      const machine = new Machine();
      machine.windows.write(arrival('12:00:00'));
      machine.windows.write(logoff('12:01:00'));
      await machine.look();
      machine.windows.clear(CHANNELS.lsm, true);
      for (let n = 1; n <= count; n++) machine.windows.write(arrival(`12:1${n}:00`, n));
      await machine.look();
      expect(machine.kinds()).toEqual(['opened first', 'truncated rewritten']);
      const again = Array.from({ length: count }, (_, n) => `21@${n + 1}`);
      expect(machine.ids()).toEqual(['21@1', '23@2', ...again]);
    },
  );

  it('R84 a log that may not be read is said once; the others go on', async () => {
    const machine = new Machine();
    busy(machine);
    machine.windows.codes.set(CHANNELS.security, 5).set(CHANNELS.core, 15_007);
    const step = await machine.look();
    await machine.look();
    expect(machine.ids()).toEqual(['1149@1', '21@1', '23@2']);
    expect(machine.kinds()).toEqual(['opened first', 'unreadable-file ENOENT', 'unreadable-file EACCES']);
    expect(step.state.unreadable).toBeNull();
    machine.restart();
    machine.windows.codes.clear();
    await machine.look();
    expect(machine.kinds().slice(3)).toEqual(['recovered ENOENT', 'recovered EACCES']);
    expect(machine.ids().at(-1)).toBe('4624@2');
  });

  it('R84 without the leading log the source is unreadable, before first sight too', async () => {
    const machine = new Machine();
    busy(machine);
    machine.windows.codes.set(CHANNELS.lsm, 5);
    expect((await machine.step(0)).state.unreadable).toBe('EACCES');
    machine.windows.codes.clear();
    machine.mono += 30_000;
    expect((await machine.step(0)).state.unreadable).toBeNull();
    await machine.look();
    expect(machine.ids()).toEqual(['1149@1', '4624@2', '21@1', '23@2']);
  });

  it('R84 a program that cannot be started is no exception', async () => {
    const machine = new Machine();
    machine.windows.before = () => {
      throw Object.assign(new Error('spawn'), { code: 'ENOENT' });
    };
    expect((await machine.look()).state.unreadable).toBe('ENOENT');
    machine.windows.before = () => {
      throw new Error('killed');
    };
    const fresh = new Machine();
    fresh.windows.before = machine.windows.before;
    expect((await fresh.look()).state.unreadable).toBe('EIO');
  });
});

describe('reading again', () => {
  it('gives the lines from the one asked for up to what was accepted, at their places', async () => {
    const machine = new Machine();
    busy(machine);
    await machine.look();
    machine.windows.write((record) => eventLogStarted({ at: '12:44:00', record }));
    machine.windows.write(arrival('12:45:00'));
    await machine.look(1);
    machine.windows.write(logoff('12:55:00'));
    const all = machine.ids();
    machine.restart();
    for (const [index, { start }] of machine.lines.entries()) {
      expect(await machine.again(start)).toEqual(all.slice(index));
    }
  });

  it('finds its place again behind a burst in one second', async () => {
    const machine = new Machine();
    for (let n = 0; n < 300; n++) machine.windows.write(arrival('12:00:00', n));
    machine.windows.write(logoff('12:00:01'));
    await machine.look(100);
    const all = machine.ids();
    machine.restart();
    for (const index of [0, 63, 64, 200, 300]) {
      expect(await machine.again(machine.lines[index]?.start ?? 0)).toEqual(all.slice(index));
    }
  });

  it('is null where the line is gone, or the logs cannot be asked', async () => {
    const machine = new Machine();
    busy(machine);
    await machine.look();
    const from = machine.lines[2]?.start ?? 0;
    expect(await machine.again(from + 1)).toBeNull();
    machine.windows.codes.set(CHANNELS.lsm, 5);
    expect(await machine.again(from)).toBeNull();
    machine.windows.codes.clear();
    machine.windows.clear(CHANNELS.lsm);
    expect(await machine.again(from)).toBeNull();
    expect(await machine.feed.replay([])).toBeNull();
  });
});

describe('the merge', () => {
  const events = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 12 });
  const logs = fc.array(events, { minLength: 1, maxLength: 4 });

  it('R81 loses nothing, keeps the order of each log, and ends before what is not known of another', () => {
    fc.assert(
      fc.property(logs, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (times, more) => {
        const batches = times.map((list, channel) => ({
          channel,
          events: list.map((at, index) => ({ record: index + 1, at, xml: '', tooLong: false })),
          more: more[channel] === true && list.length > 0,
        }));
        const merged = merge(batches, Number.POSITIVE_INFINITY);
        for (const { channel, events } of batches) {
          const own = merged.filter((one) => one.channel === channel).map(({ record }) => record);
          expect(own).toEqual(events.slice(0, own.length).map(({ record }) => record));
          if (!batches.some((one) => one.more)) expect(own).toHaveLength(events.length);
        }
        // One of those that have more is taken whole: there is always progress.
        const whole = batches
          .filter(({ more: has }) => has)
          .map(({ channel, events }) => [channel, events.length]);
        const taken = whole.filter(
          ([channel, n]) => merged.filter((one) => one.channel === channel).length === n,
        );
        if (whole.length > 0) expect(taken.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('any course of things', () => {
  it('R81 pages and looks, in any order of writing, give what one look would', async () => {
    const written = fc.array(
      fc.record({
        log: fc.integer({ min: 0, max: 2 }),
        gapMs: fc.integer({ min: 0, max: 90_000 }),
        look: fc.boolean(),
      }),
      { maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(written, fc.integer({ min: 1, max: 6 }), async (steps, max) => {
        const machine = new Machine();
        const whole = new Machine();
        machine.now = NOON;
        for (const { log, gapMs, look } of steps) {
          machine.now += gapMs;
          const at = new Date(machine.now).toISOString();
          const make =
            [arrival(at), secured(at), (record: number) => knock({ at, record })][log] ?? arrival(at);
          machine.windows.write(make);
          whole.windows.write(make);
          if (look) await machine.look(max);
        }
        machine.now += 5_000;
        whole.now = machine.now;
        await machine.look(max);
        await whole.look();
        expect(machine.ids()).toEqual(whole.ids());
        expect(machine.ids()).toHaveLength(steps.length);
        const [first] = machine.lines;
        if (first !== undefined) expect(await machine.again(first.start)).toEqual(machine.ids());
      }),
      { numRuns: 60 },
    );
  });
});
