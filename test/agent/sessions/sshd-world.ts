/** Lines of sshd's log, and a chain that reads them into a real journal; turns are driven by hand. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { silentLog } from '../../../agent/log.ts';
import type { PumpChain } from '../../../agent/pump-chain.ts';
import { chainOf, type Tool } from '../../../agent/sessions/chains.ts';
import type { Known } from '../../../agent/sources/change.ts';
import { makeSshdReader } from '../../../agent/sources/sshd.ts';
import { toIso, type UtcMs, utcMs } from '../../../protocol/time.ts';
import { group, LIMITS, type TestGroup, type World, world } from '../support.ts';

export const ENROLLED = utcMs(Date.UTC(2026, 10, 1));
const HOST = 'srv-01';

export const stamp = (at: number) => toIso(utcMs(at)).replace('Z', '+00:00');
const line = (at: number, pid: number, text: string) => `${stamp(at)} ${HOST} sshd[${pid}]: ${text}\n`;

export const login = (at: number, pid: number, user = 'ops', ip = '203.0.113.7') =>
  line(at, pid, `Accepted password for ${user} from ${ip} port ${40_000 + (pid % 20_000)} ssh2`) +
  line(at, pid, `pam_unix(sshd:session): session opened for user ${user}(uid=1000) by (uid=0)`);
export const logout = (at: number, pid: number, user = 'ops') =>
  line(at, pid, `pam_unix(sshd:session): session closed for user ${user}`);
export const failed = (at: number, pid: number, user = 'root', ip = '198.51.100.9') =>
  line(at, pid, `Failed password for ${user} from ${ip} port ${40_000 + (pid % 20_000)} ssh2`);
export const noise = (at: number) => `${stamp(at)} ${HOST} cron[77]: (root) CMD (true)\n`;

export interface SshdRig {
  w: World;
  path: string;
  late: TestGroup;
  chain: PumpChain;
  write(text: string): void;
  drain(): Promise<void>;
  /** Stops without a word and starts again on what is stored. */
  restart(): Promise<void>;
  events(): { type: string; seq: number; data: Record<string, unknown>; pii: unknown[] }[];
  ofType(type: string): Record<string, unknown>[];
}

export interface SshdRigOptions {
  content?: string;
  startFrom?: 'now' | 'beginning';
  matches?: (known: Known) => boolean;
  /** What ended before it belongs to an earlier agreement. */
  readFrom?: () => UtcMs | null;
}

export function sshdRig(o: SshdRigOptions = {}): SshdRig {
  const w = world();
  const path = join(dirname(w.dir), 'auth.log');
  writeFileSync(path, o.content ?? '');
  const late = group('late');
  w.journal.addGroups([late.signed]);
  const make = (): PumpChain => {
    const { journal, clock, options } = rig.w;
    const source = journal.sourceId(`sshd\0${path}`);
    const tool: Tool = {
      ...{ type: 'sshd', startFrom: o.startFrom ?? 'beginning', matches: o.matches ?? null, rows: [] },
      logs: [{ source, path, word: 'logfile', reader: makeSshdReader }],
    };
    return chainOf(
      {
        ...{ journal, clock, log: silentLog, random: randomBytes, mode: 'managed', enrolledAt: ENROLLED },
        ...{
          digestKey: options.digestKey,
          machine: { zone: 'UTC', ownIps: [], uptimeMs: () => 1e12 },
          found() {},
          readFrom: o.readFrom,
        },
      },
      tool,
    );
  };
  const rig: SshdRig = {
    ...{ w, path, late },
    chain: undefined as unknown as PumpChain,
    write: (text) => appendFileSync(path, text),
    async drain() {
      while ((await rig.chain.turn()) === 'more');
    },
    async restart() {
      await rig.chain.stop();
      rig.w = rig.w.reopen();
      rig.chain = make();
    },
    events() {
      const log = rig.w.journal.logs().find(({ open }) => open)?.log;
      const events = [];
      if (log === undefined) return [];
      for (let out = rig.w.journal.outgoing(log, 0, LIMITS); out !== null; ) {
        events.push(...out.events.map((text) => JSON.parse(text)));
        out = rig.w.journal.outgoing(log, out.lastSeq, LIMITS);
      }
      return events;
    },
    ofType: (type) => rig.events().flatMap((event) => (event.type === type ? [event.data] : [])),
  };
  rig.chain = make();
  return rig;
}

export const at = (iso: string): UtcMs => utcMs(Date.parse(iso));
