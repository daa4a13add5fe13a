/** Texts with places in them: `{ip}`, `{Start|Start time}` (the first that is there). Pure. */

type Part = string | { names: string[] };
export type Template = readonly Part[];

/** Null where a brace has no other half. */
export function parseTemplate(text: string): Template | null {
  const parts: Part[] = [];
  let at = 0;
  for (const match of text.matchAll(/\{([^{}]+)\}/g)) {
    parts.push(text.slice(at, match.index), {
      names: (match[1] ?? '').split('|').map((name) => name.trim()),
    });
    at = match.index + match[0].length;
  }
  parts.push(text.slice(at));
  const kept = parts.filter((part) => part !== '');
  return kept.some((part) => typeof part === 'string' && /[{}]/.test(part)) ? null : kept;
}

/** The names of each place: one of them has to be there. */
export function placesOf(template: Template): string[][] {
  return template.flatMap((part) => (typeof part === 'string' ? [] : [part.names]));
}

/** The text with its places filled; null where one of them is empty, because a half is not what was meant. */
export function fill(template: Template, partOf: (name: string) => string | undefined): string | null {
  let text = '';
  for (const part of template) {
    if (typeof part === 'string') text += part;
    else {
      const value = part.names
        .map((name) => partOf(name)?.trim())
        .find((one) => one !== undefined && one !== '');
      if (value === undefined) return null;
      text += value;
    }
  }
  return text;
}
