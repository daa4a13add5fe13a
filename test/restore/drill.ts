/**
 * The drill: a backup, a day of events after it, the database lost, the keys there. Agents fill it up; nothing is lost
 * or doubled, and whoever was revoked stays out.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { must, mustEqual, mustSay, mustVerify, type Scenario } from '../identity/scenario.ts';
import type { Agent, Session, Stage } from '../identity/stage.ts';
import { changedSessions, type Leaves, leavesIn, lostLeaves } from './compare.ts';
import { guide, tryGuide } from './guide.ts';
import { backUp, DATABASE, drained, idOf, lose, only, REFILL_S, stateOf } from './scene.ts';

const COLLECTOR = {
  file: fileURLToPath(new URL('../identity/collector-child.ts', import.meta.url)),
  config: {},
};

interface Cast {
  one: Agent;
  two: Agent;
  /** Revoked before the backup, and after it. */
  gone: Agent;
  sold: Agent;
  ids: Record<'one' | 'two' | 'gone' | 'sold', string>;
}

async function enact(stage: Stage): Promise<Cast> {
  await stage.found();
  await stage.collector?.stop();
  await stage.startCollector(COLLECTOR);
  const agents: Agent[] = [];
  for (const name of ['one', 'two', 'gone', 'sold']) {
    const agent = await stage.enrol(name);
    agent.write(0, 20);
    await agent.start();
    agents.push(agent);
  }
  await drained(agents, 60);
  const [one, two, gone, sold] = agents as [Agent, Agent, Agent, Agent];
  const ids = { one: await idOf(one), two: await idOf(two), gone: await idOf(gone), sold: await idOf(sold) };
  await stage.json(['host', 'revoke', ids.gone, '--yes', '--reason', 'before the backup']);
  return { one, two, gone, sold, ids };
}

interface Issued {
  n: number;
  generation: string;
}

async function issue(stage: Stage, agent: string, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    const child = stage.collector?.child;
    if (child === undefined) throw new Error('no collector');
    child.send(agent);
    const [answer] = (await once(child, 'message')) as [Issued & { error?: string }];
    must(answer.error === undefined, `issuing a command: ${answer.error}`);
    const { n, generation } = answer;
    await stage.until(
      `command ${n} is applied`,
      async () => (await applied(stage)).includes(`${generation}/${n}`),
      60,
    );
  }
}

async function applied(stage: Stage): Promise<string[]> {
  return (await stage.events('command.applied')).map(({ data }) => `${data.generation}/${data.n}`);
}

interface Person {
  id: string;
  token: string;
}

async function person(stage: Stage, role: string): Promise<Person & { as: Record<string, string> }> {
  const made = await stage.json<Person>(['person', 'add', '--role', role]);
  return { ...made, as: stage.as(stage.secret(made.token)) };
}

/** What the collector and its operators knew when the database was lost. */
interface Before {
  sessions: Session[];
  leaves: Leaves;
  logs: Record<string, string[]>;
  applied: string[];
}

async function look(stage: Stage, cast: Cast): Promise<Before> {
  const logs: Record<string, string[]> = {};
  for (const agent of [cast.one, cast.two, cast.sold]) {
    logs[agent.name] = ((await agent.status())?.logs ?? []).map(({ log }) => log);
  }
  const leaves = leavesIn(join(stage.collectorState, 'collector.db'));
  return { sessions: await stage.sessions(), leaves, logs, applied: await applied(stage) };
}

const of = (sessions: readonly Session[], name: string) =>
  sessions.filter(({ peer }) => peer?.names[0]?.endsWith(` of ${name}`));

export const drill: Scenario = {
  name: 'the drill: database lost, keys there, a day after the backup',
  async play(stage, note) {
    const cast = await enact(stage);
    const { one, two, sold, ids } = cast;
    await issue(stage, ids.one, 2);
    const left = await person(stage, 'auditor');
    const stays = await person(stage, 'admin');
    const rollOut = await stage.token('--ttl', '7d', '--uses', '9');
    // While two of them write: a copy of a running collector.
    one.write(20, 60);
    two.write(20, 60);
    await backUp(stage, false);
    // The day after.
    one.write(60, 160);
    two.write(60, 160);
    await drained([one, two], 60);
    await issue(stage, ids.one, 2);
    await stage.json(['host', 'revoke', ids.sold, '--yes', '--reason', 'sold after the backup']);
    await stage.json(['person', 'revoke', left.id, '--yes', '--reason', 'left after the backup']);
    const late = await stage.enrol('later');
    late.write(0, 20);
    await late.start();
    await late.drained();
    const before = await look(stage, cast);
    mustEqual(before.sessions.length, 20 + 20 + 160 + 160 + 20, 'sessions before');

    await two.stop();
    await stage.collector?.stop();
    const living = await tryGuide(stage, 'database');
    mustEqual(living.code, 7, 'exit code beside a living database');
    lose(stage, DATABASE);
    const done = await guide(stage, 'database');
    must(/keys +survived/.test(done.stdout), `the restore says:\n${done.stdout}`);
    await stage.startCollector(COLLECTOR);
    const again = performance.now();

    await unconfirmed(stage, ids.two);
    await two.start();
    await drained([one, two]);
    note(`refilled ${((performance.now() - again) / 1000).toFixed(0)} s after its start`);
    await stage.until('both are confirmed', async () => {
      return (await stateOf(stage, ids.one)) === 'online' && (await stateOf(stage, ids.two)) === 'online';
    });
    await nothingLost(stage, before, note);
    await stillOut(stage, { cast, left, stays, rollOut: rollOut.file });
    await commands(stage, ids.one, before);
    await lateAgain(stage, late, before);
    for (const agent of [one, two]) agent.write(160, 165);
    await drained([one, two], 60);
    mustEqual(of(await stage.sessions(), 'one').length, 165, 'sessions of one, after it all');
    await mustVerify(stage, one, two, late);
    mustEqual((await only(stage, 'collector.restored')).data.keys, 'survived', 'where the keys are from');
    await sold.stop();
  },
};

/** Before it has spoken, each answer about it says so. */
async function unconfirmed(stage: Stage, id: string): Promise<void> {
  mustEqual(await stateOf(stage, id), 'unconfirmed', 'state of a host that has not spoken');
  const list = await stage.run(['session', 'list', '--host', id, '-o', 'json']);
  const { coverage } = JSON.parse(list.stdout) as {
    coverage: { hosts: { gaps: { reason: string }[] }[] };
  };
  const reasons = coverage.hosts.flatMap(({ gaps }) => gaps.map(({ reason }) => reason));
  must(reasons.includes('restore-unconfirmed'), `gaps of a host that has not spoken: ${reasons.join(', ')}`);
}

/** Every leaf and every session of the hosts that came again, and those of the others as of the backup. */
async function nothingLost(stage: Stage, before: Before, note: (text: string) => void): Promise<void> {
  const path = join(stage.collectorState, 'collector.db');
  const refilled = [...(before.logs.one ?? []), ...(before.logs.two ?? [])];
  const isRefilled = (log: string) => refilled.includes(log);
  const expected = before.sessions.filter(({ peer }) => !peer?.names[0]?.endsWith(' of later'));
  const find = async (leaves: Leaves, sessions: Session[]) => [
    ...lostLeaves(before.leaves, leaves, isRefilled),
    ...changedSessions(expected, sessions),
  ];
  const [leaves, sessions] = [leavesIn(path), await stage.sessions()];
  mustEqual(await find(leaves, sessions), [], 'lost or doubled');
  const compared = [...before.leaves.keys()].filter((place) => isRefilled(place.split('/')[0] ?? '')).length;
  note(`${compared} leaves and ${expected.length} sessions compared`);
  // The comparison can fail: a leaf less, another byte, a session less, one twice.
  const copy = stage.at('copy.db');
  wrongCopy(
    path,
    copy,
    [...before.leaves.keys()].filter((place) => isRefilled(place.split('/')[0] ?? '')),
  );
  mustEqual((await find(leavesIn(copy), sessions)).length, 2, 'what a wrong copy is found to lack');
  const [first] = sessions;
  mustEqual((await find(leaves, sessions.slice(1))).length, 1, 'a session less is found');
  must(
    (await find(leaves, first === undefined ? [] : [...sessions, first])).length > 0,
    'a session twice is found',
  );
  note('a wrong copy was noticed');
}

/** Without the first of these leaves, and with another byte in the last. */
function wrongCopy(path: string, copy: string, places: readonly string[]): void {
  const live = new Sqlite(path, { readonly: true });
  live.prepare('VACUUM INTO ?').run(copy);
  live.close();
  const db = new Sqlite(copy);
  const where = 'WHERE log = (SELECT id FROM logs WHERE log = ?) AND seq = ?';
  db.prepare(`DELETE FROM leaves ${where}`).run(...(places[0] ?? '').split('/'));
  db.prepare(`UPDATE leaves SET bytes = bytes || ' ' ${where}`).run(...(places.at(-1) ?? '').split('/'));
  db.close();
}

interface Out {
  cast: Cast;
  left: { id: string; as: Record<string, string> };
  stays: { as: Record<string, string> };
  rollOut: string;
}

async function stillOut(stage: Stage, { cast, left, stays, rollOut }: Out): Promise<void> {
  for (const id of [cast.ids.gone, cast.ids.sold])
    mustEqual(await stateOf(stage, id), 'revoked', 'a revoked host');
  const problem = async () => (await cast.sold.status())?.collector.problem ?? null;
  await cast.sold.stop();
  await cast.sold.start();
  await stage.until('the sold host is refused', async () => (await problem())?.code === 'agent.revoked', 60);
  mustEqual((await stage.refused(['whoami'], left.as)).exit, 4, 'exit code of a revoked person');
  await stage.json(['whoami'], stays.as);
  const state = stage.at('agent-never');
  mustSay(
    await stage.refused(['agent', 'enrol', '--state', state, '--token-file', rollOut]),
    'token.revoked',
  );
}

async function commands(stage: Stage, id: string, before: Before): Promise<void> {
  await issue(stage, id, 2);
  const all = await applied(stage);
  mustEqual(all.length, new Set(all).size, 'numbers of commands, distinct ones');
  mustEqual(all.length, before.applied.length + 2, 'commands applied');
}

/** Enrolled after the backup: refused with a hint; then the step of the guide. */
async function lateAgain(stage: Stage, late: Agent, before: Before): Promise<void> {
  const problem = async () => (await late.status())?.collector.problem ?? null;
  await stage.until(
    'the late host is unknown',
    async () => (await problem())?.code === 'agent.unknown',
    REFILL_S,
  );
  mustSay(await problem(), 'agent.unknown');
  await late.stop();
  const { file } = await stage.token();
  await guide(stage, 'enrol-again', { '/var/lib/tilsyn-agent': late.state, '/root/token.txt': file });
  await late.start();
  await late.drained();
  const [then, now] = [of(before.sessions, 'later'), of(await stage.sessions(), 'later')];
  mustEqual(
    now.map(({ startedAt }) => startedAt).sort(),
    then.map(({ startedAt }) => startedAt).sort(),
    'sessions of the late host',
  );
}
