/** Loads a declaration from its file. */
import { TilsynError } from '../../protocol/errors.ts';
import { readText } from '../files.ts';
import { SHIPPED_SPECS, specPath } from './declared-shipped.ts';
import { type DeclaredSpec, parseDeclared } from './declared-spec.ts';

/**
 * @param spec a path, or the name of a declaration that is shipped
 * @throws TilsynError `spec.missing`, `spec.invalid`
 */
export function loadDeclared(spec: string): DeclaredSpec {
  const path = specPath(spec);
  const text = readText(path);
  if (text !== null) return parseDeclared(text, spec);
  throw new TilsynError('spec.missing', `reading the declaration ${spec}: there is no such file`, {
    exit: 'notFound',
    hint: `Name its path, or one of: ${SHIPPED_SPECS.join(', ')}.`,
  });
}
