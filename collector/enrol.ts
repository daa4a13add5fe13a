/**
 * Enrolment: `POST /v1/enrol`. The use of the token, the agent, its log and both events are one transaction.
 *
 * N1  A token is useless after its use, its end or its revocation; late use is recognised for 90 days.
 * N2  Enrolment is idempotent per agent key: the same request gets the same answer and takes no second use.
 * V49 A token is useless from the day on which its agreement ends.
 * N3  Nothing is said of a token to someone who does not know its secret, and wrong secrets are few.
 */
import { timingSafeEqual } from 'node:crypto';
import { birthHash, verifyBirth } from '../protocol/birth.ts';
import { type EnrolAnswer, type EnrolRequest, enrolRequest } from '../protocol/enrolment.ts';
import { TilsynError } from '../protocol/errors.ts';
import type { AgentId, LogId, TokenId } from '../protocol/ids.ts';
import { publicText } from '../protocol/sign.ts';
import { MINUTE_MS, type UtcMs } from '../protocol/time.ts';
import { softwareOf } from './agents.ts';
import { boundsOf } from './bounds.ts';
import { Bucket, Buckets } from './bucket.ts';
import { cidrHolds, plainAddress } from './cidr.ts';
import { isOver } from './erasing/end-rules.ts';
import { wakeEraser } from './erasing/wake.ts';
import { supply } from './ingest/supply.ts';
import type { AgentRow, AgreementRow, LogRow, TokenRow, Tx } from './store/types.ts';
import { rangesOf, secretHash, TOKEN_MEMORY_MS, type TokenState, tokenState } from './tokens.ts';
import type { Context } from './types.ts';

/** Wrong secrets: ten at once from one address, then one in six seconds. */
const WRONG_SECRETS = { perSecond: 1 / 6, burst: 10 };
/** Late uses of one token that become events: one a minute. Refused they are all. */
const REUSES = { perSecond: 1000 / MINUTE_MS, burst: 1 };

export class Enroller {
  readonly #ctx: Context;
  readonly #wrong: Buckets;
  readonly #reuses: Buckets;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#wrong = new Buckets(() => new Bucket(ctx.clock, WRONG_SECRETS));
    this.#reuses = new Buckets(() => new Bucket(ctx.clock, REUSES));
  }

  /**
   * @param address of the peer; goes into sealed parts only
   * @throws TilsynError `enrol.*`, `token.*`, `agent.*`
   */
  async enrol(body: unknown, address: string): Promise<EnrolAnswer> {
    const request = readRequest(body);
    const token = await this.#token(request, address);
    const known = await this.#known(request);
    if (known !== null) return await this.#answer(sameAgain(known, request, token));
    await this.#checkToken(token, address);
    checkBirth(request, token);
    await supply(this.#ctx, token, this.#ctx.clock.now());
    const done = await this.#ctx.store.write((tx) => this.#commit(tx, request, token.token, address));
    if (typeof done === 'string') {
      await this.#recordReuse(token.token, address);
      throw ended(done);
    }
    this.#ctx.notify(await this.#ctx.store.read.lastPos());
    return await this.#answer(done);
  }

  /** The token, for someone who knows its secret; one error for every other case (N3). */
  async #token(request: EnrolRequest, address: string): Promise<TokenRow> {
    const { clock, store } = this.#ctx;
    const wrong = this.#wrong.of(plainAddress(address));
    if (!wrong.has()) throw tooMany(wrong.wait());
    const row = await store.read.tokens.get(request.token);
    const given = Buffer.from(secretHash(request.secret));
    const kept = Buffer.from(row?.secretHash ?? secretHash(''));
    const right = given.length === kept.length && timingSafeEqual(given, kept);
    const forgotten = row !== null && clock.now() >= row.expiresAt + TOKEN_MEMORY_MS;
    if (row !== null && right && !forgotten) return row;
    wrong.take();
    throw new TilsynError('token.unknown', 'enrolling: the collector knows no such token', {
      hint: 'Make a new one with `tilsyn token create`.',
      exit: 'forbidden',
    });
  }

  async #known(request: EnrolRequest): Promise<AgentRow | null> {
    const [row] = await this.#ctx.store.read.agents.list({ key: request.key });
    return row ?? null;
  }

  async #checkToken(token: TokenRow, address: string): Promise<void> {
    const state = tokenState(token, this.#ctx.clock.now());
    if (state !== 'open') {
      await this.#recordReuse(token.token, address);
      throw ended(state);
    }
    refuseOver(await this.#ctx.store.read.agreements.get(token.agreement), this.#ctx.clock.now());
    const range = (await rangesOf(this.#ctx, [token])).get(token.token);
    if (range !== undefined && !cidrHolds(range, address)) {
      throw new TilsynError('token.address', 'enrolling: the token is not for the network this host is in', {
        hint: 'Make a token with another --cidr, or enrol from inside that network.',
        exit: 'forbidden',
      });
    }
  }

  async #recordReuse(token: TokenId, address: string): Promise<void> {
    if (!this.#reuses.of(token).take()) return;
    const { own, store } = this.#ctx;
    await store.write((tx) =>
      own.append(tx, [
        {
          type: 'token.reused',
          data: { token, person: null },
          personal: { address: plainAddress(address) },
        },
      ]),
    );
    this.#ctx.notify(await store.read.lastPos());
  }

  // The commit point of an enrolment: before it nothing happened, after it the same request gets the same answer.
  async #commit(tx: Tx, request: EnrolRequest, id: TokenId, address: string): Promise<AgentRow | Ended> {
    const now = this.#ctx.clock.now();
    const token = await tx.tokens.get(id);
    if (token === null) return 'revoked';
    // The same request twice at once: its own first one may have taken the last use (N2).
    const [same] = await tx.agents.list({ key: request.key });
    if (same !== undefined) return sameAgain(same, request, token);
    // Two keys with one single-use token: the second one sees the first one's use here.
    const state = tokenState(token, now);
    if (state !== 'open') return state;
    const agreement = await tx.agreements.get(token.agreement);
    refuseOver(agreement, now);
    await refuseTakenIds(tx, request);
    const agent = newAgent(request, token, now, this.#ctx.generation());
    await tx.tokens.put([{ ...token, used: token.used + 1 }]);
    await tx.agents.put([agent]);
    await tx.putLogs([newLog(request, agent.agent, now)]);
    const personal = { address: plainAddress(address) };
    const data = { agent: agent.agent, token: id, reason: request.birth.reason };
    await this.#ctx.own.append(tx, [
      { type: 'token.used', data: { token: id, person: null }, personal },
      { type: 'agent.enrolled', data, personal },
    ]);
    // One that is to end has an order for each of its hosts.
    if (agreement?.endsAt != null) tx.afterCommit(() => wakeEraser(this.#ctx));
    return agent;
  }

  async #answer(row: AgentRow): Promise<EnrolAnswer> {
    const { name, identity, generation, groups, clock } = this.#ctx;
    await supply(this.#ctx, row, clock.now());
    return {
      name,
      identity: publicText(identity),
      generation: generation(),
      mode: row.mode,
      state: row.state === 'approved' ? 'approved' : 'waiting',
      groups: groups.forAgreement(row.agreement, clock.now()),
      bounds: await boundsOf(this.#ctx, row),
    };
  }
}

function readRequest(body: unknown): EnrolRequest {
  const parsed = enrolRequest.safeParse(body);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.') || 'body';
  throw new TilsynError('enrol.malformed', `enrolling: field ${field} is not as it must be`, {
    hint: 'Agent and collector may be of different versions; update the older one.',
    exit: 'usage',
  });
}

function tooMany(waitMs: number): TilsynError {
  return new TilsynError('enrol.too-many', 'enrolling: too many wrong tokens from this address', {
    hint: `Try again in ${Math.ceil(waitMs / 1000)} s.`,
    exit: 'forbidden',
    retryable: true,
  });
}

type Ended = Exclude<TokenState, 'open'>;

function ended(state: Ended): TilsynError {
  const why = { used: 'was used already', expired: 'has expired', revoked: 'was revoked' }[state];
  return new TilsynError(`token.${state}`, `enrolling: the token ${why}`, {
    hint: 'Make a new one with `tilsyn token create`.',
    exit: 'forbidden',
  });
}

function refuseOver(row: AgreementRow | null, now: UtcMs): void {
  if (row === null || !isOver(row, now)) return;
  throw new TilsynError('agreement.ended', 'enrolling: the agreement of this token has ended', {
    hint: 'Make a new one with `tilsyn agreement create`, and a token of it with `tilsyn token create`.',
    exit: 'forbidden',
  });
}

/** The agent of an earlier, equal request (N2). */
function sameAgain(row: AgentRow, request: EnrolRequest, token: TokenRow): AgentRow {
  if (row.agent !== request.birth.agent || row.token !== token.token) {
    throw new TilsynError('enrol.key-taken', 'enrolling: this key is enrolled already, by another request', {
      hint: 'Enrol with an empty state directory; each host makes a key of its own.',
      exit: 'conflict',
    });
  }
  if (row.state !== 'revoked') return row;
  throw new TilsynError('agent.revoked', 'enrolling: this host was revoked', {
    hint: 'Enrol it with an empty state directory and a new token.',
    exit: 'forbidden',
  });
}

function checkBirth(request: EnrolRequest, token: TokenRow): void {
  const { birth, key } = request;
  const ours = birth.agreement === token.agreement && birth.site === token.site;
  if (ours && birth.key === key && verifyBirth(birth)) return;
  throw new TilsynError('enrol.birth', 'enrolling: the birth record does not belong to this key and token', {
    hint: 'Run `tilsyn agent enrol` again with an empty state directory.',
    exit: 'usage',
  });
}

async function refuseTakenIds(tx: Tx, { birth }: EnrolRequest): Promise<void> {
  const agent = await tx.agents.get(birth.agent);
  const [log] = await tx.logs([birth.log as LogId]);
  if (agent === null && log === undefined) return;
  throw new TilsynError('enrol.id-taken', 'enrolling: the ids of this host are taken', {
    hint: 'Enrol with an empty state directory; each host makes ids of its own.',
    exit: 'conflict',
  });
}

function newAgent(
  request: EnrolRequest,
  token: TokenRow,
  now: AgentRow['enrolledAt'],
  generation: AgentRow['generation'],
): AgentRow {
  return {
    agent: request.birth.agent as AgentId,
    key: request.key,
    customer: token.customer,
    site: token.site,
    agreement: token.agreement,
    mode: token.mode,
    state: token.requireApproval ? 'waiting' : 'approved',
    token: token.token,
    enrolledAt: now,
    revokedAt: null,
    conflictAt: null,
    firstSeenAt: null,
    generation,
    lastSeenAt: null,
    readThrough: null,
    skewMs: null,
    backlog: null,
    software: softwareOf(request.software),
    namePos: null,
  };
}

function newLog(request: EnrolRequest, agent: AgentId, now: LogRow['createdAt']): LogRow {
  const { birth } = request;
  return {
    log: birth.log as LogId,
    agent,
    birth,
    through: 0,
    head: birthHash(birth),
    state: 'open',
    createdAt: now,
  };
}
