/** The table of `docs/design/events.md`, made from the schemas. */
import type { z } from 'zod';
import { EVENTS, type EventType, eventDefinition } from '../../protocol/event.ts';

interface Def {
  type: string;
  shape?: Record<string, z.ZodType>;
  innerType?: z.ZodType;
  element?: z.ZodType;
  entries?: Record<string, string>;
}

/** Field names with what may stand in them, in short: `reason?`, `peerIps[{ip, basis, scope}]`. */
function fields(schema: z.ZodType): string {
  const { shape } = schema.def as unknown as Def;
  return Object.entries(shape ?? {})
    .map(([name, item]) => name + suffix(item))
    .join(', ');
}

function suffix(schema: z.ZodType): string {
  const def = schema.def as unknown as Def;
  if (def.type === 'array' && def.element !== undefined) {
    const inner = fields(def.element);
    return inner === '' ? '[]' : `[{${inner}}]`;
  }
  if (def.type === 'optional' && def.innerType !== undefined) return `?${suffix(def.innerType)}`;
  if (def.type === 'nullable' && def.innerType !== undefined) return suffix(def.innerType);
  return '';
}

export function eventTable(): string {
  const rows = (Object.keys(EVENTS) as EventType[]).map((type) => {
    const definition = eventDefinition(type);
    if (definition === undefined) throw new Error(type);
    const data = fields(definition.data) || '–';
    const personal = definition.personal === null ? '–' : fields(definition.personal);
    return `| \`${type}\` | ${data} | ${personal} | ${definition.class ?? '–'} | ${definition.from} |`;
  });
  return ['| type | data | P (sealed) | data class | from |', '|---|---|---|---|---|', ...rows].join('\n');
}
