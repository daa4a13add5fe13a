/** What every route shares: who asks, what they may, and how an error leaves. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { codeOf, type ExitName, TilsynError } from '../../protocol/errors.ts';
import { id, iso } from '../../protocol/group.ts';
import type { Auth, Caller } from '../auth.ts';
import { plainAddress } from '../cidr.ts';
import type { Verb } from '../permissions.ts';
import type { Context } from '../types.ts';
import { readInput } from './input.ts';
import type { Tails } from './tail.ts';

export interface Room {
  app: FastifyInstance;
  ctx: Context;
  auth: Auth;
  tails: Tails;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What of the table of permissions a route asks for; null: it is open to everybody (Q11). */
    verb?: Verb | null;
  }
}

/** Rows in one answer, unless `limit` says otherwise, and at most. */
export const DEFAULT_LIMIT = 1000;
export const MAX_LIMIT = 10_000;

const text = z.string().min(1).max(256);
export const field = {
  id,
  text,
  iso,
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT),
  after: z.string().max(128).optional(),
  flag: z
    .enum(['0', '1', 'false', 'true'])
    .transform((value) => value === '1' || value === 'true')
    .optional(),
  /** Given once or several times. */
  many: z.union([text.transform((one) => [one]), z.array(text).max(64)]).optional(),
  since: iso.optional(),
  until: iso.optional(),
  dryRun: z.boolean().default(false),
  reason: z.string().max(512).nullable().default(null),
} as const;

type Ask<Q, P> = { caller: Caller; input: Q; params: P; request: FastifyRequest; reply: FastifyReply };
type Handler<Q, P> = (ask: Ask<Q, P>) => Promise<unknown>;

interface Route<S extends z.ZodType, P> {
  method: 'GET' | 'POST';
  path: string;
  verb: Verb;
  /** Query of a GET, body of a POST; unknown keys are refused. */
  input: S;
  handle: Handler<z.infer<S>, P>;
}

/** One route: sign-in, permission (Q11, Q13) and input are checked, in this order, before the handler runs. */
export function route<S extends z.ZodType, P = Record<string, string>>(room: Room, r: Route<S, P>): void {
  room.app.route({
    method: r.method,
    url: r.path,
    config: { verb: r.verb },
    handler: async (request, reply) => {
      const caller = await room.auth.signIn(request.headers.authorization, plainAddress(request.ip));
      await room.auth.permit(caller, r.verb);
      const input = readInput(r.input, (r.method === 'GET' ? request.query : request.body) ?? {});
      return r.handle({ caller, input, params: request.params as P, request, reply });
    },
  });
}

const STATUS: Readonly<Record<ExitName, number>> = {
  done: 200,
  failed: 500,
  usage: 400,
  notFound: 404,
  signedOut: 401,
  forbidden: 403,
  findings: 409,
  conflict: 409,
  integrity: 500,
  unreachable: 503,
  partly: 500,
  timeout: 504,
  interrupted: 503,
};

/** Body of an error: the contract's three fields, and the exit code by name for the command line. */
export function errorBody(error: TilsynError) {
  return { error: { ...error.toJSON().error, exit: error.exit } };
}

export function statusOf(error: TilsynError): number {
  return error.retryable ? 503 : STATUS[error.exit];
}

/** Any thrown thing as ours. What is not ours is logged by its code and leaves as `server.failed`. */
export function asTilsynError(ctx: Context, error: unknown): TilsynError {
  if (error instanceof TilsynError) return error;
  const status =
    typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : 500;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new TilsynError('request.invalid', 'reading the request: it is not JSON, or too large', {
      exit: 'usage',
    });
  }
  ctx.log.error({ code: codeOf(error) }, 'a request failed');
  return new TilsynError('server.failed', 'answering a request: the collector failed', {
    hint: 'Look at the collector log for the line with this time.',
  });
}
