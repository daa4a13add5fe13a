/** One one-off session as a double tells of it: a group and a key of its own, which lies nowhere else. */
import { randomBytes } from 'node:crypto';
import type { EventData } from '../../protocol/event.ts';
import type { AgentFrame, FrameOf, WireKey, WirePart } from '../../protocol/frame.ts';
import { type GroupId, newId, type SessionId, toB64 } from '../../protocol/ids.ts';
import { type Personal, sealPart } from '../../protocol/seal.ts';
import { toIso, utcMs } from '../../protocol/time.ts';
import { type AgentDouble, random } from './agent-double.ts';

type Batch = FrameOf<AgentFrame, 'batch'>;

export class OneOffDouble {
  readonly #of: AgentDouble;
  readonly group = newId<'group'>(random);
  readonly session: SessionId = newId<'session'>(random);
  readonly key = randomBytes(32);

  constructor(of: AgentDouble) {
    this.#of = of;
  }

  get handed(): WireKey {
    return { group: this.group, key: toB64(this.key) };
  }

  /** The group as the agent holds it, for its next `hello`. */
  hold(): void {
    const none = { from: null, to: null, key: null, sig: '' };
    const agreement = this.#of.token.agreement;
    this.#of.groups.push({ group: this.group, kind: 'oneoff', agreement, class: 'session', ...none });
  }

  /** Of its part: sealed for the next leaf of the log. */
  seal(p: Personal): { pii: { group: GroupId; c: string }[]; part: WirePart } {
    const { group } = this;
    const { log, next: seq } = this.#of.chain;
    const { c, body } = sealPart(this.key, { log, seq, group, under: group }, p, random);
    return { pii: [{ group, c }], part: { seq, group, wrap: null, body: toB64(body) } };
  }

  start(p: Personal, change: Partial<EventData<'session.started'>> = {}): { text: string; part: WirePart } {
    const { pii, part } = this.seal(p);
    const data: EventData<'session.started'> = {
      session: this.session,
      source: 'a'.repeat(32),
      tool: 'teamviewer',
      direction: 'incoming',
      mode: 'one-off',
      kind: 'remote-control',
      startedAt: toIso(utcMs(Date.now())),
      startBasis: 'file-utc',
      occurrence: 0,
      ...change,
    };
    return { text: this.#of.chain.add('session.started', data, pii).text, part };
  }

  update(p: Personal): { text: string; part: WirePart } {
    const { pii, part } = this.seal(p);
    const data: EventData<'session.updated'> = {
      session: this.session,
      auth: null,
      failedAttempts: null,
      files: null,
      confirmedBy: ['logfile'],
    };
    return { text: this.#of.chain.add('session.updated', data, pii).text, part };
  }

  end(): string {
    const data: EventData<'session.ended'> = {
      session: this.session,
      endedAt: toIso(utcMs(Date.now())),
      endBasis: 'file-utc',
      durationSeconds: 9,
      reason: 'completed',
    };
    return this.#of.chain.add('session.ended', data).text;
  }

  batch(said: readonly { text: string; part: WirePart }[], keys: readonly WireKey[] = [this.handed]): Batch {
    const texts = said.map(({ text }) => text);
    return { ...this.#of.batch(texts), parts: said.map(({ part }) => part), keys: [...keys] };
  }
}
