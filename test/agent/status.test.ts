/** What `agent status` and the `status` frame say, and what they must not say. */
import { expect, test } from 'vitest';
import type { SourceStatus } from '../../agent/pump.ts';
import { buildStatus, shownPath, shownSource, statusFrameBody } from '../../agent/status.ts';
import type { SourceId } from '../../protocol/ids.ts';
import { utcMs } from '../../protocol/time.ts';
import { beat, world } from './support.ts';

const source: SourceStatus = {
  source: 'a'.repeat(32) as SourceId,
  type: 'teamviewer',
  state: 'caught-up',
  position: 10,
  behindBytes: 0,
  rows: 1,
  unreadable: 0,
  skipped: 0,
  unlisted: 0,
  lastRowAt: utcMs(0),
  problem: null,
};
const link = {
  state: 'waiting' as const,
  since: '2026-11-22T08:00:00.000Z',
  retryAt: '2026-11-22T08:00:10.000Z',
  attempts: 3,
  problem: { code: 'collector.unreachable', message: 'm', hint: 'h', at: '2026-11-22T08:00:00.000Z' },
  generation: null,
  skewMs: null,
};

test.each([
  ['/var/log/teamviewer/Connections_incoming.txt', '/var/log/teamviewer/Connections_incoming.txt'],
  [
    'C:\\Program Files\\TeamViewer\\Connections_incoming.txt',
    'C:\\Program Files\\TeamViewer\\Connections_incoming.txt',
  ],
  ['/home/jane/x/Connections.txt', '…/Connections.txt'],
  ['/Users/jane/Library/Logs/TeamViewer/x.log', '…/x.log'],
  ['C:\\Users\\jane\\AppData\\Roaming\\TeamViewer\\Connections.txt', '…/Connections.txt'],
])('a path below the home of a person is shown by its last name only (%#)', (path, shown) => {
  expect(shownPath(path)).toBe(shown);
});

test('status puts logs, link and sources on one screen', () => {
  const { dir, journal, options } = world();
  journal.append([beat, beat]);
  const status = buildStatus({
    state: dir,
    version: '0.1.0',
    startedAt: utcMs(0),
    identity: options.identity,
    journal,
    link,
    sources: [shownSource(source, '/var/log/x')],
    readThrough: utcMs(1),
    health: { telemetry: { everyMs: null, last: null, kept: 0, unsent: 0, notStored: 0 }, alerts: [] },
  });
  expect(status).toMatchObject({
    running: true,
    agent: options.identity.agent,
    collector: { url: options.identity.url, state: 'waiting', problem: { code: 'collector.unreachable' } },
    backlog: 2,
    logs: [{ open: true, next: 3, acked: 0, backlog: 2 }],
    readThrough: '1970-01-01T00:00:00.001Z',
    sources: [{ type: 'teamviewer', file: '/var/log/x', lastRowAt: '1970-01-01T00:00:00.000Z' }],
  });
  expect(status.database.sizeBytes).toBeGreaterThan(0);
  // The identity key of the collector and its CA are no news, and long.
  expect(JSON.stringify(status)).not.toContain(options.identity.identity);
});

test('no path leaves the machine', () => {
  const body = statusFrameBody([shownSource(source, '/var/log/secret-place')], '0.1.0', utcMs(0));
  expect(JSON.stringify(body)).not.toContain('/var/log');
});
