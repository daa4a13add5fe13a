/** Declarations: those that come with Tilsyn, by name (`declared/NAME.yaml` beside this file), and any by its path. */
import { join } from 'node:path';

export const SHIPPED_SPECS = ['ultraviewer', 'supremo', 'x11vnc', 'teamviewer-report', 'talk2m'] as const;

/** Path of a declaration: a shipped one by its name, any other by its path. */
export function specPath(spec: string): string {
  const shipped = SHIPPED_SPECS.find((name) => name === spec);
  return shipped === undefined ? spec : join(import.meta.dirname, 'declared', `${shipped}.yaml`);
}
