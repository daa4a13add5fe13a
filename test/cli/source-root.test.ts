import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../agent/config.ts';
import { MARKER_FILE, readMarker } from '../../agent/recordings/root.ts';
import { CliWorld } from './cli-world.ts';

let cli: CliWorld;
beforeAll(() => {
  cli = new CliWorld();
});
afterAll(() => cli.close());

/** A folder as a recorder leaves it. */
function recorder(name: string, paths: string[]): string {
  const root = join(dirname(cli.file('anchor', '')), name);
  mkdirSync(root, { recursive: true });
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), 'x');
  }
  return root;
}

const FRIGATE = Array.from({ length: 30 }, (_, n) => `2026-11-28/03/gate/11.${String(n + 10)}.mp4`);

describe('source detect --root', () => {
  it('C12 names the layout and shows ten paths as it reads them', async () => {
    const root = recorder('frigate', [...FRIGATE, 'holiday.avi']);
    const { code, json } = await cli.run(['source', 'detect', '--root', root, '-o', 'json']);
    expect(code).toBe(0);
    expect(json()).toMatchObject({ root, files: 31 });
    const [best] = json().items;
    expect(best).toMatchObject({ layout: 'frigate', erasable: true, recordings: 30, unknown: 1 });
    expect(best.shown).toHaveLength(10);
    expect(best.shown[0]).toMatchObject({
      camera: 'gate',
      path: expect.stringContaining('2026-11-28/03/gate/'),
    });
  });

  it('C12 where no layout fits it says so, and with a pattern what that reads', async () => {
    const root = recorder('own', ['cam1/rec-20261128-031500.ogv', 'cam1/rec-20261128-032500.ogv']);
    const none = await cli.run(['source', 'detect', '--root', root]);
    expect(none.code).toBe(6);
    expect(none.out).toContain('no layout of ours');
    const own = ['--layout', '{camera}/rec-%Y%m%d-%H%M%S.ogv', '--zone', 'Europe/Copenhagen'];
    const { code, out } = await cli.run(['source', 'detect', '--root', root, ...own]);
    expect(code).toBe(0);
    expect(out).toContain('2026-11-28T02:15:00.000Z');
    expect((await cli.run(['source', 'detect', '--root', join(root, 'none')])).code).toBe(3);
  });
});

describe('source add', () => {
  it('C41 writes the entry and the marker, keeps comments and what is detected, and does so once', async () => {
    const root = recorder('added', FRIGATE);
    const file = cli.file('agent.yaml', '# mine\nsources: null\ntelemetry:\n  every: 90s # slower\n');
    const run = (...more: string[]) => cli.run(['source', 'add', '--root', root, '--config', file, ...more]);
    expect((await run('--dry-run')).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toContain('sources: null');
    expect(readMarker(root)).toBe('missing');
    const { code } = await run('--yes', '-o', 'json');
    expect(code).toBe(0);
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('# mine');
    expect(text).toContain('90s # slower');
    const config = parseConfig(text, file);
    expect(config.recordings).toMatchObject([{ root, layout: 'frigate', mode: 'report', timeZone: 'UTC' }]);
    // A list of roots only says nothing about remote tools: these are still detected.
    expect(config.sources).toBeNull();
    const said = readFileSync(join(root, MARKER_FILE), 'utf8');
    expect(JSON.parse(said)).toEqual({ v: 1, source: readMarker(root) });
    expect((await run('--yes')).code).toBe(7);
  });

  it('R5 refuses to erase in a ring, and adds nothing it cannot read', async () => {
    const ring = recorder('ring', ['2022/01/13/E063DA3FEC8C_0_rotating_1642077111078.ubv']);
    const file = cli.file('ring.yaml', '');
    const run = (root: string, ...more: string[]) =>
      cli.run(['source', 'add', '--root', root, '--config', file, '--yes', ...more]);
    const erase = await run(ring, '--mode', 'erase');
    expect([erase.code, erase.err]).toEqual([2, expect.stringContaining('report-only')]);
    const strange = await run(recorder('strange', ['a/b.txt']));
    expect([strange.code, strange.err]).toEqual([2, expect.stringContaining('no layout reads')]);
    expect(readFileSync(file, 'utf8')).toBe('');
    expect(readMarker(ring)).toBe('missing');
  });
});
