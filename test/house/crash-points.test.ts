/** The table of crash points in `docs/design/erasing.md` lists what the suites kill, no more and no less. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { KILLS } from '../erasure/kills.ts';
import { AGENT_POINTS, BOTH_POINTS, COLLECTOR_POINTS, CONTACT_POINTS } from '../oneoff/crashes.ts';

const page = readFileSync(new URL('../../docs/design/erasing.md', import.meta.url), 'utf8');

/** `killed at` of each row below the heading of a suite. */
function listed(suite: string): string[] {
  const [, text = ''] = page.split(`**\`npm run ${suite}\`**`);
  const rows = (text.split('\n**`npm')[0] ?? '').split('\n').filter((line) => line.startsWith('| '));
  return rows.flatMap((row) => {
    const [, killed = '', at = ''] = row.split('|').map((cell) => cell.trim());
    return [...at.matchAll(/`([a-z.0-9-]+)`/g)].map(([, point]) => `${killed} at ${point}`);
  });
}

const at = (who: string, points: readonly string[]) => points.map((point) => `${who} at ${point}`);

it('lists every point at which a one-off session’s end is killed', () => {
  const played = [
    ...at('agent', AGENT_POINTS),
    ...at('collector', COLLECTOR_POINTS),
    ...at('both', BOTH_POINTS),
    ...at('collector, the agent away for a day', CONTACT_POINTS),
  ];
  expect(listed('test:oneoff').sort()).toEqual(played.sort());
});

it('lists every point at which the end of an agreement is killed', () => {
  const played = KILLS.flatMap(({ point, agent }) =>
    point === undefined ? [] : [`${agent === true ? 'both' : 'collector'} at ${point}`],
  );
  const away = 'agent, back after a week at agent.send.before';
  expect(listed('test:erasure').sort()).toEqual([...played, away].sort());
});
