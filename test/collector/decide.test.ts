import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askedHashes, decide, type LogHead, readIncoming } from '../../collector/ingest/decide.ts';
import { signBirth } from '../../protocol/birth.ts';
import { leafHash } from '../../protocol/canonical.ts';
import { newId } from '../../protocol/ids.ts';
import { newSigningKey, publicText } from '../../protocol/sign.ts';
import { Chain, random } from '../support/agent-double.ts';

function newChain(): Chain {
  const key = newSigningKey();
  return new Chain(
    signBirth(key, {
      v: 1,
      log: newId(random),
      agent: newId(random),
      agreement: newId(random),
      site: newId(random),
      key: publicText(key),
      predecessor: null,
      reason: 'enrolled',
      at: '2026-11-22T08:00:00.000Z',
    }),
  );
}

/** A chain of `n` leaves of which the first `through` are stored. */
function standing(n: number, through: number, state: LogHead['state'] = 'open') {
  const chain = newChain();
  const birth = chain.head;
  const texts = chain.heartbeats(n);
  const hashOf = (seq: number) => (seq === 0 ? birth : leafHash(texts[seq - 1] ?? ''));
  const head: LogHead = { log: chain.log, through, head: hashOf(through), state };
  const stored = (seq: number) => (seq >= 1 && seq <= through ? hashOf(seq) : undefined);
  return { chain, texts, head, stored, hashOf };
}

const read = (texts: readonly string[]) => texts.map(readIncoming);

describe('decide', () => {
  it('I1, I2: any resend of a true chain ends where the chain ends, and stores each leaf once', () => {
    fc.assert(
      fc.property(fc.nat(30), fc.nat(30), fc.nat(30), fc.nat(30), (n, a, b, c) => {
        const size = n + 1;
        const [through, from, to] = [a % (size + 1), b % size, c % size];
        const { texts, head, stored, hashOf } = standing(size, through);
        const sent = texts.slice(Math.min(from, to, through), Math.max(from, to) + 1);
        const decision = decide(head, read(sent), stored);
        const last = Math.max(through, Math.min(from, to, through) + sent.length);
        expect(decision.offence).toBeNull();
        expect(decision.after).toEqual({ ...head, through: last, head: hashOf(last) });
        expect(decision.append.length + decision.duplicates.length).toBe(sent.length);
        expect(decision.append.map(({ leaf }) => leaf.seq)).toEqual(
          Array.from({ length: last - through }, (_, i) => through + 1 + i),
        );
      }),
    );
  });

  it('I3, I4, I5, I7: whatever is changed at one place, what stands before it is kept and nothing after it', () => {
    const change = fc.constantFrom('bytes', 'hole', 'prev', 'log', 'text', 'swap');
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 12 }), fc.nat(11), fc.nat(11), change, (size, at, t, what) => {
        const through = t % size;
        const place = 1 + (at % (size - 2));
        const { chain, texts, head, stored } = standing(size, through);
        const original = JSON.parse(texts[place] ?? '') as Record<string, unknown>;
        const sent = [...texts];
        if (what === 'bytes') sent[place] = chain.raw({ ...original, up: 77_777 });
        if (what === 'prev') sent[place] = chain.raw({ ...original, prev: 'A'.repeat(43) });
        if (what === 'log') sent[place] = chain.raw({ ...original, log: 'f'.repeat(32) });
        if (what === 'text') sent[place] = `${texts[place]}\n`;
        if (what === 'hole') sent.splice(place, 1);
        if (what === 'swap') [sent[place], sent[place + 1]] = [texts[place + 1] ?? '', texts[place] ?? ''];
        const decision = decide(head, read(sent), stored);
        const taken = decision.append.length + decision.duplicates.length;
        const kind = decision.offence?.kind;
        if (what === 'bytes' && place + 1 > through) {
          // Right in itself; the next one does not follow from it.
          expect([taken, kind]).toEqual([place + 1, 'quarantine']);
          return;
        }
        expect(taken).toBe(place);
        const isTaken = place + 1 <= through;
        if (what === 'hole' || what === 'swap') expect(kind).toBe('hole');
        else if (what === 'log' || what === 'text') expect(kind).toBe('quarantine');
        else expect(kind).toBe(isTaken ? 'fork' : 'quarantine');
        expect(decision.after.through).toBe(Math.max(through, place));
        expect(decision.after.state).toBe(
          kind === 'hole' ? 'open' : kind === 'fork' ? 'frozen' : 'quarantined',
        );
      }),
    );
  });

  it('I6: a log that is not open takes nothing new and stays what it is; duplicates are acked', () => {
    const states = fc.constantFrom<LogHead['state']>('closed', 'frozen', 'quarantined');
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(9), states, (size, t, state) => {
        const through = t % (size + 1);
        const { texts, head, stored } = standing(size, through, state);
        const decision = decide(head, read(texts), stored);
        expect(decision.append).toEqual([]);
        expect(decision.duplicates.length).toBe(through);
        expect(decision.offence?.kind ?? null).toBe(through < size ? 'not-open' : null);
        expect(decision.after).toEqual(head);
      }),
    );
  });

  it('I3: a fork of a log that takes nothing new is kept and freezes it; of a frozen one there is nothing more', () => {
    for (const state of ['closed', 'quarantined', 'frozen'] as const) {
      const { texts, head } = standing(3, 3, state);
      const decision = decide(head, read(texts), () => Buffer.alloc(32));
      expect(decision.offence?.kind, state).toBe(state === 'frozen' ? 'not-open' : 'fork');
      expect(decision.after).toEqual({ ...head, state: 'frozen' });
    }
  });

  it('I4: a hole before the batch ends it at once', () => {
    const { texts, head, stored } = standing(9, 2);
    expect(decide(head, read(texts.slice(3)), stored)).toMatchObject({
      append: [],
      offence: { kind: 'hole' },
    });
  });

  it('asks for the hashes of taken numbers only, and never for more than there are leaves', () => {
    const { texts, head } = standing(9, 6);
    expect(askedHashes(head, read(texts.slice(7)))).toBeNull();
    expect(askedHashes(head, read(texts.slice(3)))).toEqual({ from: 4, to: 6 });
    expect(askedHashes(head, read(texts.slice(0, 2)))).toEqual({ from: 1, to: 2 });
    expect(askedHashes(head, read(['x']))).toBeNull();
  });

  it('never throws and never moves a log on for text that is no leaf', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.json()), { minLength: 1, maxLength: 5 }), (texts) => {
        const { head, stored } = standing(3, 1);
        const decision = decide(head, read(texts), stored);
        expect(decision.append).toEqual([]);
        expect(decision.after).toMatchObject({ through: 1, state: 'quarantined' });
      }),
    );
  });
});
