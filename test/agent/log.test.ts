/** G3, G4: what the diary says, how often, and what it never says. */
import { expect, it } from 'vitest';
import { openLog, REPEAT_MS } from '../../agent/log.ts';
import { TilsynError } from '../../protocol/errors.ts';
import { TestClock } from './support.ts';

function diary() {
  const lines: Record<string, unknown>[] = [];
  const clock = new TestClock();
  const to = { write: (text: string) => void lines.push(JSON.parse(text)) };
  return { clock, lines, log: openLog({ clock, to }) };
}

it('G3 says codes and numbers; text that is no word of ours is withheld, an error gives its code only', () => {
  const { lines, log } = diary();
  log.info('agent.started', { version: '0.1.0', count: 3 });
  log.warn('some.code', { reason: 'Morgan Hale opened /home/morgan/x y' });
  log.trouble('source.1', new Error('ENOENT: no such file, open /home/morgan'));
  log.trouble('source.2', new TilsynError('journal.full', 'message', { cause: 'x' }));
  expect(lines).toMatchObject([
    { code: 'agent.started', version: '0.1.0', count: 3, role: 'agent' },
    { code: 'some.code', reason: 'withheld' },
    { code: 'Error', about: 'source.1' },
    { code: 'journal.full', about: 'source.2' },
  ]);
  expect(JSON.stringify(lines)).not.toMatch(/morgan/i);
});

it('G4 a trouble that lasts is said once, then every five minutes with a count, and its end once', () => {
  const { clock, lines, log } = diary();
  const error = new TilsynError('journal.full', 'message');
  for (let n = 0; n < 100; n += 1) log.trouble('source', error);
  expect(lines).toHaveLength(1);
  clock.advance(REPEAT_MS);
  log.trouble('source', error);
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatchObject({ repeated: 100 });
  log.recovered('source');
  log.recovered('source');
  log.recovered('never');
  expect(lines.slice(2)).toMatchObject([
    { code: 'recovered', about: 'source', times: 101, afterMs: REPEAT_MS },
  ]);
});
