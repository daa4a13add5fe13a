/** `tilsyn retention set PACK|FILE`. A file is read and checked here, before anything is asked of the collector. */
import { TilsynError } from '../protocol/errors.ts';
import { PACKS } from '../protocol/packs.ts';
import type { Policy } from '../protocol/policy.ts';
import { act } from './act.ts';
import { alone } from './approval-act.ts';
import { argument } from './args.ts';
import type { Input } from './io.ts';
import { readPolicyFile } from './policy-file.ts';
import { field, type Item } from './print.ts';
import { readTextFile } from './settings.ts';

export function retentionSet(input: Input): Promise<number> {
  return act(input, {
    path: () => '/v1/retention/policy',
    columns: [
      field('policy', 'policy'),
      field('version', 'version'),
      field('shorter for', 'shortened'),
      ['earlier', (item) => counted(item, 'earlier')],
      ['of these at once', (item) => counted(item, 'dueNow')],
      ['later', (item) => counted(item, 'later')],
    ],
    ask: ({ policy, version, shortened, needsApproval }) => {
      const what = `${needsApproval ? 'ask a second person to put' : 'put'} ${policy} ${version} in force`;
      return needsApproval ? `${what}; shorter for ${shortened.join(', ')}` : what;
    },
    more: { ...wanted(argument(input)), alone: alone(input) },
  });
}

/** Key groups by class, of those that there are. */
function counted({ effects }: Item, which: 'earlier' | 'later' | 'dueNow'): string {
  if (!Array.isArray(effects)) return '';
  const lines = (effects as Record<string, unknown>[]).filter((one) => one[which] !== 0);
  return lines.map((one) => `${one.class} ${one[which]}`).join(', ');
}

/** What is no pack and looks like a path is a file; any other word is left to the collector, which knows its packs. */
function wanted(what: string): { pack: string } | { policy: Policy } {
  if (Object.hasOwn(PACKS, what) || !/[./\\]/.test(what)) return { pack: what };
  const read = readPolicyFile(readTextFile(what, 'the policy'));
  if ('policy' in read) return { policy: read.policy };
  const lines = read.problems.map(({ line, text }) => `\n  line ${line}: ${text}`).join('');
  const many = read.problems.length === 1 ? 'one problem' : `${read.problems.length} problems`;
  throw new TilsynError('policy.file', `reading the policy ${what}: ${many}${lines}`, {
    hint: `Nothing was set. See \`tilsyn retention lint ${what}\`.`,
    exit: 'usage',
  });
}
