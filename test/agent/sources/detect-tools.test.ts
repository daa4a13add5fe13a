import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ToolProbe } from '../../../agent/sources/detect-rules.ts';
import { detectTools, type FoundTool, toolProbe } from '../../../agent/sources/detect-tools.ts';
import { type Covering, uncovered } from '../../../agent/sources/uncovered.ts';

/** Folders and the names in them; what is in `locked` may not be read. */
function disk(folders: Record<string, string[] | 'refused'>, locked: string[] = []): ToolProbe {
  return {
    list: (folder) => Promise.resolve(folders[folder] ?? null),
    readable: (path) => Promise.resolve(!locked.includes(path)),
  };
}

async function found(platform: string, probe: ToolProbe, env: Record<string, string> = {}) {
  return (await detectTools({ platform, env, probe })).found;
}

const brief = ({ tool, folder, files }: FoundTool) => [tool, folder, ...Object.keys(files)].join(' ');

describe('what is found', () => {
  test('Windows: every tool by its folder, users who are not us, an unreadable log', async () => {
    const logs = 'C:\\Windows\\System32\\winevt\\Logs';
    const roaming = 'C:\\Users\\one\\AppData\\Roaming';
    const service = 'C:\\Windows\\ServiceProfiles\\LocalService\\AppData\\Roaming\\RustDesk\\log\\server';
    const probe = disk(
      {
        'C:\\Users': ['one'],
        'C:\\ProgramData\\AnyDesk': ['ad_svc.trace', 'connection_trace.txt', 'ad_1a2b'],
        'C:\\ProgramData\\AnyDesk\\ad_1a2b': ['ad_svc.trace'],
        [`${roaming}\\AnyDesk`]: ['ad.trace', 'user.conf'],
        [service]: ['rustdesk_r2026-11-01_00-00-00.log', 'rustdesk_rCURRENT.log'],
        [logs]: ['Security.evtx', 'Microsoft-Windows-TerminalServices-LocalSessionManager%4Operational.evtx'],
        'C:\\Program Files (x86)': [
          'ScreenConnect Client (0123456789abcdef)',
          'UltraViewer',
          'Remote Utilities - Host',
        ],
        'C:\\Program Files (x86)\\ScreenConnect Client (0123456789abcdef)': ['x.exe'],
        'C:\\Program Files (x86)\\UltraViewer': ['ConnectionLog.Log'],
        'C:\\Program Files (x86)\\Remote Utilities - Host\\Logs': ['rut_log_2026-11.html'],
        'C:\\Program Files (x86)\\Splashtop\\Splashtop Remote\\Server\\log': ['SPLog.txt', 'FTCLog.txt'],
        'C:\\Program Files\\TeamViewer': ['Connections_incoming.txt'],
        'C:\\ProgramData\\SupremoRemoteDesktop\\Log': ['Supremo.00.Incoming.log', 'Supremo.00.Client.log'],
        'C:\\ProgramData\\TightVNC\\Server\\Logs': [],
        'C:\\ProgramData\\LogMeIn\\Logs': ['LMI20261127.log'],
        'C:\\ProgramData\\Kaseya\\Log': ['a.log'],
        'C:\\Program Files\\ATERA Networks\\AteraAgent': ['log.txt'],
        'C:\\Windows\\SysWOW64\\rserver30': ['Radm_log.htm'],
        'C:\\Users\\one\\AppData\\Local\\ZohoMeeting\\log': ['SessionAuditReport_1.log'],
        'C:\\ProgramData\\ssh': ['sshd_config'],
      },
      ['C:\\ProgramData\\AnyDesk\\ad_svc.trace'],
    );
    const tools = await found('win32', probe);
    expect(tools.map(brief).toSorted()).toEqual(
      [
        'teamviewer C:\\Program Files\\TeamViewer connectionsIncoming',
        'anydesk C:\\ProgramData\\AnyDesk trace connections',
        'anydesk C:\\ProgramData\\AnyDesk\\ad_1a2b trace',
        `anydesk ${roaming}\\AnyDesk trace`,
        `rustdesk ${service} logfile`,
        `rdp ${logs} sessions`,
        'sshd C:\\ProgramData\\ssh',
        'screenconnect C:\\Program Files (x86)\\ScreenConnect Client (0123456789abcdef)',
        'splashtop C:\\Program Files (x86)\\Splashtop\\Splashtop Remote\\Server\\log logfile files',
        'supremo C:\\ProgramData\\SupremoRemoteDesktop\\Log logfile',
        'ultraviewer C:\\Program Files (x86)\\UltraViewer logfile',
        'radmin C:\\Windows\\SysWOW64\\rserver30 logfile',
        'remote-utilities C:\\Program Files (x86)\\Remote Utilities - Host\\Logs logfile',
        'zoho-assist C:\\Users\\one\\AppData\\Local\\ZohoMeeting\\log logfile',
        'tightvnc C:\\ProgramData\\TightVNC\\Server\\Logs',
        'logmein C:\\ProgramData\\LogMeIn\\Logs logfile',
        'atera C:\\Program Files\\ATERA Networks\\AteraAgent logfile',
        'kaseya C:\\ProgramData\\Kaseya\\Log logfile',
      ].toSorted(),
    );
    const of = (tool: string) => tools.find((one) => one.tool === tool);
    expect(of('anydesk')).toMatchObject({ readable: false, supported: 'built-in', spec: null });
    expect(of('rustdesk')?.files.logfile).toBe(`${service}\\rustdesk_rCURRENT.log`);
    expect(of('ultraviewer')).toMatchObject({ supported: 'declared-example', spec: 'ultraviewer' });
    expect(of('splashtop')).toMatchObject({ readable: true, supported: 'none' });
  });

  test('Linux: sshd by its settings and the log of syslog, programs, homes; what could not be looked into', async () => {
    const folders: Record<string, string[] | 'refused'> = {
      '/etc/ssh': ['ssh_config', 'sshd_config'],
      '/var/log': ['auth.log', 'x11vnc.log', 'anydesk.trace', 'anydesk-1'],
      '/var/log/anydesk-1': ['ad.trace'],
      '/usr/bin': ['x11vnc', 'vim'],
      '/home': ['one', 'two'],
      '/home/one/.anydesk': ['anydesk.trace', 'connection_trace.txt'],
      '/home/two/.anydesk': 'refused',
      '/root/.local/share/logs/RustDesk/server': ['rustdesk_rCURRENT.log'],
      '/opt': ['screenconnect-0123456789abcdef'],
      '/opt/screenconnect-0123456789abcdef': ['bin'],
    };
    const detection = await detectTools({ platform: 'linux', env: {}, probe: disk(folders) });
    expect(detection.found.map(brief)).toEqual([
      'sshd /var/log logfile',
      'anydesk /var/log trace',
      'anydesk /var/log/anydesk-1 trace',
      'anydesk /home/one/.anydesk trace connections',
      'rustdesk /root/.local/share/logs/RustDesk/server logfile',
      'x11vnc /var/log logfile',
      'screenconnect /opt/screenconnect-0123456789abcdef',
    ]);
    expect(detection.lookedAt).toContainEqual({ folder: '/home/two/.anydesk', result: 'refused' });
    expect(detection.lookedAt).toContainEqual({ folder: '/usr/bin', result: 'found' });
    expect(new Set(detection.lookedAt.map(({ folder }) => folder)).size).toBe(detection.lookedAt.length);
    // Without sshd, auth.log is no log of it; with the journal only, it has none that is a file.
    const { '/etc/ssh': _ssh, ...without } = folders;
    expect((await found('linux', disk(without))).map(({ tool }) => tool)).not.toContain('sshd');
    const journal = { '/etc/ssh': ['sshd_config'], '/var/log': ['journal'], '/var/log/journal': [] };
    expect((await found('linux', disk(journal))).map(brief)).toEqual(['sshd /var/log/journal']);
  });

  test('macOS', async () => {
    const probe = disk({
      '/Users': ['one'],
      '/Users/one/.anydesk': ['anydesk.trace'],
      '/Users/one/Library/Logs/RustDesk/server': ['RustDesk_rCURRENT.log'],
      '/Applications': ['connectwisecontrol-0123.app', 'AnyDesk.app'],
      '/Applications/connectwisecontrol-0123.app': ['Contents'],
      '/Applications/AnyDesk.app': ['Contents'],
    });
    expect((await found('darwin', probe)).map(brief)).toEqual([
      'anydesk /Users/one/.anydesk trace',
      'rustdesk /Users/one/Library/Logs/RustDesk/server logfile',
      'screenconnect /Applications/connectwisecontrol-0123.app',
    ]);
  });

  test('a real disk, and a file that this account may not read', async () => {
    const home = mkdtempSync(join(tmpdir(), 'tilsyn-detect-'));
    try {
      mkdirSync(join(home, '.anydesk'));
      const trace = join(home, '.anydesk', 'anydesk.trace');
      writeFileSync(trace, '');
      chmodSync(trace, 0o000);
      const tools = await found('linux', toolProbe, { HOME: home });
      const one = tools.find(({ folder }) => folder.startsWith(home));
      expect(one?.files).toEqual({ trace });
      expect(one?.readable).toBe(await toolProbe.readable(trace));
      expect(await toolProbe.readable(join(home, 'none'))).toBe(false);
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  test('whatever a disk answers, detection does, and asks for each folder once', async () => {
    const names = fc.constantFrom(
      'auth.log',
      'sshd_config',
      'AnyDesk',
      'ad.trace',
      'one',
      'teamviewer15',
      'x11vnc',
    );
    const answer = fc.oneof(
      fc.constant(null),
      fc.constant('refused' as const),
      fc.array(names, { maxLength: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('win32', 'linux', 'darwin', 'aix'),
        fc.array(answer, { minLength: 1 }),
        async (platform, answers) => {
          const asked = new Map<string, number>();
          const probe: ToolProbe = {
            readable: () => Promise.resolve(true),
            list(folder) {
              asked.set(folder, (asked.get(folder) ?? 0) + 1);
              return Promise.resolve(answers[asked.size % answers.length] ?? null);
            },
          };
          const detection = await detectTools({ platform, env: {}, probe });
          expect(Math.max(...asked.values())).toBe(1);
          expect(detection.lookedAt.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('what nobody reads', () => {
  const tool = (over: Partial<FoundTool>): FoundTool => ({
    tool: 'anydesk',
    name: 'AnyDesk',
    folder: '/home/one/.anydesk',
    files: { trace: '/home/one/.anydesk/anydesk.trace' },
    readable: true,
    supported: 'built-in',
    spec: null,
    ...over,
  });
  const source = (over: Partial<Covering>): Covering => ({ type: 'anydesk', files: [], spec: null, ...over });
  const reasons = (found: FoundTool[], sources: Covering[]) =>
    uncovered(found, sources).map((one) => `${one.tool} ${one.reason}`);
  const splashtop = tool({ tool: 'splashtop', folder: '/opt/splashtop', files: {}, supported: 'none' });
  const x11vnc = tool({
    tool: 'x11vnc',
    folder: '/usr/bin',
    files: {},
    supported: 'declared-example',
    spec: 'x11vnc',
  });

  test('M6 each tool once, with what is missing', () => {
    expect(reasons([tool({}), tool({ folder: '/var/log' }), splashtop, x11vnc], [])).toEqual([
      'anydesk no-source',
      'splashtop no-reader',
      'x11vnc no-source',
    ]);
  });

  test('M6 a source of its type, a shipped declaration, and a declared file below its folder cover it', () => {
    expect(reasons([tool({}), tool({ folder: '/var/log', files: {} })], [source({})])).toEqual([]);
    expect(reasons([tool({ readable: false })], [source({})])).toEqual(['anydesk refused']);
    expect(reasons([tool({ files: {} })], [source({})])).toEqual(['anydesk no-log']);
    const declared = (files: string[], spec = '/etc/t.yaml') => source({ type: 'declared', files, spec });
    expect(reasons([x11vnc], [declared(['/var/log/v.log'], 'x11vnc')])).toEqual([]);
    expect(reasons([x11vnc], [declared(['/usr/bin/x.log'])])).toEqual(['x11vnc no-source']);
    expect(reasons([splashtop], [declared(['/opt/splashtop/log/SPLog.txt'])])).toEqual([]);
    expect(reasons([splashtop], [declared(['/opt/splashtopX/SPLog.txt'])])).toEqual(['splashtop no-reader']);
  });
});
