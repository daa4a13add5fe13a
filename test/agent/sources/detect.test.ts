import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type DetectProbe, detectTeamviewer, diskProbe } from '../../../agent/sources/detect.ts';

/** Folders and the names in them. */
function disk(folders: Record<string, string[] | 'refused'>): DetectProbe {
  return { list: (folder) => Promise.resolve(folders[folder] ?? null) };
}

const CONNECTIONS = 'Connections_incoming.txt';

describe('Windows', () => {
  const env = {
    SystemDrive: 'C:',
    ProgramFiles: 'C:\\Program Files',
    APPDATA: 'C:\\Windows\\system32\\AppData',
  };

  test('the program folders, with the log of the newest version', async () => {
    const folder = 'C:\\Program Files (x86)\\TeamViewer';
    const names = [
      'TeamViewer9_Logfile.log',
      'TeamViewer15_Logfile.log',
      'TeamViewer15_Logfile_OLD.log',
      CONNECTIONS,
    ];
    const { found, lookedAt } = await detectTeamviewer({
      platform: 'win32',
      env,
      probe: disk({ [folder]: names }),
    });
    expect(found).toEqual([
      {
        tool: 'teamviewer',
        folder,
        connectionsIncoming: `${folder}\\${CONNECTIONS}`,
        connections: null,
        logfile: `${folder}\\TeamViewer15_Logfile.log`,
      },
    ]);
    expect(lookedAt).toContainEqual({ folder, result: 'found' });
    expect(lookedAt).toContainEqual({ folder: 'C:\\Program Files\\TeamViewer', result: 'missing' });
    expect(new Set(lookedAt.map((one) => one.folder)).size).toBe(lookedAt.length);
  });

  test('lower-case names, a folder in the root of the drive, users who are not us', async () => {
    const probe = disk({
      'C:\\': ['TeamViewe12', 'Windows'],
      'C:\\TeamViewe12': ['connections_incoming.txt'],
      'C:\\Users': ['one', 'two'],
      'C:\\Users\\one\\AppData\\Roaming\\TeamViewer': ['Connections.txt'],
      'C:\\Users\\two\\AppData\\Local\\TeamViewer\\Logs': ['TeamViewer15_Logfile.log', 'TVNetwork.log'],
    });
    const { found } = await detectTeamviewer({ platform: 'win32', env: {}, probe });
    expect(found.map((one) => one.connectionsIncoming ?? one.connections ?? one.logfile)).toEqual([
      'C:\\TeamViewe12\\connections_incoming.txt',
      'C:\\Users\\one\\AppData\\Roaming\\TeamViewer\\Connections.txt',
      'C:\\Users\\two\\AppData\\Local\\TeamViewer\\Logs\\TeamViewer15_Logfile.log',
    ]);
  });
});

test('Linux: daemon, version 12 with users below, users of the program', async () => {
  const probe = disk({
    '/var/log': ['syslog', 'teamviewer12', 'teamviewer15'],
    '/var/log/teamviewer12': ['one', 'install.log'],
    '/var/log/teamviewer12/one': ['TeamViewer12_Logfile.log'],
    '/var/log/teamviewer15': ['TeamViewer15_Logfile.log', CONNECTIONS],
    '/home': ['two'],
    '/home/two/.local/share': ['teamviewer15'],
    '/home/two/.local/share/teamviewer15/logfiles': ['TeamViewer15_Logfile.log'],
    '/opt/teamviewer/logfiles': 'refused',
  });
  const { found, lookedAt } = await detectTeamviewer({ platform: 'linux', env: { HOME: '/root' }, probe });
  expect(found.map((one) => one.folder)).toEqual([
    '/var/log/teamviewer12/one',
    '/var/log/teamviewer15',
    '/home/two/.local/share/teamviewer15/logfiles',
  ]);
  expect(found[1]?.connectionsIncoming).toBe(`/var/log/teamviewer15/${CONNECTIONS}`);
  expect(lookedAt[0]).toEqual({ folder: '/opt/teamviewer/logfiles', result: 'refused' });
});

test('macOS: the machine and each user', async () => {
  const probe = disk({
    '/Users': ['one'],
    '/Library/Logs/TeamViewer': [CONNECTIONS],
    '/Users/one/Library/Logs/TeamViewer': [],
  });
  const { found, lookedAt } = await detectTeamviewer({
    platform: 'darwin',
    env: { HOME: '/var/root' },
    probe,
  });
  expect(found.map((one) => one.folder)).toEqual(['/Library/Logs/TeamViewer']);
  expect(lookedAt.map((one) => one.result)).toEqual(['found', 'missing', 'nothing']);
});

test('nothing anywhere: nothing found, and it is said where was looked', async () => {
  for (const platform of ['win32', 'linux', 'darwin', 'freebsd']) {
    const { found, lookedAt } = await detectTeamviewer({ platform, env: {}, probe: disk({}) });
    expect(found).toEqual([]);
    expect(lookedAt.length).toBeGreaterThan(0);
  }
});

test('the real disk', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tilsyn-detect-'));
  mkdirSync(join(dir, 'sub'));
  writeFileSync(join(dir, 'file'), '');
  expect((await diskProbe.list(dir))?.length).toBe(2);
  expect(await diskProbe.list(join(dir, 'none'))).toBeNull();
  expect(await diskProbe.list(join(dir, 'file'))).toBeNull();
  rmSync(dir, { recursive: true });
});
