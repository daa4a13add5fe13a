/**
 * Runs what an operator scheduled, in site time. `node-cron` says which minutes are meant, the agent's clock says
 * when they come: so tests step it, and nothing of it keeps a process alive.
 *
 * T20 A minute that is meant is acted on once, also where timers were late or the machine slept over it (up to a day);
 *     a clock that went back repeats nothing of the last day.
 */
import { type Clock, DAY_MS, MINUTE_MS, type UtcMs } from '../../protocol/time.ts';

/** True where a schedule means this minute. */
export type Matcher = (minute: Date) => boolean;

/**
 * @param expression five cron fields
 * @param timeZone IANA name
 */
export async function cronMatcher(expression: string, timeZone: string): Promise<Matcher> {
  const { createTask } = await import('node-cron');
  // Never started: it holds no timer, and only answers.
  const task = createTask(expression, () => {}, { timezone: timeZone });
  return (minute) => task.match(minute);
}

/** The zone that this machine keeps: the site's, where nobody said otherwise. */
export function siteZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** @returns the way to stop it */
export function onSchedule(clock: Clock, matches: Matcher, act: () => void): () => void {
  let through = minuteOf(clock.now());
  let cancel = () => {};
  const look = () => {
    const now = minuteOf(clock.now());
    if (anyMeant(matches, through, now)) act();
    // Back by less than a day: those minutes were looked at already.
    if (now > through || through - now > DAY_MS) through = now;
    wait();
  };
  const wait = () => {
    const now = clock.now();
    cancel = clock.after(minuteOf(now) + MINUTE_MS - now, look);
  };
  wait();
  return () => cancel();
}

function anyMeant(matches: Matcher, through: number, now: number): boolean {
  for (let at = Math.max(through + MINUTE_MS, now - DAY_MS); at <= now; at += MINUTE_MS) {
    if (matches(new Date(at))) return true;
  }
  return false;
}

function minuteOf(at: UtcMs): number {
  return Math.floor(at / MINUTE_MS) * MINUTE_MS;
}
