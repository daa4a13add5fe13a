/** HTTP routes for agents: the CA to be pinned, enrolment, and whether anybody is there. */
import type { FastifyInstance } from 'fastify';
import { codeOf, type ExitName, TilsynError } from '../protocol/errors.ts';
import type { Enroller } from './enrol.ts';
import type { Context } from './types.ts';

const STATUS: Partial<Record<ExitName, number>> = {
  usage: 400,
  signedOut: 401,
  forbidden: 403,
  notFound: 404,
  conflict: 409,
};

function statusOf(error: TilsynError): number {
  if (error.code === 'enrol.too-many') return 429;
  return STATUS[error.exit] ?? 500;
}

/** What leaves for an error that is not ours: its code goes to the log, nothing of it to the other side. */
function asOurs(ctx: Context, error: unknown): TilsynError {
  if (error instanceof TilsynError) return error;
  const status =
    typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : 500;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new TilsynError('request.malformed', 'reading a request: it is not JSON, or too large', {
      exit: 'usage',
    });
  }
  ctx.log.error({ code: codeOf(error) }, 'routes: a request failed');
  return new TilsynError('collector.failed', 'answering a request: the collector could not', {
    hint: 'See the log of the collector.',
  });
}

export function agentRoutes(app: FastifyInstance, ctx: Context, enroller: Enroller): void {
  app.register(async (scope) => {
    scope.setErrorHandler((thrown, _request, reply) => {
      const error = asOurs(ctx, thrown);
      if (error.code === 'enrol.too-many') reply.header('retry-after', '60');
      return reply.code(statusOf(error)).send(error.toJSON());
    });
    scope.addHook('onSend', async (_request, reply) => {
      reply.header('cache-control', 'no-store');
    });
    scope.get('/v1/health', async () => ({ status: 'ok', name: ctx.name }));
    scope.get('/v1/ca', async (_request, reply) => {
      if (ctx.caPem !== null) return reply.type('application/x-pem-file').send(ctx.caPem);
      throw new TilsynError('ca.none', 'reading the CA: this collector uses a certificate of its operator', {
        hint: 'Trust the roots of the system.',
        exit: 'notFound',
      });
    });
    scope.post('/v1/enrol', async (request) => await enroller.enrol(request.body, request.ip));
  });
}
