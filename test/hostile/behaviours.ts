/** What hostile agents do, one thing at a time, until their time is over. Each is expected to be counted. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { newId, toB64 } from '../../protocol/ids.ts';
import type { OffenceReason } from '../../protocol/words.ts';
import { type AgentDouble, DoubleLink } from '../support/agent-double.ts';

export interface Attack {
  address: string;
  ca: string;
  /** Enrolled, with keys of their own. */
  agents: readonly AgentDouble[];
  over(): boolean;
  /** Counts what was done, for the report. */
  did(what: string): void;
}

export interface Behaviour {
  name: string;
  agents: number;
  seconds: number;
  /** One of these is in the own log afterwards. */
  offences: readonly OffenceReason[];
  attack(attack: Attack): Promise<void>;
}

const TICK_MS = 10;
const MOST_OPEN = 3_000;

/** `act` over and over, so many times in a second, never more than some thousand at once. */
async function atRate(attack: Attack, perSecond: number, act: (n: number) => Promise<void>): Promise<void> {
  const began = performance.now();
  let [begun, open] = [0, 0];
  while (!attack.over()) {
    const due = ((performance.now() - began) / 1000) * perSecond;
    for (; begun < due; begun += 1) {
      if (open >= MOST_OPEN) continue;
      open += 1;
      act(begun)
        .catch(() => attack.did('failed'))
        .finally(() => {
          open -= 1;
        });
    }
    await sleep(TICK_MS);
  }
}

/** A connection of a real agent's name, with a signature that is none. */
async function badProof(attack: Attack, from: string): Promise<void> {
  const [agent] = attack.agents;
  if (agent === undefined) return;
  const link = await DoubleLink.open(attack.address, attack.ca, { from });
  link.send(agent.hello());
  const answer = await link.next('challenge', 'refuse', 'closed');
  attack.did(answer.t);
  if (answer.t === 'challenge') {
    link.send({ t: 'proof', sig: toB64(randomBytes(64)) });
    await link.closed();
  }
  link.ws.terminate();
}

/** Each agent: lets itself in and does `act` until it is thrown out, again and again. */
async function again(attack: Attack, act: (link: DoubleLink, agent: AgentDouble) => Promise<void>) {
  const one = async (agent: AgentDouble, index: number) => {
    agent.from = `127.8.0.${index + 1}`;
    while (!attack.over()) {
      try {
        const link = await agent.connect();
        attack.did('let in');
        await act(link, agent);
        link.ws.terminate();
      } catch {
        attack.did('kept out');
        await sleep(100);
      }
    }
  };
  await Promise.all(attack.agents.map(one));
}

const isOpen = (link: DoubleLink) => link.ws.readyState === WebSocket.OPEN;
/** Lets frames come in between, and does not fill the attacker's own memory. */
async function breathe(link: DoubleLink): Promise<void> {
  await sleep(link.ws.bufferedAmount > 4 * 1024 * 1024 ? 20 : 0);
}

const MIB = 'x'.repeat(1024 * 1024);

async function neverEnding(attack: Attack, link: DoubleLink): Promise<void> {
  link.ws.send('{"t":"status","body":{"x":"', { fin: false });
  while (isOpen(link) && !attack.over()) {
    link.ws.send('x'.repeat(16 * 1024), { fin: false });
    attack.did('piece');
    await sleep(20);
  }
}

export const BEHAVIOURS: readonly Behaviour[] = [
  {
    name: '500 handshakes a second with bad proofs, from one address',
    ...{ agents: 1, seconds: 10, offences: ['not-proven', 'too-many-connects'] },
    attack: (attack) => atRate(attack, 500, () => badProof(attack, '127.9.0.1')),
  },
  {
    name: '500 handshakes a second with bad proofs, from a hundred addresses',
    ...{ agents: 1, seconds: 10, offences: ['not-proven', 'too-many-connects'] },
    attack: (attack) => atRate(attack, 500, (n) => badProof(attack, `127.9.1.${1 + (n % 100)}`)),
  },
  {
    name: 'a flood of small frames and pings',
    ...{ agents: 4, seconds: 10, offences: ['flow-exceeded'] },
    attack: (attack) =>
      again(attack, async (link, agent) => {
        const { time } = agent.hello();
        while (isOpen(link) && !attack.over()) {
          for (let i = 0; i < 200; i += 1) {
            link.send({ t: 'beat', time, readThrough: null, next: 1, backlog: i });
            link.ws.ping();
          }
          attack.did('200 beats and pings');
          await breathe(link);
        }
      }),
  },
  {
    name: 'frames of 1 MiB and more',
    ...{ agents: 4, seconds: 10, offences: ['frame-too-large', 'frame-bad', 'flow-exceeded'] },
    attack: (attack) =>
      again(attack, async (link) => {
        const size = [MIB.length - 64, MIB.length + 64][Math.floor(Math.random() * 2)] ?? 0;
        while (isOpen(link) && !attack.over()) {
          link.text(`{"t":"status","body":{"x":"${MIB.slice(0, size - 40)}"}}`);
          attack.did('large frame');
          await breathe(link);
        }
      }),
  },
  {
    name: 'JSON that never ends, by 400 who have proven nothing and by 4 who have',
    ...{ agents: 4, seconds: 15, offences: ['unproven', 'frame-too-large'] },
    attack: async (attack) => {
      const posing = Array.from({ length: 400 }, async (_, i) => {
        await sleep(i * 5);
        while (!attack.over()) {
          try {
            const link = await DoubleLink.open(attack.address, attack.ca, {
              from: `127.8.1.${1 + (i % 10)}`,
            });
            await neverEnding(attack, link);
            link.ws.terminate();
          } catch {
            await sleep(500);
          }
        }
      });
      await Promise.all([...posing, again(attack, (link) => neverEnding(attack, link))]);
    },
  },
  {
    name: 'batches without regard to the credits',
    ...{ agents: 4, seconds: 10, offences: ['flow-exceeded'] },
    attack: (attack) =>
      again(attack, async (link, agent) => {
        const { chain } = agent;
        // Where the collector stands: what it threw away with the connection is sent again.
        let next = (link.welcome?.cursors[0]?.through ?? 0) + 1;
        while (isOpen(link) && !attack.over()) {
          while (chain.next < next + 500) chain.heartbeat();
          const texts = Array.from({ length: 500 }, (_, i) => chain.texts.get(next + i) ?? '');
          link.send(agent.batch(texts));
          next += 500;
          attack.did('500 events');
          await breathe(link);
        }
      }),
  },
  {
    name: 'slow readers',
    ...{ agents: 6, seconds: 75, offences: ['not-reading'] },
    attack: (attack) =>
      again(attack, async (link) => {
        const groups = Array.from({ length: 1024 }, () => newId<'group'>(randomBytes));
        // Not one byte of the answers is read any more.
        link.ws.pause();
        const raw = (link.ws as unknown as { _socket: { pause(): void } })._socket;
        raw.pause();
        while (isOpen(link) && !attack.over()) {
          link.send({ t: 'erase', groups });
          attack.did('36 KB to answer');
          await sleep(160);
          if (link.ws.bufferedAmount > 1024 * 1024) link.ws.terminate();
        }
      }),
  },
];
