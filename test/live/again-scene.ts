import type { Scene } from './scene.ts';

export const again: readonly Scene[] = [];
