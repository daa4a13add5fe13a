/** What every store must do, whatever stands behind it. The laws are in `collector/store/types.ts`, `scan.ts` and `watching.ts`. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { LeafQuery } from '../../collector/store/types.ts';
import type { LogId } from '../../protocol/ids.ts';
import { type Open, on } from './store-open.ts';
import { registryContract } from './store-registry.ts';
import { at, group, leaf, log, logRow, NEW, part, put, wrap } from './store-rows.ts';
import { sessionContract } from './store-sessions.ts';

export function storeContract(name: string, open: Open): void {
  describe(`${name}: the contract of a store`, () => {
    transactions(open);
    leaves(open);
    sealed(open);
    registryContract(open);
    sessionContract(open);
  });
}

function transactions(open: Open): void {
  it(
    'K1 keeps what write resolved for, after it is opened again',
    on(open, async (store, reopen) => {
      await store.write((tx) => tx.setMeta('name', 'tilsyn.example'));
      const again = await reopen();
      expect(await again.read.meta('name')).toBe('tilsyn.example');
      expect(await again.read.meta('nothing')).toBeNull();
    }),
  );

  it(
    'S3 settles after the writes that were asked for before it, and goes on taking writes',
    on(open, async (store) => {
      const before = store.write((tx) => tx.setMeta('name', 'before'));
      const settled = store.settle();
      const after = store.write((tx) => tx.setMeta('more', 'after'));
      expect(await settled).toBe(true);
      await Promise.all([before, after]);
      expect([await store.read.meta('name'), await store.read.meta('more')]).toEqual(['before', 'after']);
      expect(await store.settle()).toBe(true);
    }),
  );

  it(
    'K2 runs writes one at a time, in the order of the calls',
    on(open, async (store) => {
      const seen: string[] = [];
      const slow = async (word: string) => {
        seen.push(`${word} in`);
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(`${word} out`);
      };
      await Promise.all(['a', 'b', 'c'].map((word) => store.write(() => slow(word))));
      expect(seen).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
    }),
  );

  it(
    'K2 shows a transaction its own changes, and readers only what was committed',
    on(open, async (store) => {
      await store.write(async (tx) => {
        await tx.setMeta('name', 'inside');
        await tx.putLogs([logRow()]);
        expect(await tx.meta('name')).toBe('inside');
        expect(await tx.logs([log])).toHaveLength(1);
        expect(await store.read.meta('name')).toBeNull();
        expect(await store.read.logs([log])).toEqual([]);
      });
      expect(await store.read.meta('name')).toBe('inside');
      expect(await store.read.logs([log])).toEqual([logRow()]);
    }),
  );

  it(
    'K3 leaves nothing of a write that throws, and goes on after it',
    on(open, async (store) => {
      const other = randomBytes(16).toString('hex') as LogId;
      const failing = store.write(async (tx) => {
        await tx.putLogs([logRow(), logRow({ log: other })]);
        await tx.appendLeaves([leaf(1), leaf(1, other)]);
        throw new Error('on purpose');
      });
      await expect(failing).rejects.toThrow('on purpose');
      expect(await store.read.lastPos()).toBe(0);
      // The row of `other` was the second then and is the first now: nothing may remember the old number.
      await store.write(async (tx) => {
        await tx.putLogs([logRow({ log: other })]);
        await tx.appendLeaves([leaf(1, other)]);
        await tx.putLogs([logRow()]);
        await tx.appendLeaves([leaf(1)]);
      });
      expect((await store.read.leaves({ limit: 10 })).map((row) => row.log)).toEqual([other, log]);
    }),
  );

  it(
    'K3 calls back after a commit only, once what was stored can be read',
    on(open, async (store) => {
      const calls: string[] = [];
      await expect(
        store.write(async (tx) => {
          tx.afterCommit(() => calls.push('rolled back'));
          throw new Error('on purpose');
        }),
      ).rejects.toThrow();
      await store.write(async (tx) => {
        tx.afterCommit(() => calls.push('first'));
        tx.afterCommit(() => calls.push('second'));
      });
      expect(calls).toEqual(['first', 'second']);
    }),
  );

  it(
    'K3 undoes an attempt that throws, and only that',
    on(open, async (store) => {
      await store.write(async (tx) => {
        await tx.setMeta('name', 'before');
        const failing = tx.attempt(async () => {
          await tx.setMeta('name', 'inside');
          await tx.attempt(() => tx.setMeta('kept', 'not this either'));
          throw new Error('on purpose');
        });
        await expect(failing).rejects.toThrow('on purpose');
        expect(await tx.attempt(() => tx.meta('name'))).toBe('before');
        await tx.attempt(() => tx.setMeta('policy', 'after'));
      });
      const said = await Promise.all(['name', 'kept', 'policy'].map((key) => store.read.meta(key)));
      expect(said).toEqual(['before', null, 'after']);
    }),
  );

  it(
    'K3 refuses a transaction that is over',
    on(open, async (store) => {
      const tx = await store.write(async (inside) => inside);
      await expect(tx.setMeta('name', 'late')).rejects.toMatchObject({ code: 'store.transaction-over' });
      await expect(tx.agents.put([])).rejects.toMatchObject({ code: 'store.transaction-over' });
    }),
  );
}

function leaves(open: Open): void {
  it(
    'K4 refuses a second leaf of one log and seq, with everything beside it',
    on(open, async (store) => {
      await put(store, [1, 2]);
      const twice = store.write((tx) => tx.appendLeaves([leaf(3), leaf(2)]));
      await expect(twice).rejects.toMatchObject({ code: 'store.duplicate-leaf' });
      expect(await store.read.lastPos()).toBe(2);
    }),
  );

  it(
    'K4 gives positions that grow, also after a rollback and a restart',
    on(open, async (store, reopen) => {
      expect(await put(store, [1, 2])).toEqual([1, 2]);
      await expect(store.write((tx) => tx.appendLeaves([leaf(3), leaf(3)]))).rejects.toThrow();
      const again = await reopen();
      expect(await again.write((tx) => tx.appendLeaves([leaf(3)]))).toEqual([3]);
      expect(await again.read.lastPos()).toBe(3);
    }),
  );

  it(
    'gives leaves back byte for byte, by position, by log and by what they say',
    on(open, async (store) => {
      await put(store, [1, 2, 3, 4]);
      const rows = [1, 2, 3, 4].map((seq) => ({ ...leaf(seq), pos: seq }));
      const read = store.read;
      expect(await read.leaves({ limit: 10 })).toEqual(rows);
      expect(await read.leaves({ after: 1, limit: 2 })).toEqual(rows.slice(1, 3));
      expect(await read.leaves({ types: ['session.ended'], limit: 9 })).toEqual([rows[1], rows[3]]);
      expect(await read.leaves({ since: at(102), until: at(104), limit: 9 })).toEqual([rows[1], rows[2]]);
      expect(await read.leaves({ logs: [NEW.log()], limit: 9 })).toEqual([]);
      expect(await read.leaves({ logs: [log], types: [], limit: 9 })).toEqual([]);
      expect(await read.leavesAt([4, 2, 99])).toEqual([rows[1], rows[3]]);
      expect(await read.leavesOf(log, 2, 3)).toEqual(rows.slice(1, 3));
      expect(await read.leavesOf(NEW.log(), 1, 9)).toEqual([]);
      expect(await read.counts()).toEqual({ leaves: 4, sessions: 0, parts: 0, forks: 0 });
    }),
  );

  it(
    'K8 lets others go on while it looks for leaves that are few, and finds them all',
    on(open, async (store) => {
      const many = Array.from({ length: 25_000 }, (_, i) => ({ ...leaf(i + 1), type: 'agent.heartbeat' }));
      // A clock that was set back: the latest by time is not the last by position.
      const odd = [2, 12_000, 24_999].map((i) => ({
        ...many[i]!,
        type: 'token.reused',
        receivedAt: at(90_000 - i),
      }));
      for (const one of odd) many[one.seq - 1] = one;
      await store.write(async (tx) => {
        await tx.putLogs([logRow()]);
        await tx.appendLeaves(many);
      });
      let turns = 0;
      let counting = true;
      const count = () => {
        turns += 1;
        if (counting) setImmediate(count);
      };
      setImmediate(count);
      const seqs = async (query: Partial<LeafQuery>) =>
        (await store.read.leaves({ limit: 9, ...query })).map(({ seq }) => seq);
      expect(await seqs({ types: ['token.reused'] })).toEqual([3, 12_001, 25_000]);
      expect(turns).toBeGreaterThanOrEqual(2);
      expect(await seqs({ types: ['no.such'] })).toEqual([]);
      expect(await seqs({ since: at(60_000) })).toEqual([3, 12_001, 25_000]);
      expect(await seqs({ since: at(60_000), limit: 2, after: 5 })).toEqual([12_001, 25_000]);
      expect(await seqs({ since: at(99_000) })).toEqual([]);
      expect(await seqs({ until: at(0), logs: [log] })).toEqual([]);
      counting = false;
    }),
  );

  it(
    'moves cursors, changes logs in place and lists them oldest first',
    on(open, async (store) => {
      const [agent, second] = [NEW.agent(), NEW.log()];
      await store.write(async (tx) => {
        await tx.putLogs([logRow({ agent }), logRow({ log: second, agent })]);
        await tx.setHeads([{ log, through: 7, head: Buffer.alloc(32, 7) }]);
        await tx.putLogs([logRow({ log: second, agent, state: 'closed' })]);
      });
      const [one, two] = await store.read.logsOf(agent);
      expect(one).toEqual(logRow({ agent, through: 7, head: Buffer.alloc(32, 7) }));
      expect(two?.state).toBe('closed');
      expect(await store.read.logsOf(null)).toEqual([]);
    }),
  );

  it(
    'B2 gives and counts logs without reading what their births say',
    on(open, async (store) => {
      const [agent, second] = [NEW.agent(), NEW.log()];
      const birth = { ...logRow().birth, agreement: 'a'.repeat(32), site: 'b'.repeat(32) };
      await store.write((tx) => tx.putLogs([logRow({ agent }), logRow({ log: second, agent, birth })]));
      const { birth: _one, ...one } = logRow({ agent });
      const { birth: _two, ...two } = logRow({ log: second, agent });
      const rows = [
        { ...one, agreement: null, site: null },
        { ...two, agreement: 'a'.repeat(32), site: 'b'.repeat(32) },
      ];
      expect(await store.read.logStatesOf([agent, NEW.agent()])).toEqual(rows);
      expect(await store.read.logStates([second, NEW.log(), log])).toEqual([rows[1], rows[0]]);
      expect(await store.read.countLogs(agent)).toBe(2);
      expect(await store.read.countLogs(NEW.agent())).toBe(0);
    }),
  );

  it(
    'refuses to store under a log, group or wrap that has no row',
    on(open, async (store) => {
      const stray = (over: Parameters<typeof part>[1]) => store.write((tx) => tx.addParts([part(1, over)]));
      const nowhere = store.write((tx) => tx.appendLeaves([leaf(1, NEW.log())]));
      await expect(nowhere).rejects.toMatchObject({ code: 'store.unknown-log' });
      await put(store, [1]);
      await expect(stray({ wrap: null })).rejects.toMatchObject({ code: 'store.unknown-group' });
      await expect(stray({})).rejects.toMatchObject({ code: 'store.unknown-wrap' });
    }),
  );

  it(
    'keeps forks, each once',
    on(open, async (store) => {
      await put(store, [1]);
      const fork = { log, seq: 1, hash: Buffer.alloc(32, 9), bytes: '{"other":1}', receivedAt: at(5) };
      await store.write((tx) => tx.addForks([fork, fork]));
      expect(await store.read.forks()).toEqual([fork]);
      expect(await store.read.forks(log)).toEqual([fork]);
      expect(await store.read.forks(NEW.log())).toEqual([]);
    }),
  );
}

function sealed(open: Open): void {
  it(
    'keeps the first part and wrap of their kind, and drops parts by place',
    on(open, async (store) => {
      await put(store, [1, 2], [group]);
      await store.write(async (tx) => {
        await tx.addWraps([wrap(), { ...wrap(), body: Buffer.from('another') }]);
        await tx.addParts([part(1), part(1, { body: Buffer.from('another') }), part(2, { wrap: null })]);
      });
      expect(await store.read.wraps([wrap().wrap, NEW.wrap()])).toEqual([wrap()]);
      expect(await store.read.parts([2, 1, 99])).toEqual([part(1), part(2, { wrap: null })]);
      await store.write((tx) => tx.dropParts([{ pos: 1, group }]));
      expect(await store.read.parts([1, 2])).toEqual([part(2, { wrap: null })]);
    }),
  );

  it(
    'deletes what lies under a group now, not what the leaf named',
    on(open, async (store) => {
      const other = NEW.group();
      await put(store, [1, 2], [group, other]);
      const origin = { group, origin: Buffer.alloc(32, 3), session: NEW.session() };
      await store.write(async (tx) => {
        await tx.addWraps([wrap()]);
        await tx.addParts([part(1), part(2, { under: other, wrap: null })]);
        await tx.putOrigins([origin]);
      });
      expect(await store.write((tx) => tx.dropGroups([group]))).toBe(1);
      expect(await store.read.parts([1, 2])).toEqual([part(2, { under: other, wrap: null })]);
      expect(await store.read.wraps([wrap().wrap])).toEqual([]);
      expect(await store.read.origins(group, [origin.origin])).toEqual([]);
    }),
  );

  it(
    'remembers what was erased alone, and says which sessions have an origin',
    on(open, async (store) => {
      await put(store, [1, 2], [group]);
      const row = { group, origin: Buffer.alloc(32, 3), session: NEW.session() };
      await store.write(async (tx) => {
        await tx.addParts([part(1, { wrap: null }), part(2, { wrap: null })]);
        await tx.entomb([{ pos: 1, group }]);
        await tx.entomb([{ pos: 1, group }]);
        await tx.putOrigins([row]);
      });
      expect(await store.read.parts([1, 2])).toEqual([part(2, { wrap: null })]);
      expect(await store.read.tombstones([1, 2])).toEqual([{ pos: 1, group }]);
      expect(await store.read.withOrigin([row.session, NEW.session()])).toEqual([row.session]);
      expect(await store.read.originCounts([row.session, NEW.session()])).toEqual(
        new Map([[row.session, 1]]),
      );
    }),
  );

  it(
    'finds origins of one group only, and puts replace',
    on(open, async (store) => {
      const other = NEW.group();
      await put(store, [], [group, other]);
      const row = { group, origin: Buffer.alloc(32, 3), session: NEW.session() };
      const later = { ...row, session: NEW.session() };
      await store.write((tx) => tx.putOrigins([row]));
      await store.write((tx) => tx.putOrigins([later]));
      expect(await store.read.origins(group, [row.origin, Buffer.alloc(32, 4)])).toEqual([later]);
      expect(await store.read.origins(other, [row.origin])).toEqual([]);
      expect(await store.read.origins(NEW.group(), [row.origin])).toEqual([]);
    }),
  );
}
