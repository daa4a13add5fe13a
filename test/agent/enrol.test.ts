/** Enrolment against a scripted collector over real TLS. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { enrol } from '../../agent/enrol.ts';
import { readEnrolment, requireEnrolment } from '../../agent/identity.ts';
import { lockState } from '../../agent/lock.ts';
import { verifyBirth } from '../../protocol/birth.ts';
import { type EnrolmentToken, tokenText } from '../../protocol/enrolment.ts';
import { signGroup } from '../../protocol/group.ts';
import { newId, toB64 } from '../../protocol/ids.ts';
import { x25519Private } from '../../protocol/seal.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { systemClock } from '../../protocol/time.ts';
import { CollectorDouble } from '../support/collector-double.ts';
import { stateDir } from './support.ts';

let collector: CollectorDouble;
beforeEach(async () => {
  collector = await CollectorDouble.start();
});
afterEach(() => collector.stop());

const software = { version: '0.1.0', platform: 'test', node: '26' };
const run = (state: string, token: EnrolmentToken | string) =>
  enrol({
    state,
    token: typeof token === 'string' ? token : tokenText(token),
    software,
    clock: systemClock,
    random: randomBytes,
    proxy: null,
  });
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error) => error.code,
  );

function groupFor(token: EnrolmentToken, signer = collector.identityKey) {
  return signGroup(signer, {
    group: newId<'group'>(randomBytes),
    kind: 'late',
    agreement: token.agreement as never,
    class: 'session',
    from: null,
    to: null,
    key: publicText(x25519Private(randomBytes(32))),
  });
}

test('a token becomes an identity: pinned CA, own key, signed birth, groups', async () => {
  const state = stateDir();
  const token = collector.token();
  collector.groups = [groupFor(token)];
  const { already, identity } = await run(state, token);
  expect(already).toBe(false);
  expect(identity).toMatchObject({
    agreement: token.agreement,
    site: token.site,
    url: collector.url,
    collectorName: collector.name,
    identity: collector.identity,
    mode: 'managed',
  });
  const { birth, groups } = requireEnrolment(state);
  expect(verifyBirth(birth)).toBe(true);
  expect(collector.enrolled?.birth).toEqual(birth);
  expect(groups).toEqual(collector.groups);
  expect(readdirSync(state).sort()).toEqual(['agent.json', 'agent.key', 'lock.db']);
  for (const file of readdirSync(state)) expect(statSync(join(state, file)).mode & 0o777).toBe(0o600);
});

test('the secret of the token is nowhere on the disk', async () => {
  const state = stateDir();
  const token = collector.token();
  await run(state, token);
  for (const file of readdirSync(state)) {
    expect(readFileSync(join(state, file)).includes(token.secret)).toBe(false);
  }
});

test('N2: enrolled already: nothing is asked, whatever the token says', async () => {
  const state = stateDir();
  await run(state, collector.token());
  const again = await run(state, 'not even a token');
  expect(again.already).toBe(true);
  expect(collector.enrolments).toBe(1);
});

test('N2: broken off after the request, the same line repeats the same key and birth', async () => {
  const state = stateDir();
  const token = collector.token();
  const births: unknown[] = [];
  collector.script = {
    onEnrol(request) {
      births.push({ key: request.key, birth: request.birth });
      return births.length === 1 ? { status: 500, body: {} } : null;
    },
  };
  expect(await code(run(state, token))).toBe('collector.answer');
  expect(readEnrolment(state)).toBeNull();
  await run(state, token);
  expect(births[1]).toEqual(births[0]);
  expect(requireEnrolment(state).birth).toEqual((births[0] as { birth: unknown }).birth);
});

test('another token after a broken-off one begins with another key', async () => {
  const state = stateDir();
  const keys: string[] = [];
  collector.script = {
    onEnrol(request) {
      keys.push(request.key);
      return keys.length === 1 ? { status: 500, body: {} } : null;
    },
  };
  expect(await code(run(state, collector.token()))).toBe('collector.answer');
  await run(state, collector.token());
  expect(new Set(keys).size).toBe(2);
});

test.each([
  ['token.expired', 403],
  ['token.used', 403],
  ['token.unknown', 403],
  ['token.revoked', 403],
  ['enrol.cidr', 403],
])("the collector's %s is passed on with a hint", async (name, status) => {
  collector.script = {
    onEnrol: () => ({ status, body: { error: { code: name, message: 'enrolling: no', hint: null } } }),
  };
  const error = await run(stateDir(), collector.token()).catch((e) => e);
  expect(error).toMatchObject({ code: name, exit: 'forbidden' });
  expect(error.hint).toMatch(/token/);
});

test('a CA that is not the pinned one: nothing is sent', async () => {
  const other = await CollectorDouble.start();
  collector.script = { ca: other.ca.ca };
  expect(await code(run(stateDir(), collector.token()))).toBe('ca.mismatch');
  collector.script = { ca: 'no certificate at all' };
  expect(await code(run(stateDir(), collector.token()))).toBe('ca.mismatch');
  expect(collector.enrolments).toBe(0);
  await other.stop();
});

test("system roots do not know the collector's own CA", async () => {
  expect(await code(run(stateDir(), collector.token({ trust: 'system' })))).toBe('collector.certificate');
  expect(collector.enrolments).toBe(0);
});

test('an identity key that is not the one in the token is not believed', async () => {
  const state = stateDir();
  const token = collector.token({ identity: toB64(randomBytes(32)) });
  expect(await code(run(state, token))).toBe('identity.mismatch');
  expect(readEnrolment(state)).toBeNull();
});

test('a key group with a wrong signature, or of another agreement, is not believed', async () => {
  const state = stateDir();
  const token = collector.token();
  collector.groups = [groupFor(token, newSigningKey())];
  expect(await code(run(state, token))).toBe('group.unsigned');
  collector.groups = [groupFor(collector.token())];
  expect(await code(run(state, token))).toBe('group.unsigned');
  expect(readEnrolment(state)).toBeNull();
});

test('a token that is cut, or points to a plain address, is refused before anything is asked', async () => {
  const text = tokenText(collector.token());
  expect(await code(run(stateDir(), text.slice(0, -9)))).toBe('token.malformed');
  const plain = collector.token({ url: collector.url.replace('wss:', 'ws:') });
  expect(await code(run(stateDir(), plain))).toBe('collector.url');
});

test('a collector that is not there is unreachable, with a hint', async () => {
  const token = collector.token({ url: 'wss://127.0.0.1:1' });
  const error = await run(stateDir(), token).catch((e) => e);
  expect(error).toMatchObject({ code: 'collector.unreachable', exit: 'unreachable' });
  expect(error.hint).toContain('firewall');
});

test('two enrolments at once: one waits for nobody, it is told', async () => {
  const state = stateDir();
  const lock = lockState(state);
  expect(await code(run(state, collector.token()))).toBe('state.locked');
  lock.release();
});

test('a state directory that cannot be made says so before anything is asked', async () => {
  const state = stateDir();
  lockState(state).release();
  expect(await code(run(join(state, 'lock.db', 'below'), collector.token()))).toMatch(/^state\./);
  expect(collector.enrolments).toBe(0);
});

test('a damaged agent.json is said to be damaged, and never enrolled over', async () => {
  const state = stateDir();
  await run(state, collector.token());
  const { writeAtomic } = await import('../../agent/files.ts');
  writeAtomic(join(state, 'agent.json'), '{"v":1');
  expect(await code(run(state, collector.token()))).toBe('state.unreadable');
});
