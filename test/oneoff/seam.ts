/** The fault seam of a child: dies at a named point, by its own hand, once the harness has armed it. */
export interface Armed {
  point: string;
  /** At this hit of it, from the arming on. */
  nth: number;
}

export function deadlySeam(): { hit(point: string): void; arm(armed: Armed | null): void } {
  let armed: Armed | null = null;
  let left = 0;
  return {
    arm(next) {
      armed = next;
      left = next?.nth ?? 0;
    },
    hit(point) {
      if (armed?.point !== point) return;
      left -= 1;
      if (left === 0) process.kill(process.pid, 'SIGKILL');
    },
  };
}
