import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostCoverage } from '../../collector/coverage.ts';
import { recordingCoverage } from '../../collector/coverage-recordings.ts';
import type { AgentId } from '../../protocol/ids.ts';
import { fromIso, type UtcMs } from '../../protocol/time.ts';

const [FROM, MIDDLE, TO] = [
  '2026-11-01T00:00:00.000Z',
  '2026-11-10T00:00:00.000Z',
  '2026-11-22T00:00:00.000Z',
];
const SOURCE = '0123456789abcdef0123456789abcdef';
const HOST: HostCoverage = {
  ...{ host: 'nvr-01', hostId: SOURCE as AgentId, from: FROM, to: TO, sources: [] },
  gaps: [{ from: FROM, to: TO, reason: 'no-source' }],
};
const root = (gaps: unknown[]) => ({ watched: [{ source: SOURCE, from: MIDDLE, to: TO, gaps }] });
const reasons = (host: HostCoverage) => host.gaps.map(({ reason }) => reason);

describe('collector/coverage-recordings', () => {
  it('V72 what a root lacks is a gap of its host; that no source of sessions is read is none', () => {
    expect(recordingCoverage(HOST, root([]), null)).toMatchObject({
      ...{ gaps: [], sources: [{ source: SOURCE, type: 'recordings', since: MIDDLE }] },
    });
    const suspect = { from: null, to: null, reason: 'suspect' };
    expect(recordingCoverage(HOST, root([suspect]), null).gaps).toEqual([
      { from: MIDDLE, to: TO, reason: 'suspect' },
    ]);
    const lost = { ...HOST, gaps: [...HOST.gaps, { from: FROM, to: MIDDLE, reason: 'no-contact' }] };
    expect(reasons(recordingCoverage(lost, root([]), null))).toEqual(['no-contact']);
  });

  it('V72 a host without a root keeps its gaps', () => {
    expect(recordingCoverage(HOST, { watched: [] }, null)).toEqual(HOST);
    expect(recordingCoverage(HOST, {}, null)).toEqual(HOST);
  });

  it('V72 a host that is not connected has a gap since it last spoke, within its span', () => {
    const last = (at: string | null) =>
      recordingCoverage({ ...HOST, gaps: [] }, null, at === null ? null : (fromIso(at) as UtcMs)).gaps;
    expect(last(MIDDLE)).toEqual([{ from: MIDDLE, to: TO, reason: 'not-connected' }]);
    expect(last(TO)).toEqual([{ from: TO, to: TO, reason: 'not-connected' }]);
    expect(last('2025-01-01T00:00:00.000Z')).toEqual([{ from: FROM, to: TO, reason: 'not-connected' }]);
    expect(last(null)).toEqual([{ from: FROM, to: TO, reason: 'not-connected' }]);
  });

  it('V73 coverage that cannot be understood is a gap around it all, and never none', () => {
    const told = fc.oneof(
      fc.jsonValue(),
      fc.constant(root([{ from: FROM, to: TO, reason: 'A <b>' }]).watched),
    );
    fc.assert(
      fc.property(told, (watched) => {
        const { gaps } = recordingCoverage({ ...HOST, gaps: [] }, { watched }, null);
        const none = watched === null || (Array.isArray(watched) && watched.length === 0);
        expect(gaps).toEqual(none ? [] : [{ from: FROM, to: TO, reason: 'source-unreadable' }]);
      }),
    );
  });
});
