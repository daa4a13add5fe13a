/** Starting a program and taking what it prints, with Node in Windows' place. */
import { describe, expect, it } from 'vitest';
import { makeRunWevtutil, wevtutilPath } from '../../../agent/sources/wevtutil.ts';

const run = makeRunWevtutil(process.execPath, ['-e']);

describe('wevtutil', () => {
  it('is started by its whole path', () => {
    expect(wevtutilPath('D:\\Windows')).toBe('D:\\Windows\\System32\\wevtutil.exe');
    expect(wevtutilPath(undefined)).toBe('C:\\Windows\\System32\\wevtutil.exe');
  });

  it.each([
    ['UTF-16 with its mark', `process.stdout.write(Buffer.from('\\ufeff<Event>ø', 'utf16le'))`],
    ['UTF-16', `process.stdout.write(Buffer.from('<Event>ø', 'utf16le'))`],
    ['UTF-8', `process.stdout.write('<Event>ø')`],
  ])('prints %s', async (_name, program) => {
    expect(await run([program])).toEqual({ code: 0, stdout: '<Event>ø' });
  });

  it('hands over the code that it ended with', async () => {
    expect(await run(['process.exitCode = 5'])).toEqual({ code: 5, stdout: '' });
  });

  it('rejects where there is no such program', async () => {
    await expect(makeRunWevtutil('/no/such/program')([])).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
