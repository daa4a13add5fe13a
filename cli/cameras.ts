/** `camera list`, `camera register`: which cameras there are, and what the register says of each. */
import { EXIT } from '../protocol/errors.ts';
import { toIso } from '../protocol/time.ts';
import { argument, checkOutput, client, flag, oneTime, required, text } from './args.ts';
import { CAMERA_CSV } from './csv-fields.ts';
import type { Input } from './io.ts';
import { fetchList } from './lists.ts';
import { type Column, field, type Item, printItem, printList, time } from './print.ts';
import { showIso } from './times.ts';

/** What a finding means for the person who has to mend it. */
const FINDINGS: Readonly<Record<string, string>> = {
  unregistered: 'not in the register',
  'purpose-missing': 'no purpose',
  'retention-missing': 'no period',
  'retention-differs': 'another period than the rule in force',
  'signage-missing': 'no sign',
  sound: 'records sound',
  'not-recording': 'does not record',
};

function findingsText({ findings }: Item): string {
  return ((findings ?? []) as string[]).map((one) => FINDINGS[one] ?? one).join('; ');
}

const COLUMNS: readonly Column[] = [
  field('host', 'host'),
  field('site', 'site'),
  ['camera', ({ name, id }) => name ?? id],
  field('address', 'address'),
  field('purpose', 'purpose'),
  ['kept', ({ registered }) => periodText(registered?.retain)],
  [
    'sign since',
    ({ registered }, tz) => (registered?.signage == null ? null : showIso(registered.signage, tz)),
  ],
  time('oldest', 'oldest'),
  time('newest', 'newest'),
  ['findings', findingsText],
];

function periodText(retain: Item | null | undefined): string | null {
  if (retain == null) return null;
  const { months, hours } = retain;
  const days = hours % 24 === 0 ? `${hours / 24}D` : '';
  return `P${months > 0 ? `${months}M` : ''}${days === '0D' ? '' : days}${days === '' ? `T${hours}H` : ''}`;
}

/** A camera with a finding is a finding: one that is in no register, or whose register does not fit. */
export async function cameraList(input: Input): Promise<number> {
  const answer = await fetchList(input, '/v1/cameras', {
    host: text(input, 'host'),
    site: text(input, 'site'),
    customer: text(input, 'customer'),
    unregistered: flag(input, 'unregistered') ? '1' : undefined,
  });
  const code = printList(input, answer, { columns: COLUMNS, csv: CAMERA_CSV, what: 'cameras' });
  return answer.items.some(({ findings }) => (findings as string[]).length > 0) ? EXIT.findings : code;
}

export async function cameraRegister(input: Input): Promise<number> {
  checkOutput(input);
  const signage = oneTime(input, 'signage');
  const given = {
    camera: argument(input),
    purpose: required(input, 'purpose', '--purpose'),
    ...textOf(input, 'address'),
    ...textOf(input, 'area'),
    ...textOf(input, 'place'),
    ...textOf(input, 'retain'),
    ...(signage === undefined ? {} : { signage: toIso(signage) }),
  };
  const dryRun = flag(input, 'dryRun');
  const answer = await client(input).post<Item>('/v1/cameras/register', { ...given, dryRun });
  printItem(input, answer, COLUMNS, CAMERA_CSV);
  return EXIT.done;
}

function textOf(input: Input, name: string): Item {
  const value = text(input, name);
  return value === undefined ? {} : { [name]: value };
}
