/** Load of the processor, a value a minute, that takes an alert through every state, several times. */
const held = (value: number, minutes: number): number[] => Array(minutes).fill(value);

export const SERIES: readonly number[] = [
  ...held(500, 2),
  ...held(900, 1),
  ...held(500, 2),
  ...held(900, 5),
  ...held(990, 5),
  ...held(700, 4),
  ...held(900, 1),
  ...held(800, 70),
  ...held(700, 30),
  ...held(980, 4),
  ...held(600, 130),
];
