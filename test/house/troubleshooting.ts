/**
 * The part of `docs/guide/troubleshooting.md` that lists errors: a section per code, with the literal texts as
 * headings (from the source) and advice below them (written by people, kept).
 */
import { headingOf, type MadeError } from './error-codes.ts';

const START = '## Errors, by code';

/** Advice by code, as it stands on the page. */
export function adviceOn(page: string): Map<string, string> {
  const list = page.slice(Math.max(0, page.indexOf(START)));
  return new Map(
    list
      .split(/^### /m)
      .slice(1)
      .map((section) => {
        const [head = '', ...lines] = section.split('\n');
        const advice = lines.filter((line) => !line.startsWith('#### ')).join('\n');
        return [head.replaceAll('`', '').trim(), advice.trim()];
      }),
  );
}

/** The page with a section for every code and a heading for every text; advice stays as it is. */
export function pageWith(page: string, errors: readonly MadeError[]): string {
  const advice = adviceOn(page);
  const codes = [...new Set(errors.map((e) => e.code))].sort();
  const sections = codes.map((code) => {
    const texts = errors.flatMap((e) => (e.code === code && e.text !== null ? [headingOf(e.text)] : []));
    const headings = [...new Set(texts)].sort().map((text) => `#### ${text}\n\n`);
    return `### \`${code}\`\n\n${headings.join('')}${advice.get(code) ?? ''}\n`;
  });
  const head = page.slice(0, page.indexOf(START));
  return `${head}${START}\n\n${sections.join('\n')}`;
}

/** Codes that nobody has written advice for. */
export function withoutAdvice(page: string): string[] {
  return [...adviceOn(page)].filter(([, text]) => text.length < 20).map(([code]) => code);
}
