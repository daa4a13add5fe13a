/** A one-off session that runs at the effective date: it ends for this agent then, because nobody would hear of its end. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../agent/log.ts';
import { enrol, type Handle, run } from '../../agent/main.ts';
import { tokenText } from '../../protocol/enrolment.ts';
import { toIso, utcMs } from '../../protocol/time.ts';
import { CollectorDouble } from '../support/collector-double.ts';
import { leftovers } from '../support/leftovers.ts';
import { stateDir } from './support.ts';

let collector: CollectorDouble;
let handle: Handle | null = null;
beforeEach(async () => {
  collector = await CollectorDouble.start();
  collector.mode = 'one-off';
});
afterEach(async () => {
  await handle?.stop();
  await collector.stop();
});

test('S1 O1 M1 its key and its sealed part are gone at the date, while the session goes on', async () => {
  const state = stateDir();
  await enrol({ state, token: tokenText(collector.token()) });
  const path = join(dirname(state), 'auth.log');
  writeFileSync(path, '');
  const config = join(dirname(state), 'agent.yaml');
  writeFileSync(config, JSON.stringify({ sources: [{ type: 'sshd', match: 'all', path }] }));
  handle = await run({ state, config, signals: false, log: silentLog });
  await expect.poll(() => handle?.status().sources.map((one) => one.state)).toEqual(['caught-up']);
  const at = toIso(utcMs(Date.now())).replace('Z', '000+00:00');
  const line = `Accepted password for specimen from 203.0.113.7 port 50000 ssh2`;
  appendFileSync(path, `${at} host sshd[4711]: ${line}\n`);
  const batch = await collector.until(() => collector.frame('batch').find(({ keys }) => keys.length > 0));
  const [{ group = '', key = '' } = {}] = batch.keys;
  const body = batch.parts.find((part) => part.group === group)?.body ?? '';
  expect(leftovers([state], { part: Buffer.from(body, 'base64url') })).not.toEqual([]);
  expect(collector.frame('erase')).toEqual([]);
  const agreement = handle.status().agreement as string;
  const order = { agreement, effectiveAt: Date.now() };
  (await collector.proven()).send(collector.command(1, 'agreement.end', {}, order));
  const erase = await collector.until(() => collector.frame('erase')[0]);
  expect(erase.groups).toEqual([group]);
  const sought = { part: Buffer.from(body, 'base64url'), key: Buffer.from(key, 'base64url') };
  expect(leftovers([state], sought)).toEqual([]);
});
