/** What `--type` of the event commands is told about. */
import { EVENTS } from '../protocol/event.ts';
import type { Input } from './io.ts';
import { clean } from './text.ts';

/** It is asked for all the same: a newer agent's types are stored and shown by an older collector. */
export function tellUnknownTypes(input: Input, types: readonly string[]): void {
  for (const type of types.filter((one) => !Object.hasOwn(EVENTS, one))) {
    input.note(
      `--type ${clean(type)}: this version knows no such type of event; docs/design/events.md has them`,
    );
  }
}
