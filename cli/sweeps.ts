/**
 * `sweep plan|run|approve|status`: of this host by its own agent's control socket, of another (`--host`) through the collector.
 * `source accept-root|retire` as well: a person has looked at the disk, or knows who did.
 */
import { EXIT, TilsynError } from '../protocol/errors.ts';
import { checkOutput, flag, text, usage } from './args.ts';
import { confirm, requireConsent } from './confirm.ts';
import { ROOT_CSV, SWEEP_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { type Column, field, type Item, type ListAnswer, printData, printList, time } from './print.ts';
import { askFleet, askHere, askHost, askOne, refused } from './recordings-ask.ts';

const PLAN: readonly Column[] = [
  field('root', 'root'),
  field('mode', 'mode'),
  field('plan', 'plan'),
  field('recordings', 'count'),
  field('bytes', 'bytes'),
  time('oldest', 'oldest'),
  field('waits', 'waits'),
];

/** A list of one host's roots, with what else the host says of all of them. */
function listOf(items: Item[], answer: Item): ListAnswer {
  const { time: clock = null, running = null } = answer;
  const coverage = { from: null, to: '', hosts: [] };
  return { schema: 1, items, coverage, next: null, time: clock, running } as ListAnswer;
}

const UNJUDGED: Readonly<Record<string, string>> = {
  'no-policy': 'the host was given no retention rules yet: nothing falls due',
  'no-rule': 'no rule in force says how long recordings may be kept: nothing falls due',
  'time-untrusted': 'there is no trusted time: nothing can be called due',
};

/** A2: an empty plan is no good news where nothing can fall due. */
function sayUnjudged(input: Input, answer: Item): boolean {
  const reasons = [answer, ...((answer.plans ?? []) as Item[])].map(({ unjudged }) => unjudged);
  const found = new Set(reasons.filter((one): one is string => typeof one === 'string'));
  for (const one of found) input.io.err(`finding: ${UNJUDGED[one] ?? one}`);
  return found.size > 0;
}

export async function sweepPlan(input: Input): Promise<number> {
  checkOutput(input);
  const answer = await askOne(input, 'sweep.plan');
  const items = answer.plans as Item[];
  printList(input, listOf(items, answer), { columns: PLAN, csv: SWEEP_CSV, what: 'plans', watched: false });
  const waits = items.some((one) => one.waits != null);
  const unjudged = sayUnjudged(input, answer);
  return waits || unjudged || answer.offline === true ? EXIT.findings : EXIT.done;
}

const ROOT: readonly Column[] = [
  field('root', 'root'),
  field('mode', 'mode'),
  field('state', 'state'),
  time('swept', 'sweptAt'),
  field('waits', 'waits'),
  time('since', 'since'),
  field('plan', 'plan'),
];

export async function sweepStatus(input: Input): Promise<number> {
  checkOutput(input);
  const answer = await askOne(input, 'sweep.status');
  const items = answer.sources as Item[];
  printList(input, listOf(items, answer), { columns: ROOT, csv: ROOT_CSV, what: 'roots', watched: false });
  const { trouble } = (answer.time ?? {}) as Item;
  if (trouble != null) input.io.err(`finding: there is no trusted time (${trouble})`);
  const waits = items.some((one) => one.waits !== null);
  const unjudged = sayUnjudged(input, trouble == null ? answer : {});
  return trouble != null || waits || unjudged || answer.offline === true ? EXIT.findings : EXIT.done;
}

/** Starts one; what it does is seen with `sweep status`. */
export async function sweepRun(input: Input): Promise<number> {
  checkOutput(input);
  const dryRun = flag(input, 'dryRun');
  if (dryRun && text(input, 'host') === undefined) return await sweepPlan(input);
  const answer = await askOne(input, 'sweep.run', dryRun ? { dryRun } : {});
  return ordered(input, answer, 'begun; see tilsyn sweep status\n');
}

/** An order to a host that has not taken it yet is carried out when it does. */
function ordered(input: Input, answer: Item, done: string): number {
  const pending = answer.outcome === 'pending';
  if (!printData(input, answer))
    input.io.out(pending ? 'the host has not taken it yet; it will when it connects\n' : done);
  return pending ? EXIT.partly : EXIT.done;
}

/** R6: a person says yes to what a plan lists; or that the clock is right. */
export async function sweepApprove(input: Input): Promise<number> {
  checkOutput(input);
  const clock = flag(input, 'clock');
  const [plan] = input.args;
  if (clock === (plan !== undefined))
    throw usage('approving: a plan, or --clock', 'tilsyn sweep plan names the plan that waits.');
  requireConsent(input);
  const dryRun = flag(input, 'dryRun');
  if (dryRun && text(input, 'host') !== undefined) {
    return ordered(
      input,
      await askOne(input, 'sweep.approve', { ...(clock ? { clock } : { plan }), dryRun }),
      '',
    );
  }
  const { plans = [] } = clock ? {} : ((await askOne(input, 'sweep.plan')) as Item);
  const found = (plans as Item[]).find((one) => one.plan === plan);
  if (!clock && found === undefined) throw refused('sweep.approve', { code: 'plan.unknown' });
  const planned = (found?.planned ?? found ?? {}) as Item;
  const what = clock
    ? 'this machine’s clock is right'
    : `${planned.count} recordings, ${planned.bytes} bytes, are erased for good`;
  if (dryRun) {
    input.io.out(`would say: ${what}\n`);
    return EXIT.done;
  }
  await confirm(input, what);
  const answer = await askOne(input, 'sweep.approve', {
    ...(clock ? { clock: true } : { plan }),
    ...whyOf(input),
  });
  return ordered(input, answer, 'approved; the sweep has begun\n');
}

/** Recorded sealed: by the collector with who said so, on the host as said there. */
function whyOf(input: Input): Item {
  const reason = text(input, 'reason');
  return reason === undefined ? {} : { reason };
}

const DISPOSITIONS = ['destroyed', 'stored', 'returned'];

/** Another disk lies under a root, and is meant. */
export async function sourceAcceptRoot(input: Input): Promise<number> {
  return await setRoot(
    input,
    'accept-root',
    {},
    'what lies under it now is meant; erasing waits for approval again',
  );
}

/** A root is given up; nothing in it is erased any more. */
export async function sourceRetire(input: Input): Promise<number> {
  const disposition = text(input, 'disposition');
  if (disposition === undefined || !DISPOSITIONS.includes(disposition)) {
    throw usage(
      `giving up a root: --disposition is ${DISPOSITIONS.join(', ')}`,
      'Say what becomes of the disk.',
    );
  }
  return await setRoot(input, 'retire', { disposition }, 'nothing in it is watched or erased any more');
}

async function setRoot(input: Input, act: string, more: Item, what: string): Promise<number> {
  checkOutput(input);
  requireConsent(input);
  const [root = ''] = input.args;
  if (flag(input, 'dryRun')) {
    input.io.out(`${root}: ${what}\n`);
    return EXIT.done;
  }
  await confirm(input, `${root}: ${what}`);
  if (text(input, 'host') !== undefined) {
    const body = { source: await sourceOf(input, root), ...more, ...whyOf(input) };
    return ordered(input, await askHost(input, `sources.${act}`, body), 'done\n');
  }
  const answer = await askHere(input, 'source.set', { root, act, ...more, ...whyOf(input) });
  if (!printData(input, answer)) input.io.out('done\n');
  return EXIT.done;
}

/** Of a host's root, by its path or its id; of one that is not connected nobody knows the path. */
async function sourceOf(input: Input, root: string): Promise<unknown> {
  const { hosts } = await askFleet(input, 'stats', {}, 1);
  const sources = hosts.flatMap((host) => (host.sources ?? []) as Item[]);
  const found = sources.find((one) => one.source === root || one.root === root);
  if (found !== undefined) return found.source;
  throw new TilsynError('source.unknown', 'looking for a root: the host has none of this path or id', {
    hint: '`tilsyn recording stats --host HOST` lists its roots; of a host that is not connected, by their ids.',
    exit: 'notFound',
  });
}
