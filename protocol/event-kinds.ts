/** What a type of event is made of, and who may write it. */
import type { z } from 'zod';
import type { DataClass } from './group.ts';

export interface EventDefinition {
  data: z.ZodType;
  /** Allow-list of the sealed part; null where the type never has one. */
  personal: z.ZodType | null;
  /** Data class of the sealed part. */
  class: DataClass | null;
  from: 'agent' | 'collector' | 'both';
}

/** Written by agents. */
export const agent = <D extends z.ZodType, P extends z.ZodType | null = null>(
  data: D,
  personal: P = null as P,
  cls: DataClass | null = null,
) => ({ data, personal, class: cls, from: 'agent' as const });
/** Written by agents and by the collector; never with a sealed part. */
export const both = <D extends z.ZodType>(data: D) => ({
  data,
  personal: null,
  class: null,
  from: 'both' as const,
});
/** Written by the collector. */
export const collector = <D extends z.ZodType, P extends z.ZodType | null = null>(
  data: D,
  personal: P = null as P,
  cls: DataClass | null = null,
) => ({ data, personal, class: cls, from: 'collector' as const });
