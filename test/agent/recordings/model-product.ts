/** The parts of the product that the model drives; of this tree, or of a copy in which something is broken on purpose. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openJournal } from '../../../agent/journal-open.ts';
import { recordingAnswers } from '../../../agent/recordings/answers.ts';
import { Keeper } from '../../../agent/recordings/keeper.ts';
import { acceptedOf } from '../../../agent/recordings/roots.ts';
import { setPolicy } from '../../../agent/recordings/rules.ts';
import { Scanner } from '../../../agent/recordings/scan.ts';
import { TrustedTime } from '../../../agent/trusted-time.ts';

export const PRODUCT = {
  openJournal,
  recordingAnswers,
  Keeper,
  acceptedOf,
  setPolicy,
  Scanner,
  TrustedTime,
};
export type Product = typeof PRODUCT;

/** Of a copy of the product's rooms below `dir`. */
export async function productIn(dir: string): Promise<Product> {
  const files = [
    'journal-open',
    'recordings/answers',
    'recordings/keeper',
    'recordings/roots',
    'recordings/rules',
    'recordings/scan',
    'trusted-time',
  ];
  const urls = files.map((file) => pathToFileURL(join(dir, 'agent', `${file}.ts`)).href);
  const modules = await Promise.all(urls.map((url) => import(/* @vite-ignore */ url)));
  return Object.assign({}, ...modules);
}
