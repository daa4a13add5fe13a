/** Questions to hosts over real links. */
import { describe, expect, it } from 'vitest';
import { askHost } from '../../collector/ingest/queries.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { startWorld } from './running.ts';

const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => 'answered',
    (error: { code?: string }) => error.code,
  );

async function scene() {
  const world = await startWorld();
  const [one, two] = [await world.agent(), await world.agent()];
  const { ctx } = world.handle;
  return { world, ctx, one, two, ask: (agent = one.agent) => askHost(ctx, agent, 'recordings.stats', {}) };
}

describe('questions to a host', () => {
  it('M11 an answer counts for its question, of the host that was asked, once', async () => {
    const { one, two, ask } = await scene();
    const [link, other] = [await one.connect(), await two.connect()];
    const asked = ask();
    const { id } = await link.next('query');
    const answer = (n: number) => ({ t: 'result' as const, n: null, query: id, ok: true, body: { n } });
    other.send(answer(1));
    other.send({ t: 'erase', groups: ['a'.repeat(32)] });
    await other.next('erased');
    link.send(answer(2));
    expect(await asked).toEqual({ n: 2 });
    link.send(answer(3));
    const again = ask();
    const next = await link.next('query');
    link.send({ ...answer(4), query: next.id, ok: false, body: { code: 'unsupported' } });
    expect(await codeOf(again)).toBe('host.refused');
  });

  it('M12 a host that is not there, that is asked too much, and that is silent are told apart', async () => {
    const { world, one, ask } = await scene();
    expect(await codeOf(ask())).toBe('host.offline');
    const link = await one.connect();
    const waiting = Array.from({ length: 8 }, () => codeOf(ask()));
    expect(await codeOf(ask())).toBe('host.busy');
    await link.next('query');
    world.clock.advance(20 * SECOND_MS);
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 8 }, () => 'host.silent'));
  });

  it('M13 a host that drops in the middle of a question is not waited for', async () => {
    const { one, two, ask } = await scene();
    const [link, other] = [await one.connect(), await two.connect()];
    const [asked, theirs] = [codeOf(ask()), codeOf(ask(two.agent))];
    await link.next('query');
    const { id } = await other.next('query');
    // No clock is moved: it would never end by its time.
    await link.close();
    expect(await asked).toBe('host.offline');
    other.send({ t: 'result', n: null, query: id, ok: true, body: {} });
    expect(await theirs).toBe('answered');
  });
});
