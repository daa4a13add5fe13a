/** Layouts by name or by a declared pattern; what stands in `layout:` of a recordings source. */
import { TilsynError } from '../../../protocol/errors.ts';
import { nearest } from '../../../protocol/nearest.ts';
import { HOUR_MS } from '../../../protocol/time.ts';
import type { Layout } from '../types.ts';
import { compileLayout, type LayoutSpec } from './compile.ts';
import { LAYOUTS } from './table.ts';
import { fieldsOf, piecesOf } from './tokens.ts';

export const LAYOUT_NAMES = LAYOUTS.map(({ name }) => name);

export interface LayoutChoice {
  /** A name, or a pattern: it holds a `%` or a `{`. */
  layout: string;
  /** Zone of the tz database for local paths. */
  zone: string;
  /** Instead of the layout's own; null: as the layout says. */
  longestSegmentMs: number | null;
}

/** @throws TilsynError `layout.unknown`, `layout.pattern` */
export function layoutOf({ layout, zone, longestSegmentMs }: LayoutChoice): Layout {
  const spec = LAYOUTS.find(({ name }) => name === layout) ?? declared(layout);
  return compileLayout(
    longestSegmentMs === null ? spec : { ...spec, longestSegmentMs: Math.max(longestSegmentMs, 1) },
    zone,
  );
}

/** What is wrong with `layout:`; null where nothing is. */
export function layoutProblem(layout: string): string | null {
  try {
    layoutOf({ layout, zone: 'UTC', longestSegmentMs: null });
    return null;
  } catch (error) {
    return error instanceof TilsynError ? (error.hint ?? error.message) : 'no layout';
  }
}

/** R5: false for rings and databases. @throws TilsynError as `layoutOf` */
export function mayErase(layout: string): boolean {
  return layoutOf({ layout, zone: 'UTC', longestSegmentMs: null }).erasable;
}

function declared(pattern: string): LayoutSpec {
  if (!/[%{]/.test(pattern)) throw unknown(pattern);
  let fields: Set<string>;
  try {
    fields = fieldsOf(piecesOf(pattern));
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : 'no pattern');
  }
  const dated = ['month', 'day'].every((field) => fields.has(field));
  const year = fields.has('year') || fields.has('shortYear');
  if (!fields.has('epoch') && !fields.has('epochMs') && !(dated && year)) {
    throw wrong('a pattern has to state a date: %Y (or %y), %m and %d, or %s or %Q for an epoch');
  }
  if (
    pattern.startsWith('/') ||
    pattern.split('/').some((part) => part === '' || part === '..' || part === '.')
  ) {
    throw wrong('a pattern is a path below the root, without a leading slash');
  }
  const spec: LayoutSpec = {
    name: pattern,
    title: 'declared pattern',
    zone: fields.has('offset') ? 'offset' : 'site',
    longestSegmentMs: HOUR_MS,
    erasable: true,
    recordings: [pattern],
    examples: [],
  };
  return spec;
}

function unknown(layout: string): TilsynError {
  const near = nearest(layout, LAYOUT_NAMES);
  return new TilsynError(
    'layout.unknown',
    'reading the layout of a recordings source: there is none of that name',
    {
      hint:
        near === null
          ? `Use one of ${LAYOUT_NAMES.join(', ')}, or a pattern such as {camera}/%Y-%m-%d/%H-%M-%S.mp4.`
          : `Did you mean ${near}?`,
      exit: 'usage',
    },
  );
}

function wrong(why: string): TilsynError {
  return new TilsynError('layout.pattern', 'reading the pattern of a recordings source: it is not one', {
    hint: why,
    exit: 'usage',
  });
}
