/** Lets everything else have its turn: sockets, timers, other work. */
export function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
