import { expect, test } from 'vitest';
import { choiceOf, knownTypes } from '../../../agent/sources/source-types.ts';

test('a tool with several kinds of files is told apart by the name of the file', () => {
  expect(choiceOf('anydesk', 'C:\\ProgramData\\AnyDesk\\connection_trace.txt')?.part).toBe(
    'connection-trace',
  );
  expect(choiceOf('anydesk', '/var/log/connection_trace/anydesk.trace')?.part).toBe('trace');
  expect(choiceOf('teamviewer-log', 'x')).toEqual({ type: 'teamviewer', part: 'logfile' });
  for (const none of ['telnet', 'toString', '']) expect(choiceOf(none, 'x')).toBeNull();
});

test('the types that can be tested are those with a reader, and those that a declaration makes one for', async () => {
  expect(await knownTypes()).toEqual(expect.arrayContaining(['declared', 'csv']));
});
