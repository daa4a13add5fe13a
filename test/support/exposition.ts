/** A reader of the Prometheus text format 0.0.4, strict: what it does not know is an error. */
export interface Read {
  name: string;
  kind: string;
  help: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"$/;

export function parseExposition(text: string): Read[] {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no end');
  const types = new Map<string, string>();
  const helps = new Map<string, string>();
  return text
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => {
      const comment = /^# (HELP|TYPE) (\S+) ?(.*)$/s.exec(line);
      if (comment !== null) {
        const [, what, name = '', rest = ''] = comment;
        const map = what === 'HELP' ? helps : types;
        if (map.has(name)) throw new Error(`${what} of ${name} twice`);
        map.set(name, rest);
        return [];
      }
      const [, name = '', labels = '', value = ''] = LINE.exec(line) ?? [];
      const kind = types.get(name);
      if (kind === undefined) throw new Error(`no line of the format, or without a type: ${line}`);
      if (!/^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|Inf|NaN)$/.test(value)) throw new Error(`no number: ${value}`);
      return [{ name, kind, help: helps.get(name) ?? '', labels: labelsOf(labels), value: Number(value) }];
    });
}

function labelsOf(text: string): Record<string, string> {
  if (text === '') return {};
  return Object.fromEntries(
    text.split(',').map((one) => {
      const [, name = '', value] = LABEL.exec(one) ?? [];
      if (value === undefined) throw new Error(`no label: ${one}`);
      return [name, value];
    }),
  );
}

/** The value of the only line with this name and these labels. */
export function valueIn(read: readonly Read[], name: string, labels: Record<string, string> = {}): number {
  const found = read.filter(
    (one) => one.name === name && Object.entries(labels).every(([label, word]) => one.labels[label] === word),
  );
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${name}: ${found.length} lines`);
  return found[0].value;
}
