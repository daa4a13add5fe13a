/** A collector put back from yesterday's copy: the database is old, the keys in `keys.slots` are today's. */

import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must, mustBeExactly, mustEqual, mustVerify, type Scenario } from './scenario.ts';
import type { Agent, Session, Stage } from './stage.ts';

const COLLECTOR = { file: fileURLToPath(new URL('./collector-child.ts', import.meta.url)), config: {} };
/** An agent comes again within a minute after the collector went on purpose; rows then take their time. */
const REFILL_S = 150;
const DATABASE = /^collector\.db/;

interface Issued {
  n: number;
  generation: string;
}

async function issue(stage: Stage, agent: string, times: number): Promise<Issued[]> {
  const issued: Issued[] = [];
  for (let i = 0; i < times; i += 1) {
    const child = stage.collector?.child;
    if (child === undefined) throw new Error('no collector');
    child.send(agent);
    const [answer] = (await once(child, 'message')) as [Issued & { error?: string }];
    must(answer.error === undefined, `issuing a command: ${answer.error}`);
    issued.push(answer);
  }
  return issued;
}

async function applied(stage: Stage): Promise<string[]> {
  const events = await stage.events('command.applied');
  return events.map(({ data }) => `${data.generation}/${data.n}`);
}

async function allApplied(stage: Stage, issued: Issued[], seconds = 30): Promise<void> {
  await stage.until(
    `${issued.length} commands are applied`,
    async () => {
      const done = await applied(stage);
      return issued.every(({ generation, n }) => done.includes(`${generation}/${n}`));
    },
    seconds,
  );
}

function copyDatabase(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(to)) if (DATABASE.test(name)) rmSync(join(to, name));
  for (const name of readdirSync(from)) if (DATABASE.test(name)) cpSync(join(from, name), join(to, name));
}

/** What an auditor sees of a session, in an order of its own. */
function seen(sessions: Session[]): string[] {
  return sessions
    .map(({ id, host, startedAt, endedAt, peer, localUser }) =>
      JSON.stringify({ id, host, startedAt, endedAt, peer, localUser }),
    )
    .sort();
}

async function drained(agents: Agent[], seconds: number): Promise<void> {
  await Promise.all(agents.map((agent) => agent.drained(seconds)));
}

export const collectorBack: Scenario = {
  name: "a collector put back from yesterday's copy",
  async play(stage, note) {
    await stage.found();
    await stage.collector?.stop();
    await stage.startCollector(COLLECTOR);
    const agents = [await stage.enrol('one'), await stage.enrol('two')];
    // The first rows lie in September: later groups are made after the copy.
    for (const agent of agents) agent.write(0, 6);
    for (const agent of agents) await agent.start();
    await drained(agents, 30);
    const hosts = await stage.hosts();
    const ids = hosts.map(({ id }) => id);
    const early = await issue(stage, ids[0] ?? '', 3);
    await allApplied(stage, early);
    await stage.collector?.stop();
    const yesterday = stage.at('yesterday');
    copyDatabase(stage.collectorState, yesterday);
    await stage.startCollector(COLLECTOR);
    for (const agent of agents) agent.write(6, 180);
    await drained(agents, REFILL_S);
    const later = await issue(stage, ids[0] ?? '', 2);
    await allApplied(stage, later);
    const before = seen(await stage.sessions());
    mustEqual(before.length, 360, 'sessions before');
    await stage.collector?.stop();
    copyDatabase(yesterday, stage.collectorState);
    await stage.startCollector(COLLECTOR);
    const began = performance.now();
    await drained(agents, REFILL_S);
    await stage.until('all sessions are back', async () => (await stage.sessions()).length >= 360, REFILL_S);
    note(`refilled ${((performance.now() - began) / 1000).toFixed(0)} s after its start`);
    const after = seen(await stage.sessions());
    mustEqual(
      after.filter((one) => !before.includes(one)),
      [],
      'sessions that are not as before',
    );
    mustEqual(after.length, before.length, 'sessions after');
    mustEqual((await stage.events('collector.restored')).length, 1, 'events collector.restored');
    const last = await issue(stage, ids[0] ?? '', 2);
    must(last[0]?.generation !== later[0]?.generation, 'the generation is the old one');
    await allApplied(stage, last);
    const numbers = await applied(stage);
    mustEqual(numbers.length, new Set(numbers).size, 'numbers of commands, distinct ones');
    mustEqual(numbers.length, early.length + later.length + last.length, 'commands applied');
    mustEqual(
      (await stage.hosts()).map(({ host }) => host),
      hosts.map(({ host }) => host),
      'names of hosts',
    );
    for (const agent of agents) agent.write(180, 185);
    await drained(agents, 30);
    for (const { name } of agents) await mustBeExactly(stage, name, 185);
    await mustVerify(stage, ...agents);
  },
};
