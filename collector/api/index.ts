/**
 * The API that people use, `/v1/…`: one file per noun. Every answer is made for the person who asks, and every
 * reading of personal data is recorded before it leaves (Q1).
 */
import type { FastifyInstance } from 'fastify';
import { TilsynError } from '../../protocol/errors.ts';
import { makeAuth } from '../auth.ts';
import type { Context } from '../types.ts';
import { agreementEndRoutes } from './agreement-ends.ts';
import { agreementShowRoutes } from './agreement-show.ts';
import { agreementRoutes } from './agreements.ts';
import { alertRoutes } from './alerts.ts';
import { approvalRoutes } from './approvals.ts';
import { auditRoutes } from './audits.ts';
import { cameraRoutes } from './cameras.ts';
import { coverageRoutes } from './coverage.ts';
import { erasureRoutes } from './erasures.ts';
import { eventRoutes } from './events.ts';
import { holdRoutes } from './holds.ts';
import { hostRoutes } from './hosts.ts';
import { identityRoutes } from './identities.ts';
import { peopleRoutes } from './people.ts';
import { recordingRoutes } from './recordings.ts';
import { recordingFleetRoutes } from './recordings-fleet.ts';
import { retentionRoutes } from './retention.ts';
import { asTilsynError, errorBody, type Room, statusOf } from './room.ts';
import { sessionActRoutes } from './session-acts.ts';
import { sessionRoutes } from './sessions.ts';
import { makeTails } from './tail.ts';
import { telemetryRoutes } from './telemetry.ts';
import { ticketRoutes } from './tickets.ts';
import { tokenRoutes } from './tokens.ts';
import { webhookRoutes } from './webhooks.ts';

const NOUNS = [
  peopleRoutes,
  sessionRoutes,
  eventRoutes,
  hostRoutes,
  tokenRoutes,
  agreementRoutes,
  coverageRoutes,
  alertRoutes,
  webhookRoutes,
  telemetryRoutes,
  approvalRoutes,
  agreementEndRoutes,
  erasureRoutes,
  retentionRoutes,
  sessionActRoutes,
  identityRoutes,
  ticketRoutes,
  agreementShowRoutes,
  recordingRoutes,
  holdRoutes,
  auditRoutes,
  recordingFleetRoutes,
  cameraRoutes,
];

/** Registers all routes in a scope of their own: errors and hooks of the rest of the server stay as they are. */
export function registerApi(
  app: FastifyInstance,
  ctx: Context,
  nouns: readonly ((room: Room) => void)[] = NOUNS,
): void {
  const auth = makeAuth(ctx);
  const tails = makeTails(ctx, auth);
  app.addHook('preClose', async () => {
    tails.close();
    await auth.close();
  });
  app.register(async (scope) => {
    scope.setErrorHandler((thrown, _request, reply) => {
      const error = asTilsynError(ctx, thrown);
      return reply.code(statusOf(error)).send(errorBody(error));
    });
    scope.addHook('onSend', async (_request, reply) => {
      reply.header('cache-control', 'no-store');
    });
    scope.addHook('onRoute', ({ config, url }) => {
      if (config?.verb === undefined) throw withoutVerb(url);
    });
    const room: Room = { app: scope, ctx, auth, tails };
    for (const noun of nouns) noun(room);
    scope.all('/v1/*', { config: { verb: null } }, async () => {
      throw new TilsynError('request.unknown', 'answering a request: this collector has no such address', {
        hint: 'The collector may be older than this command: compare `tilsyn version` on both.',
        exit: 'notFound',
      });
    });
  });
}

/** Q11. A fault of the program, found at its start. */
function withoutVerb(url: string): TilsynError {
  return new TilsynError('route.no-verb', `registering ${url}: it names no verb of the table of permissions`);
}
