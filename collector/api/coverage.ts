/** `GET /v1/coverage`: what was watched, and every gap as an item (A2). */
import { z } from 'zod';
import { fromIso } from '../../protocol/time.ts';
import { recordReading } from './reading.ts';
import { field, type Room, route } from './room.ts';
import { scopeOf } from './scope.ts';
import { askedOf, listAnswer, planView } from './view.ts';

const query = z.strictObject({
  host: field.text.optional(),
  customer: field.text.optional(),
  site: field.text.optional(),
  since: field.since,
  until: field.until,
});

export function coverageRoutes({ ctx, ...room }: Room): void {
  route(
    { ctx, ...room },
    {
      method: 'GET',
      path: '/v1/coverage',
      verb: 'coverage',
      input: query,
      handle: async ({ caller, input }) => {
        const scope = await scopeOf(ctx, caller, input);
        const since = input.since === undefined ? null : fromIso(input.since);
        const until = input.until === undefined ? null : fromIso(input.until);
        const plan = await planView(ctx, scope.agents, askedOf(ctx, since, until));
        await recordReading(ctx, caller, 'coverage', plan.count, input);
        const { coverage } = await plan.open();
        const gaps = coverage.hosts.flatMap(({ host, hostId, gaps: found }) =>
          found.map((gap) => ({ host, hostId, ...gap })),
        );
        return listAnswer(gaps, coverage);
      },
    },
  );
}
