/** A real agent measures this machine, a real collector keeps it, the command line draws it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../agent/log.ts';
import { enrol, run } from '../../agent/main.ts';
import { readText } from '../../collector/files.ts';
import { readToken, tokenText } from '../../protocol/enrolment.ts';
import { SECOND_MS } from '../../protocol/time.ts';
import { startWorld, until } from '../collector/running.ts';
import { CliWorld } from './cli-world.ts';

it('J7 J11 what a machine measured is shown under its name, with the names of its disks', async () => {
  const world = await startWorld();
  const cli = new CliWorld();
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-walk-'));
  onTestFinished(() => {
    cli.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const state = join(dir, 'agent');
  const token = { ...readToken(await world.token()), url: `wss://${world.handle.address}` };
  await enrol({ state, token: tokenText(token) });
  writeFileSync(join(dir, 'agent.yaml'), 'sources: []\n');
  const agent = await run({
    state,
    config: join(dir, 'agent.yaml'),
    signals: false,
    log: silentLog,
    clock: world.clock,
  });
  onTestFinished(() => agent.stop());
  const { counters } = world.handle.ctx;
  await until(() => agent.status().collector.state === 'live' && agent.status().backlog === 0);
  await until(async () => {
    world.clock.advance(10 * SECOND_MS);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return counters.of('telemetry_stored') >= 3;
  });
  cli.env.TILSYN_SERVER = `https://${world.handle.address}`;
  cli.env.TILSYN_CA = cli.file('ca.pem', world.ca);
  cli.env.TILSYN_TOKEN_FILE = cli.file('token', readText(world.made.adminTokenFile) ?? '');
  const host = agent.status().agent;
  const options = { clock: world.clock, env: { LANG: 'C.UTF-8', COLUMNS: '100' } };
  const { items } = (await cli.run(['telemetry', 'show', host, '-o', 'json'], options)).json();
  expect(items.length).toBeGreaterThanOrEqual(3);
  expect(items[0].memTotalMb).toBeGreaterThan(100);
  expect(items[0].disks.length).toBeGreaterThan(0);
  await until(async () => {
    world.clock.advance(10 * SECOND_MS);
    const { items: named } = (await cli.run(['telemetry', 'show', host, '-o', 'json'], options)).json();
    return named[0].disks[0].name !== null;
  });
  const { code, out } = await cli.run(['telemetry', 'show', host], options);
  expect(code).toBe(0);
  expect(out).toMatch(/^cpu +/m);
  expect(out).toMatch(/^\/.* free .* of /m);
});
