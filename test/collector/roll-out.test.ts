/** One token for fifty hosts of one site: who gets in, who does not, and what is left of it. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CLOSE } from '../../protocol/close-code.ts';
import { AgentDouble, type Answer, http } from '../support/agent-double.ts';
import { ownEvents, ownTypes, startWorld, type World } from './running.ts';

const HOSTS = 50;

function api(world: World, method: string, path: string): Promise<Answer> {
  const admin = readFileSync(world.made.adminTokenFile, 'utf8').trim();
  const headers = { authorization: `Bearer ${admin}` };
  return http(world.handle.address, world.ca, method, path, method === 'GET' ? undefined : {}, headers);
}

/** A site inside 127.5.0.0/24, with a host that is not of it. */
async function site(uses: number) {
  const world = await startWorld();
  const token = await world.token({ uses, cidr: '127.5.0.0/24', requireApproval: true });
  const at = (from: string) => {
    const one = new AgentDouble({ address: world.handle.address, ca: world.ca, token });
    one.from = from;
    return one;
  };
  const hosts = Array.from({ length: HOSTS }, (_, i) => at(`127.5.0.${i + 1}`));
  const used = async () => (await world.handle.ctx.store.read.tokens.get(hosts[0]?.token.token ?? ''))?.used;
  return { world, at, hosts, used };
}

it('N1, N2: fifty hosts enrol at once by one token, again without a use more, and not one over', async () => {
  const { world, at, hosts, used } = await site(HOSTS);
  const answers = await Promise.all(hosts.map((one) => one.enrol()));
  expect(new Set(answers.map(({ status, body }) => `${status} ${String(body.state)}`))).toEqual(
    new Set(['200 waiting']),
  );
  // The whole roll-out is run again: it says the same and changes nothing.
  const again = await Promise.all(hosts.map((one) => one.enrol()));
  expect(again.map(({ body }) => body)).toEqual(answers.map(({ body }) => body));
  expect(await used()).toBe(HOSTS);
  const over = await Promise.all([at('127.5.0.200').enrol(), at('127.5.0.201').enrol()]);
  expect(over.map(({ body }) => (body.error as { code: string }).code)).toEqual(['token.used', 'token.used']);
  expect(await ownEvents(world, 'token.reused')).toHaveLength(1);
  expect((await ownTypes(world)).filter((type) => type === 'agent.enrolled')).toHaveLength(HOSTS);
});

it('N6: a host outside of the range is refused, however often, and takes no use', async () => {
  const { at, hosts, used } = await site(2);
  for (let i = 0; i < 3; i += 1) {
    const { status, body } = await at('127.6.0.1').enrol();
    expect([status, (body.error as { code: string }).code]).toEqual([403, 'token.address']);
  }
  expect(await used()).toBe(0);
  expect((await hosts[0]?.enrol())?.status).toBe(200);
  expect(await used()).toBe(1);
});

it('A2, A3: each waits for approval, comes in after it, and is out at once when revoked', async () => {
  const { world, hosts } = await site(HOSTS);
  const few = hosts.slice(0, 5);
  await Promise.all(few.map((one) => one.enrol()));
  for (const one of few) {
    const link = await one.knock();
    const refuse = await link.next('refuse');
    expect([refuse.code, refuse.retryAfter]).toEqual(['agent.waiting', 30_000]);
    expect(await link.closed()).toBe(CLOSE.tryLater);
  }
  for (const act of ['approve', 'approve', 'resolve']) {
    const done = await Promise.all(few.map((one) => api(world, 'POST', `/v1/hosts/${one.agent}/${act}`)));
    expect(done.map(({ status, body }) => [status, body.approval])).toEqual(few.map(() => [200, 'approved']));
  }
  const links = await Promise.all(few.map((one) => one.connect()));
  const [first, ...others] = few;
  for (let i = 0; i < 2; i += 1) {
    expect((await api(world, 'POST', `/v1/hosts/${first?.agent}/revoke`)).body.state).toBe('revoked');
  }
  expect(await links[0]?.closed()).toBe(CLOSE.revoked);
  expect((await (await first?.knock())?.refused())?.close).toBe(CLOSE.revoked);
  const types = await ownTypes(world);
  expect(types.filter((type) => type === 'agent.approved')).toHaveLength(few.length);
  expect(types.filter((type) => type === 'agent.revoked')).toHaveLength(1);
  expect(types.filter((type) => type === 'agent.resolved')).toHaveLength(0);
  const online = async () => {
    const { body } = await api(world, 'GET', '/v1/hosts?state=online');
    return (body as { items: { id: string }[] }).items.map(({ id }) => id).toSorted();
  };
  // When an agent was seen is written a moment later.
  await expect.poll(online).toEqual(others.map(({ agent }) => agent as string).toSorted());
  for (const link of links.slice(1)) link.ws.terminate();
});
