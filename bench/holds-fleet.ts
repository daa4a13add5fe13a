/**
 * How long until a hold is in force on every host of a large site: from its commit at the collector to the commit there of
 * what each host says (V103), by the collector's own clock. The collector has core 0, the fleet core 1.
 */
import Sqlite from 'better-sqlite3';
import { DAY_MS, toIso, utcMs } from '../protocol/time.ts';
import { Stage } from '../test/identity/stage.ts';
import { pinned } from './drain.ts';
import { ask, percentile, startFleet } from './fleet.ts';
import type { BenchResult } from './result.ts';

const ROUNDS = 5;
const WHY = '--kind crime --case 2026-114 --basis TVOL --reason theft --wide site'.split(' ');

export async function holdsFleetBench({ agents }: { agents: number }): Promise<BenchResult[]> {
  const stage = await Stage.open({ before: (what) => pinned(what === 'collector' ? 0 : 1) });
  try {
    await stage.found();
    const fleet = await startFleet(stage, agents, false);
    await ask(fleet, { do: 'connect', agents });
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) times.push(...(await placed(stage, agents)));
    const name = `a hold on ${agents} connected hosts: in force on one, p99 of ${ROUNDS} holds`;
    return [
      { name, value: percentile(times, 0.99), unit: 'ms', target: '≤ 2000 ms' },
      { name: 'its median', value: percentile(times, 0.5), unit: 'ms' },
      { name: 'on the last of them', value: Math.max(...times), unit: 'ms' },
    ];
  } finally {
    await stage.close();
  }
}

async function placed(stage: Stage, agents: number): Promise<number[]> {
  const now = Date.now();
  const span = ['--from', toIso(utcMs(now - 2 * DAY_MS)), '--to', toIso(utcMs(now - DAY_MS))];
  const review = ['--review', toIso(utcMs(now + 30 * DAY_MS))];
  const { id } = await stage.json<{ id: string }>([
    ...['hold', 'place', '--site', 'Albertslund', ...span, ...WHY, ...review],
  ]);
  await stage.until('it is in force everywhere', () => inForce(stage, id).length === agents, 60);
  return inForce(stage, id);
}

/** Milliseconds of each host that has it in force. */
function inForce(stage: Stage, hold: string): number[] {
  const db = new Sqlite(`${stage.collectorState}/collector.db`, { readonly: true });
  try {
    const rows = db
      .prepare(
        `SELECT h.applied_at - o.created_at AS ms FROM hold_hosts h JOIN holds o ON o.hold = h.hold
         WHERE h.hold = ? AND h.state = 'in-force'`,
      )
      .all(hold) as { ms: number }[];
    return rows.map(({ ms }) => ms);
  } finally {
    db.close();
  }
}
