/** The reader of traces: what it must see, and what it must not take for it. */
import { expect, test } from 'vitest';
import { startedIn } from './trace.ts';

const TRACE = `4711  1795350000.100000 execve("/usr/bin/node", ["node"], 0x7f /* 9 vars */) = 0
4711  1795350001.200000 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD|CLONE_SYSVSEM, child_tid=0x7f} => {parent_tid=[4712]}, 88) = 4712
4711  1795350002.300000 clone(child_stack=NULL, flags=CLONE_VM|CLONE_VFORK|SIGCHLD) = 4713
4713  1795350002.400000 execve("/bin/sh", ["sh", "-c", "x"], 0x7f <unfinished ...>
4711  1795350003.500000 vfork( <unfinished ...>
4711  1795350003.600000 exit_group(0) = ?
4711  1795350003.700000 wait4(4713, NULL, 0, NULL) = 4713
4711  1795350003.800000 clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD}, 88 <unfinished ...>
`;

test('processes and programs are seen, threads and ends are not', () => {
  expect(startedIn(TRACE).map(({ at, call }) => `${at} ${call}`)).toEqual([
    '1795350000.1 execve',
    '1795350002.3 clone',
    '1795350002.4 execve',
    '1795350003.5 vfork',
    '1795350003.8 clone3',
  ]);
});
