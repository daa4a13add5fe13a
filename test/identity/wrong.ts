/** Wrong CA, wrong identity, revoked agent: nothing is sent, and each says what it is. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readToken, tokenText } from '../../protocol/enrolment.ts';
import { toB64 } from '../../protocol/ids.ts';
import { must, mustEqual, mustSay, type Scenario } from './scenario.ts';
import { type Agent, Stage } from './stage.ts';

async function refusesAtEnrolment(stage: Stage): Promise<void> {
  const { token } = await stage.token();
  const good = readToken(token);
  const wrong = [
    { code: 'ca.mismatch', token: { ...good, trust: { pin: toB64(randomBytes(32)) } } },
    { code: 'identity.mismatch', token: { ...good, identity: toB64(randomBytes(32)) } },
    { code: 'token.unknown', token: { ...good, secret: toB64(randomBytes(32)) } },
  ];
  for (const { code, token: text } of wrong) {
    const file = stage.secret(tokenText(text));
    const state = stage.at(`agent-${code}`);
    mustSay(await stage.refused(['agent', 'enrol', '--state', state, '--token-file', file]), code);
  }
}

async function problem(stage: Stage, agent: Agent, code: string, seconds = 30): Promise<void> {
  const now = async () => (await agent.status())?.collector;
  await stage.until(`${agent.name} says ${code}`, async () => (await now())?.problem?.code === code, seconds);
  mustSay((await now())?.problem, code);
  must((await now())?.state !== 'live', `${code}: the link is live all the same`);
}

/** Changes what the agent holds to be its collector. */
function bend(agent: Agent, change: Record<string, unknown>): void {
  const path = join(agent.state, 'agent.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }));
}

export const wrong: Scenario = {
  name: 'wrong CA, wrong identity, revoked agent',
  async play(stage) {
    await stage.found();
    await refusesAtEnrolment(stage);
    const agent = await stage.enrol('site');
    agent.write(0, 5);
    const other = await Stage.open();
    await other.found();
    try {
      const ca = readFileSync(other.init?.caFile ?? '', 'utf8');
      mustSay(
        await stage.refused(['host', 'list'], { ...stage.admin, TILSYN_CA: other.init?.caFile ?? '' }),
        'server.untrusted',
      );
      const right = readFileSync(join(agent.state, 'agent.json'), 'utf8');
      bend(agent, { ca });
      await agent.start();
      await problem(stage, agent, 'collector.certificate');
      await agent.stop();
      writeFileSync(join(agent.state, 'agent.json'), right);
      bend(agent, { identity: other.init?.identity });
      await agent.start();
      await problem(stage, agent, 'collector.not-proven');
      await agent.stop();
      writeFileSync(join(agent.state, 'agent.json'), right);
    } finally {
      await other.close();
    }
    await agent.start();
    await agent.drained();
    await revoked(stage, agent);
  },
};

/** A live socket is closed within a second, nothing more is taken, history stays. */
async function revoked(stage: Stage, agent: Agent): Promise<void> {
  const id = (await agent.status())?.agent ?? '';
  await stage.json(['host', 'revoke', id, '--yes', '--reason', 'the machine was sold']);
  await stage.until(
    'the live socket is closed',
    async () => (await agent.status())?.collector.state !== 'live',
    1,
  );
  await problem(stage, agent, 'agent.revoked');
  agent.write(5, 10);
  mustEqual((await stage.hosts()).find((host) => host.id === id)?.state, 'revoked', 'host list');
  await agent.stop();
  await agent.start();
  await problem(stage, agent, 'agent.revoked');
  mustEqual((await stage.sessions()).length, 5, 'sessions');
  mustEqual((await stage.events('agent.revoked')).length, 1, 'events agent.revoked');
}
