/** Enrolment tokens that were used, have expired or were revoked. */
import { setTimeout as sleep } from 'node:timers/promises';
import { must, mustEqual, mustSay, type Scenario } from './scenario.ts';
import type { Stage } from './stage.ts';

async function late(stage: Stage, file: string, state: string, code: string): Promise<void> {
  const refused = await stage.refused(['agent', 'enrol', '--state', stage.at(state), '--token-file', file]);
  mustSay(refused, code);
  mustEqual(refused.exit, 5, `${code}: exit code`);
}

export const tokens: Scenario = {
  name: 'a used, an expired and a revoked token',
  async play(stage) {
    await stage.found();
    const once = await stage.token();
    const enrol = ['agent', 'enrol', '--state', stage.at('agent-one'), '--token-file', once.file];
    await stage.json(enrol);
    // The same line on the same machine takes no use and is no offence.
    await stage.json(enrol);
    mustEqual((await stage.events('token.reused')).length, 0, 'events before the offence');
    await late(stage, once.file, 'agent-two', 'token.used');
    const brief = await stage.token('--ttl', '1s');
    await sleep(1_200);
    await late(stage, brief.file, 'agent-three', 'token.expired');
    const revoked = await stage.token();
    await stage.json(['token', 'revoke', revoked.id, '--yes', '--reason', 'sent to the wrong person']);
    await late(stage, revoked.file, 'agent-four', 'token.revoked');
    const reused = await stage.events('token.reused');
    for (const { id } of [once, brief, revoked]) {
      must(
        reused.some(({ data }) => data.token === id),
        `no event token.reused for token ${id}`,
      );
    }
    mustEqual((await stage.hosts()).length, 1, 'hosts');
  },
};
