/**
 * The coverage of an answer about recordings, in the form that every list has: as the collector told it, or put together
 * from what this host's agent says of its roots.
 *
 * H10 A gap has both ends, also where the agent knows one of them only: it then reaches to where the answer does.
 */
import { toIso } from '../protocol/time.ts';
import { stateDir } from './args.ts';
import type { Gap, Watched } from './coverage-lines.ts';
import type { Input } from './io.ts';
import type { Item, ListAnswer } from './print.ts';

export async function coverageOf(input: Input, answer: Item): Promise<Pick<ListAnswer, 'coverage'>> {
  const to = toIso(input.io.clock.now());
  if (Array.isArray(answer.hosts)) return { coverage: { from: null, to, hosts: answer.hosts as Watched[] } };
  const { status } = await import('../agent/main.ts');
  const agent = await status({ state: stateDir(input) });
  const watched = (answer.watched ?? []) as Item[];
  if (watched.length === 0) return { coverage: { from: null, to, hosts: [] } };
  const host = agent.running ? agent.agent : 'this host';
  return { coverage: { from: null, to, hosts: [hostOf(host, watched, to)] } };
}

/** H10 */
function hostOf(host: string, watched: readonly Item[], to: string): Watched {
  const times = (name: string) =>
    watched.map((one) => one[name]).filter((one): one is string => typeof one === 'string');
  const from = times('from').sort()[0] ?? to;
  const gaps = watched.flatMap((root) =>
    (root.gaps as Item[]).map(
      (gap): Gap => ({ from: gap.from ?? root.from ?? from, to: gap.to ?? to, reason: String(gap.reason) }),
    ),
  );
  const sources = watched.map(({ source }) => ({
    ...{ source, type: 'recordings', state: 'watched', skipped: 0, unreadable: 0 },
  }));
  return { host, hostId: host, from, to: times('to').sort().at(-1) ?? to, gaps, sources };
}
