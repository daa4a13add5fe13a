import { describe, expect, it } from 'vitest';
import { HoldProgress } from '../../cli/hold-progress.ts';

const at = (copied: number, more = {}) => ({
  agents: [
    { hostId: 'a1', host: 'a1', protection: 'copying', copied, recordings: 100, ...more },
    { hostId: 'b2', host: 'b2', protection: 'not-needed', copied: 0, recordings: 3 },
  ],
});

describe('cli/hold-progress', () => {
  it('says how far each host is, and an estimate once something moved', () => {
    const progress = new HoldProgress({ agents: [{ hostId: 'a1', host: 'nvr-01' }] });
    expect(progress.line(at(0), 0)).toBe('nvr-01: copied 0 of 100');
    // Ten in ten seconds: ninety more.
    expect(progress.line(at(10), 10_000)).toBe('nvr-01: copied 10 of 100, about 1m 30s left');
    expect(progress.line(at(10), 20_000)).toBe('nvr-01: copied 10 of 100, about 3m 0s left');
  });

  it('says nothing twice, not too often, and nothing of hosts that copy nothing', () => {
    const progress = new HoldProgress({ agents: [] });
    expect(progress.line(at(1), 0)).toBe('a1: copied 1 of 100');
    expect(progress.line(at(1), 60_000)).toBeNull();
    expect(progress.line(at(2), 61_000)).not.toBeNull();
    expect(progress.line(at(3), 62_000)).toBeNull();
    expect(progress.line(at(100, { protection: 'copied' }), 90_000)).toBeNull();
  });
});
