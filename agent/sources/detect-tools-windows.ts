/** Remote tools on Windows, and where they write. The folders are those of forensic collectors (KAPE). */
import type { Roots, ToolRule, Way } from './detect-rules.ts';

const each = (roots: readonly string[], ...rest: Way): Way[] => roots.map((root) => [root, ...rest]);

const ANYDESK = {
  trace: /^ad(?:_svc)?\.trace$/i,
  connections: /^connection_trace\.txt$/i,
  files: /^file_transfer_trace\.txt$/i,
};
const RUSTDESK = { logfile: /_rCURRENT\.log$/i };

export function windowsTools({ programs, data, windows, roaming, local }: Roots): ToolRule[] {
  const rules = (
    tool: string,
    name: string,
    ways: readonly Way[],
    rest: Omit<ToolRule, 'tool' | 'name' | 'way'>,
  ) => ways.map((way) => ({ tool, name, way, ...rest }));
  const profile = ['config', 'systemprofile', 'AppData', 'Roaming', 'AnyDesk'];
  const service = ['ServiceProfiles', 'LocalService', 'AppData', 'Roaming', 'RustDesk', 'log', 'server'];
  return [
    ...rules('anydesk', 'AnyDesk', each(data, 'AnyDesk'), { files: ANYDESK }),
    ...rules('anydesk', 'AnyDesk', each(data, 'AnyDesk', /^ad_/i), { files: ANYDESK }),
    ...rules('anydesk', 'AnyDesk', each(roaming, 'AnyDesk'), { files: ANYDESK }),
    ...rules('anydesk', 'AnyDesk', each(windows, 'SysWOW64', ...profile), { files: ANYDESK }),
    ...rules('rustdesk', 'RustDesk', each(windows, ...service), { files: RUSTDESK }),
    ...rules('rustdesk', 'RustDesk', each(roaming, 'RustDesk', 'log', 'server'), { files: RUSTDESK }),
    ...rules('rdp', 'Remote Desktop', each(windows, 'System32', 'winevt', 'Logs'), {
      files: {
        sessions: /^Microsoft-Windows-TerminalServices-LocalSessionManager%4Operational\.evtx$/i,
        connections: /^Microsoft-Windows-TerminalServices-RemoteConnectionManager%4Operational\.evtx$/i,
      },
    }),
    ...rules('sshd', 'OpenSSH', each(data, 'ssh'), { files: {}, installed: /^sshd_config$/i }),
    ...rules('sshd', 'OpenSSH', each(data, 'ssh', 'logs'), { files: { logfile: /^sshd\.log$/i } }),
    ...rules('screenconnect', 'ScreenConnect', each(programs, /^ScreenConnect Client \(/i), {
      files: {},
      folderTells: true,
    }),
    ...rules('screenconnect', 'ScreenConnect server', each(programs, 'ScreenConnect', 'App_Data'), {
      files: { sessions: /^Session\.db$/i },
    }),
    ...rules('splashtop', 'Splashtop', each(programs, 'Splashtop', 'Splashtop Remote', 'Server', 'log'), {
      files: { logfile: /^SPLog\.txt$/i, files: /^FTCLog\.txt$/i },
    }),
    ...rules('splashtop', 'Splashtop', each(data, 'Splashtop', 'Temp', 'log'), {
      files: { logfile: /^SPLog\.txt$/i, files: /^FTCLog\.txt$/i },
    }),
    ...rules('supremo', 'Supremo', each(data, 'SupremoRemoteDesktop', 'Log'), {
      files: { logfile: /^Supremo\.\d\d\.Incoming\.log$/i, files: /^Supremo\.\d\d\.FileTransfer\.log$/i },
      folderTells: true,
    }),
    ...rules('ultraviewer', 'UltraViewer', each(programs, 'UltraViewer'), {
      files: { logfile: /^ConnectionLog\.log$/i, service: /^UltraViewerService_log\.txt$/i },
      folderTells: true,
    }),
    ...rules('ultraviewer', 'UltraViewer', each(roaming, 'UltraViewer'), {
      files: { logfile: /^Connection_IN_Log\.txt$/i },
    }),
    ...rules('radmin', 'Radmin', each(windows, 'SysWOW64', 'rserver30'), {
      files: { logfile: /^Radm_log\.htm$/i },
      folderTells: true,
    }),
    ...rules('remote-utilities', 'Remote Utilities', each(programs, /^Remote Utilities/i, 'Logs'), {
      files: { logfile: /^rut_log_.*\.html$/i },
      folderTells: true,
    }),
    ...rules('rms', 'Remote Manipulator System', each(programs, /^Remote Manipulator System/i, 'Logs'), {
      files: { logfile: /^rms_log_.*\.html$/i },
      folderTells: true,
    }),
    ...rules('zoho-assist', 'Zoho Assist', each([...data, ...local, ...programs], 'ZohoMeeting', 'log'), {
      files: { logfile: /\.log$/i },
    }),
    ...rules('realvnc', 'RealVNC', each([...data, ...local], /^RealVNC/i), {
      files: { logfile: /^vncserver\.log$/i },
    }),
    ...rules('realvnc', 'RealVNC', each(programs, 'RealVNC', /^VNC Server$/i), {
      files: {},
      folderTells: true,
    }),
    ...rules('tightvnc', 'TightVNC', each(data, 'TightVNC', 'Server', 'Logs'), {
      files: { logfile: /\.log$/i },
      folderTells: true,
    }),
    ...rules('logmein', 'LogMeIn', each(data, 'LogMeIn', 'Logs'), {
      files: { logfile: /\.log$/i },
      folderTells: true,
    }),
    ...rules('atera', 'Atera', each(programs, 'ATERA Networks', 'AteraAgent'), {
      files: { logfile: /\.txt$/i },
      folderTells: true,
    }),
    ...rules('kaseya', 'Kaseya', each(data, 'Kaseya', 'Log'), {
      files: { logfile: /\.log$/i },
      folderTells: true,
    }),
  ];
}
