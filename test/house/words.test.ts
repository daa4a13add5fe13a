/** E1: every word that the code gives as a reason is on the list, so that no answer ends in `other` by oversight. */
import { describe, expect, it } from 'vitest';
import { BIRTH_REASONS } from '../../protocol/birth.ts';
import { AUTH_METHODS, GAP_REASONS, REJECTIONS } from '../../protocol/event.ts';
import { REASONS } from '../../protocol/words.ts';
import { codeOnly, filesIn, type SourceFile } from './tree.ts';

const SESSIONS = [...REJECTIONS, ...AUTH_METHODS, 'completed', 'tool-stopped'];
const known = new Set<string>([...REASONS, ...BIRTH_REASONS, ...GAP_REASONS, ...SESSIONS]);
const SAID = /\b(?:reason: |method: |notice\(\w+, '[a-z-]+', |#say\('agent\.[a-z]+', |#?stop\()'([a-z-]+)'/g;

function unlisted(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    [...codeOnly(file.text).matchAll(SAID)]
      .map(([, word]) => word ?? '')
      .filter((word) => !known.has(word))
      .map((word) => `${file.path} says ${word}: add it to protocol/words.ts`),
  );
}

describe('words', () => {
  it('E1 every literal reason is on the list', () => {
    // Coverage names reasons for gaps in an answer, which are no part of an event; a proxy is asked by a method.
    const files = filesIn(['agent', 'collector']).filter(
      (file) => !file.path.startsWith('collector/coverage') && file.path !== 'agent/uplink/proxy.ts',
    );
    expect(unlisted(files)).toEqual([]);
  });

  it('E1 a word that is missing is found', () => {
    const text = "const a = { reason: 'made-up' };\nnotice(d, 'lost', 'eaten', 1, 2);\n// reason: 'comment'";
    expect(unlisted([{ path: 'agent/a.ts', text }])).toHaveLength(2);
  });
});
