/** T17, T18: alerts across restarts, kills and full disks. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Alerts } from '../../../agent/telemetry/alerts.ts';
import { TilsynError } from '../../../protocol/errors.ts';
import { utcMs } from '../../../protocol/time.ts';
import { type World, world } from '../support.ts';
import { at, STEPS } from './series.ts';
import { alertEvents } from './world.ts';

const WRITER = fileURLToPath(new URL('./alerts-writer.ts', import.meta.url));

const alertsOf = (w: World) =>
  new Alerts({ store: w.telemetry, journal: w.journal, random: randomBytes, notify: 'all' });

/** What happened, with the episodes numbered instead of named. */
function story(w: World): string[] {
  const episodes: string[] = [];
  return alertEvents(w).map(({ type, data: { alert, ...data } }) => {
    if (!episodes.includes(alert)) episodes.push(alert);
    return `${episodes.indexOf(alert)} ${type} ${JSON.stringify(data)}`;
  });
}

function phaseOf(w: World): string {
  const [row] = w.telemetry.alerts();
  return row === undefined ? 'ok' : JSON.parse(row.state).phase;
}

/** The series from end to end, in one process that lives. */
function undisturbed(): string[] {
  const w = world();
  const alerts = alertsOf(w);
  for (let n = 0; n < STEPS; n++) alerts.look(...at(n));
  return story(w);
}

test('T17 a restart between any two measurements, in every state, changes nothing', () => {
  const expected = undisturbed();
  expect(expected.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
    '0 alert.raised',
    '0 alert.changed',
    '0 alert.changed',
    '0 alert.cleared',
    '1 alert.raised',
    '1 alert.cleared',
  ]);
  let w = world();
  const phases = new Set<string>();
  for (let n = 0; n < STEPS; n++) {
    alertsOf(w).look(...at(n));
    w = w.reopen();
    phases.add(phaseOf(w));
  }
  expect(story(w)).toEqual(expected);
  expect([...phases].sort()).toEqual(['clearing', 'crit', 'ok', 'pending', 'warn']);
});

/** Runs a writer from a place of the series on; returns how far it says that it came. */
async function run(w: World, from: number, how: { point?: string; at?: number; lines?: number }) {
  const { point = '', at = 0, lines } = how;
  const args = [WRITER, w.dir, JSON.stringify(w.options.identity), String(from), point, String(at)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
    if (lines !== undefined && out.split('\n').length > lines) child.kill('SIGKILL');
  });
  await once(child, 'close');
  const last = out.trimEnd().split('\n').at(-1) ?? '';
  return last === '' ? from : Number(last);
}

test('T17 killed before a commit, after one, and anywhere: the story is the same', async () => {
  const expected = undisturbed();
  let w = world();
  let from = 0;
  const kills = [
    { point: 'agent.append.before-commit', at: 1 },
    { point: 'agent.append.after-commit', at: 1 },
    { lines: 1 },
    { lines: 12 },
    { point: 'agent.append.after-commit', at: 1 },
    {},
  ];
  for (const kill of kills) {
    w.journal.close();
    from = await run(w, from, kill);
    w = world(w.options);
    // What is open is what the events say is open.
    const last = alertEvents(w).at(-1);
    const open = last !== undefined && last.type !== 'alert.cleared';
    expect(
      alertsOf(w)
        .open()
        .map(({ alert, level }) => ({ alert, level })),
    ).toEqual(open ? [{ alert: last.data.alert, level: last.data.level }] : []);
  }
  expect(from).toBe(STEPS);
  expect(story(w)).toEqual(expected);
  // Seven processes of Node: slow where many suites share a machine.
}, 180_000);

test('T18 a transition that could not be stored is come to again', () => {
  const w = world();
  let full = true;
  const journal = {
    append: (...args: Parameters<typeof w.journal.append>) => {
      if (full)
        throw new TilsynError('journal.full', 'writing to the journal: no space', { retryable: true });
      return w.journal.append(...args);
    },
    spare: (act: () => void) => !full && w.journal.spare(act),
  };
  const alerts = new Alerts({ store: w.telemetry, journal, random: randomBytes, notify: 'all' });
  const look = (n: number) => alerts.look([{ check: 'cpu', index: null, value: 900 }], utcMs(n * 60_000));
  expect(look(1)).toBe(false);
  for (const n of [2, 3, 4]) expect(() => look(n)).toThrow('journal');
  expect(alerts.open()).toEqual([]);
  full = false;
  look(5);
  expect(alertEvents(w)).toHaveLength(1);
  expect(alerts.open()).toHaveLength(1);
});
