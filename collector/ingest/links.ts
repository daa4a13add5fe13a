/**
 * The registry of proven sockets: at most one per agent. A socket is entered before the rows of its agent are
 * read for the last time, so that a revocation that commits in between finds it here.
 */
import type { CloseName } from '../../protocol/close-code.ts';
import type { CollectorFrame } from '../../protocol/frame.ts';
import type { AgentId, AgreementId } from '../../protocol/ids.ts';
import type { Links, Refusal } from '../types.ts';

/** One proven socket. */
export interface LiveLink {
  readonly agent: AgentId;
  readonly agreement: AgreementId;
  readonly instance: string;
  /** True once `welcome` was sent. */
  readonly live: boolean;
  send(frame: CollectorFrame): void;
  /** Sends `refuse` where there is one, then closes. Later calls do nothing. */
  end(name: CloseName, refusal: Refusal | null): void;
  /** Commands were issued: sends what was not sent yet, in order. */
  nudge(): void;
  /** Key groups may have changed: sends what is new. */
  refresh(): void;
  /** Pings; true where a pong came within `ms`, false where none did or the socket closed. */
  answers(ms: number): Promise<boolean>;
}

export class LinkRegistry implements Links {
  readonly #links = new Map<AgentId, LiveLink>();

  isLive(agent: AgentId): boolean {
    return this.#links.get(agent)?.live ?? false;
  }

  send(agent: AgentId, frame: CollectorFrame): boolean {
    const link = this.#links.get(agent);
    if (link === undefined || !link.live) return false;
    link.send(frame);
    return true;
  }

  nudge(agent: AgentId): void {
    const link = this.#links.get(agent);
    if (link?.live) link.nudge();
  }

  close(agent: AgentId, name: CloseName, refusal: Refusal | null): void {
    this.#links.get(agent)?.end(name, refusal);
  }

  closeAll(name: CloseName, refusal: Refusal | null): void {
    for (const link of [...this.#links.values()]) link.end(name, refusal);
  }

  of(agent: AgentId): LiveLink | undefined {
    return this.#links.get(agent);
  }

  all(): LiveLink[] {
    return [...this.#links.values()];
  }

  /** New key groups for everybody: a month has begun. */
  refreshAll(): void {
    for (const link of this.all()) if (link.live) link.refresh();
  }

  /** Key groups of these agreements died. */
  refreshOf(agreements: ReadonlySet<AgreementId | null>): void {
    for (const link of this.all()) if (link.live && agreements.has(link.agreement)) link.refresh();
  }

  /** The caller has ended the one before. */
  enter(link: LiveLink): void {
    this.#links.set(link.agent, link);
  }

  leave(link: LiveLink): void {
    if (this.#links.get(link.agent) === link) this.#links.delete(link.agent);
  }
}
