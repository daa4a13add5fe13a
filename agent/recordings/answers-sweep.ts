/** What a host answers about its sweeps: what each would erase now, and how each stands. Reads only. */
import { type Answer, type AnswerDeps, type Asked, iso, rootsOf, unjudged } from './asked.ts';
import { stateOf, sweepSourceOf } from './roots.ts';

export async function plans(deps: AnswerDeps, ask: Asked): Promise<Answer> {
  const { keeper, sweeps, now } = deps;
  const around = keeper.around();
  const at = now();
  const found: Answer[] = [];
  for (const root of rootsOf(deps, ask)) {
    const source = sweepSourceOf(sweeps, root);
    if (source === null) continue;
    const waits = keeper.waiting(root.id)?.reason ?? null;
    const plan = sweeps.plan(root.id);
    if (around === null || at === null) {
      found.push({
        source: root.source,
        mode: root.config.mode,
        waits: around === null ? 'no-policy' : 'time-untrusted',
        unjudged: unjudged(around, at),
      });
      continue;
    }
    const due = await keeper.sweep.due(source.source, around, at);
    found.push({
      ...{
        source: root.source,
        root: root.config.root,
        mode: root.config.mode,
        waits,
        plan: plan?.plan ?? null,
      },
      ...{ count: due.count, bytes: due.bytes, oldest: iso(due.oldest), dueBy: iso(plan?.dueBy ?? at) },
      ...{
        planned: plan === null ? null : { count: plan.count, bytes: plan.bytes, oldest: iso(plan.oldest) },
      },
      left: Object.fromEntries(due.left),
      unjudged: unjudged(around, at),
    });
  }
  return { plans: found };
}

export function status({ keeper, sweeps, now }: AnswerDeps): Answer {
  const sources = keeper.roots.map((root) => {
    const waits = keeper.waiting(root.id);
    const last = keeper.last(root.id);
    return {
      ...{
        source: root.source,
        root: root.config.root,
        mode: root.config.mode,
        state: stateOf(sweeps, root),
      },
      ...{
        waits: waits?.reason ?? null,
        since: iso(waits?.since ?? null),
        plan: sweeps.plan(root.id)?.plan ?? null,
      },
      sweptAt: iso(sweepSourceOf(sweeps, root)?.source.sweptAt ?? null),
      left: last?.left ?? {},
    };
  });
  const time = { trusted: iso(now()), trouble: keeper.timeTrouble(), confirmedAt: iso(keeper.confirmedAt) };
  return { sources, running: keeper.sweep.running, time, unjudged: unjudged(keeper.around(), now()) };
}
