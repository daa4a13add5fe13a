/** `tilsyn hold notify|release|confirm|slip ID`, and on a host `tilsyn hold import FILE`. */
import { readFileSync } from 'node:fs';
import { EXIT, TilsynError } from '../protocol/errors.ts';
import { toIso } from '../protocol/time.ts';
import { argument, checkOutput, client, flag, oneTime, required, stateDir, text, usage } from './args.ts';
import { confirm, requireConsent } from './confirm.ts';
import { HOLD_CSV } from './csv-fields.ts';
import { HOLD_CARD } from './hold-columns.ts';
import { printHold } from './hold-place.ts';
import type { Input } from './io.ts';
import { type Item, printData, printItem } from './print.ts';
import { writeNewFile } from './settings.ts';

const pathOf = (input: Input, act: string) => `/v1/holds/${encodeURIComponent(argument(input))}/${act}`;

/** H5: who was told, when and how; or why nobody can be. */
export async function holdNotify(input: Input): Promise<number> {
  checkOutput(input);
  const language = text(input, 'template');
  if (language !== undefined) return await template(input, language);
  const at = oneTime(input, 'at');
  const body = {
    ...named(input, 'who'),
    ...named(input, 'how'),
    ...named(input, 'note'),
    ...(at === undefined ? {} : { at: toIso(at) }),
    notPossible: flag(input, 'notPossible'),
    copyAsked: flag(input, 'copyAsked'),
    copyGiven: flag(input, 'copyGiven'),
    dryRun: flag(input, 'dryRun'),
  };
  printHold(input, await client(input).post<Item>(pathOf(input, 'notify'), body));
  return EXIT.done;
}

function named(input: Input, name: string): Item {
  const value = text(input, name);
  return value === undefined ? {} : { [name]: value };
}

async function template(input: Input, language: string): Promise<number> {
  const { NOTICE_LANGUAGES, noticeText } = await import('../protocol/notice-texts.ts');
  const known = NOTICE_LANGUAGES.find((one) => one === language);
  if (known === undefined)
    throw usage(
      `writing a notice: there is no text in ${JSON.stringify(language)}`,
      `Use --template ${NOTICE_LANGUAGES.join(', ')}.`,
    );
  const item = await client(input).get<Item>(`/v1/holds/${encodeURIComponent(argument(input))}`, {});
  input.io.out(
    noticeText(known, {
      controller: text(input, 'controller') ?? null,
      from: item.scope.from,
      to: item.scope.to,
    }),
  );
  return EXIT.done;
}

export async function holdConfirm(input: Input): Promise<number> {
  checkOutput(input);
  const body = { host: required(input, 'host', '--host'), note: required(input, 'note', '--note') };
  const dryRun = flag(input, 'dryRun');
  printHold(input, await client(input).post<Item>(pathOf(input, 'confirm'), { ...body, dryRun }));
  return EXIT.done;
}

/** H3: asked for here, done by a second person. */
export async function holdRelease(input: Input): Promise<number> {
  checkOutput(input);
  const dryRun = flag(input, 'dryRun');
  if (!dryRun) {
    required(input, 'reason', '--reason');
    if (!input.io.interactive && !flag(input, 'yes')) requireConsent(input);
  }
  const collector = client(input);
  const planned = await collector.post<Item>(pathOf(input, 'release'), { dryRun: true });
  if (dryRun) {
    printItem(input, planned, HOLD_CARD, HOLD_CSV);
    return EXIT.done;
  }
  const kept = (planned.agents as Item[]).reduce((sum, { recordings }) => sum + (recordings ?? 0), 0);
  await confirm(
    input,
    `ask a second person to release hold ${planned.id}: ${kept} recordings and ${planned.sessions?.held ?? 0} sessions that it keeps go on their day, which may be over`,
  );
  const body = { reason: text(input, 'reason'), alone: flag(input, 'alone'), dryRun: false };
  await collector.post<Item>(pathOf(input, 'release'), body);
  return EXIT.done;
}

/** H10: signed, to be carried to a host without a line. */
export async function holdSlip(input: Input): Promise<number> {
  checkOutput(input);
  const { slips } = await client(input).post<{ slips: Item[] }>(pathOf(input, 'slip'), {});
  const out = text(input, 'out');
  if (out === undefined) {
    if (slips.length > 1)
      throw usage(
        'taking out slips: the hold reaches several sites',
        'Give --out FILE: one file is written for each.',
      );
    input.io.out(`${JSON.stringify(slips[0])}\n`);
    return EXIT.done;
  }
  const files = slips.map((slip, i) => {
    const file = slips.length === 1 ? out : `${out}.${i + 1}`;
    // Names hosts and cameras by random ids only; still nobody else's to read.
    writeNewFile(file, `${JSON.stringify(slip)}\n`);
    return file;
  });
  if (!printData(input, { files })) input.io.out(`written: ${files.join(', ')}\n`);
  return EXIT.done;
}

/** On the host: puts the hold of a slip in force without a line. */
export async function holdImport(input: Input): Promise<number> {
  checkOutput(input);
  const { askAgent } = await import('../agent/main.ts');
  const answer: Item = await askAgent(stateDir(input), 'holds', {
    verb: 'import',
    body: { slip: read(argument(input)) },
  });
  const said = answer.already ? 'it was in force already' : 'in force';
  if (!printData(input, answer)) input.io.out(`hold ${answer.hold}: ${said}\n`);
  return EXIT.done;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw new TilsynError('slip.unread', 'reading a slip: the file cannot be read', {
      hint: 'Name the file that `tilsyn hold slip ID --out FILE` wrote.',
      exit: 'usage',
    });
  }
}
