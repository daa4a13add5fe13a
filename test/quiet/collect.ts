/** Loaded into the agent of this suite: on SIGUSR2 its garbage is collected, so that what is kept can be told apart. */
process.on('SIGUSR2', () => {
  (globalThis as { gc?: () => void }).gc?.();
});
