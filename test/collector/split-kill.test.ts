import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { splitOf } from '../../collector/regroup/splits.ts';
import { spanOf } from '../../protocol/group.ts';
import { startOf } from './erasing-scene.ts';
import { openHouse, scratch } from './house.ts';
import { DAYS, dayOf, inForce, MANY, type Month } from './split-scene.ts';

it.each(['split.said', 'split.slice', 'split.done', 'store.commit', 'store.committed'])(
  'V61 V55 a month that becomes days survives kill -9 at %s: every part lies once, in its own day',
  async (point) => {
    const dir = scratch();
    const child = spawn(process.execPath, [join(import.meta.dirname, 'split-child.ts'), dir, point], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    const [, signal] = await once(child, 'close');
    expect(signal).toBe('SIGKILL');
    const { span, sessions } = JSON.parse(said) as Month;
    const house = await openHouse({ dir });
    onTestFinished(() => house.close());
    await inForce(house);
    expect(await startOf(house)).toBe(0);
    const leaves = await house.store.read.leaves({ types: ['session.explained'], limit: 10_000 });
    for (const [i, session] of sessions.entries()) {
      const mine = leaves.filter(({ bytes }) => bytes.includes(session)).map(({ pos }) => pos);
      const parts = await house.store.read.parts(mine);
      expect(parts).toHaveLength(MANY);
      const unders = [...new Set(parts.map(({ under }) => under))];
      expect(unders).toHaveLength(1);
      expect(house.groups.byId(unders[0]!)).toMatchObject(spanOf(dayOf(DAYS[i]!), 'day'));
      const opened = await house.opener.open(house.store.read, mine);
      expect(opened.get(mine[7]!)).toEqual({ ticket: 'SPECIMEN-7' });
    }
    const month = await house.store.read.groups.get(span);
    expect([month?.state, splitOf(month!)]).toEqual(['live', { rest: false }]);
  },
);
