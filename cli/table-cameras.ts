/** Commands about cameras, through the collector. */
import { DRY, type Entry, PAGE } from './table-entry.ts';

const load = async () => await import('./cameras.ts');

export const CAMERA_TABLE: readonly Entry[] = [
  {
    path: 'camera list',
    about: 'cameras that hosts told of, with what the register says and what is wrong with it',
    example: 'tilsyn camera list --site Albertslund',
    options: [
      ['--host <host>', 'of one host: its id or name'],
      ['--site <site>', 'of one site'],
      ['--customer <customer>', 'of one customer'],
      ['--unregistered', 'only those that are in no register'],
      ...PAGE,
    ],
    load: async () => (await load()).cameraList,
  },
  {
    path: 'camera register',
    args: ['<camera>'],
    about:
      'write down where a camera is, what for, how long its footage is kept, and since when a sign says so',
    example:
      'tilsyn camera register nvr-01/gate --purpose "theft" --address "Road 1" --retain P30D --signage 2026-01-15',
    options: [
      ['--purpose <text>', 'what it is for; sealed'],
      ['--address <text>', 'where it is; sealed'],
      ['--area <text>', 'what it sees: entrance, yard; sealed'],
      ['--place <where>', 'indoor or outdoor'],
      ['--retain <period>', 'how long its footage is to be kept: P30D, PT72H, P1M'],
      ['--signage <time>', 'since when a sign says that there is a camera'],
      ...DRY,
    ],
    load: async () => (await load()).cameraRegister,
  },
];
