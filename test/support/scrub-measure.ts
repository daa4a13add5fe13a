/**
 * How well the scrubber does on labelled lines (`test/fixtures/scrub-corpus.ts`).
 *
 * A secret is gone when nothing longer than a third of it is left: no run of `leakLength` of its characters, unless
 * those stand outside of the secrets too. A line was changed cleanly when every word (letters and digits) outside of
 * its secrets is still there, in order; punctuation beside a secret may go with it.
 *
 * recall = secrets gone / secrets. precision = lines changed cleanly / lines changed; a line without secrets that was
 * changed at all is never clean.
 */
import { DROPPED, type Scrubbed } from '../../protocol/scrub.ts';
import type { Labelled } from '../fixtures/scrub-corpus.ts';

export interface Figures {
  lines: number;
  secrets: number;
  gone: number;
  changed: number;
  changedCleanly: number;
  /** Lines without a secret, and how many of them were changed. */
  innocent: number;
  innocentChanged: number;
}

export interface Measured extends Figures {
  missed: Labelled[];
  unclean: Labelled[];
}

export function measure(lines: readonly Labelled[], scrubber: (text: string) => Scrubbed): Measured {
  const missed: Labelled[] = [];
  const unclean: Labelled[] = [];
  let [secrets, gone, changed, innocent, innocentChanged] = [0, 0, 0, 0, 0];
  for (const line of lines) {
    const after = scrubber(line.text).text.replaceAll(DROPPED, ' ');
    const isInnocent = line.secrets.length === 0;
    const isChanged = after !== line.text;
    const left = line.secrets.filter((secret) => isLeft(secret, line, after));
    secrets += line.secrets.length;
    gone += line.secrets.length - left.length;
    if (left.length > 0) missed.push(line);
    if (isInnocent) innocent += 1;
    if (!isChanged) continue;
    changed += 1;
    if (isInnocent) innocentChanged += 1;
    if (isInnocent || !keepsTheRest(line, after)) unclean.push(line);
  }
  const changedCleanly = changed - unclean.length;
  return {
    ...{ lines: lines.length, secrets, gone, changed, changedCleanly, innocent, innocentChanged },
    ...{ missed, unclean },
  };
}

export const recall = ({ gone, secrets }: Figures) => gone / secrets;
export const precision = ({ changedCleanly, changed }: Figures) => changedCleanly / changed;

/** One line of figures for people. */
export function figures(name: string, found: Figures): string {
  const percent = (part: number) => `${(part * 100).toFixed(1)} %`;
  return (
    `scrubber, ${name}: recall ${percent(recall(found))} (${found.gone} of ${found.secrets} secrets gone), ` +
    `precision ${percent(precision(found))} (${found.changedCleanly} of ${found.changed} changed lines), ` +
    `${found.innocentChanged} of ${found.innocent} lines without a secret changed`
  );
}

const leakLength = (secret: string) => Math.min(secret.length, Math.max(3, Math.ceil(secret.length / 3)), 12);

function isLeft(secret: string, line: Labelled, after: string): boolean {
  const length = leakLength(secret);
  const outside = withoutParts(line.text, line.secrets);
  for (let at = 0; at + length <= secret.length; at++) {
    const run = secret.slice(at, at + length);
    if (after.includes(run) && !outside.includes(run)) return true;
  }
  return false;
}

function keepsTheRest(line: Labelled, after: string): boolean {
  const left = words(after);
  let at = 0;
  for (const word of words(withoutParts(line.text, [...line.secrets, ...line.mayGo]))) {
    at = left.indexOf(word, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

const words = (text: string): string[] => text.match(/[\p{L}\p{N}]+/gu) ?? [];

function withoutParts(text: string, parts: readonly string[]): string {
  return [...parts]
    .sort((a, b) => b.length - a.length)
    .reduce((rest, part) => rest.replaceAll(part, ' '), text);
}
