/** What `strace -f -ttt -e trace=process` wrote, read for programs that were started. Pure. */

/** A call that makes a process or starts a program; a thread is neither. */
export interface Started {
  /** Seconds since 1970. */
  at: number;
  call: string;
}

const LINE = /^(?:\[pid\s+)?(\d+)\]?\s+(\d+\.\d+)\s+(execve|execveat|fork|vfork|clone|clone3)\((.*)$/;

export function startedIn(trace: string): Started[] {
  return trace.split('\n').flatMap((line) => {
    const [, , at, call = '', rest = ''] = LINE.exec(line) ?? [];
    if (at === undefined || (call.startsWith('clone') && rest.includes('CLONE_THREAD'))) return [];
    return [{ at: Number(at), call }];
  });
}
