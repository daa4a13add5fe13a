/** Remote tools on Linux and macOS, and where they write. */
import type { Roots, ToolRule } from './detect-rules.ts';

const ANYDESK = { trace: /^anydesk\.trace$/, connections: /^connection_trace\.txt$/ };
const RUSTDESK = { logfile: /_rCURRENT\.log$/ };

export function linuxTools({ homes }: Roots): ToolRule[] {
  return [
    {
      tool: 'sshd',
      name: 'OpenSSH',
      way: ['/etc', 'ssh'],
      files: {},
      installed: /^sshd_config$/,
    },
    { tool: 'anydesk', name: 'AnyDesk', way: ['/var', 'log'], files: { trace: ANYDESK.trace } },
    { tool: 'anydesk', name: 'AnyDesk', way: ['/var', 'log', /^anydesk/], files: { trace: /\.trace$/ } },
    { tool: 'anydesk', name: 'AnyDesk', way: ['/etc', 'anydesk'], files: ANYDESK, folderTells: true },
    ...homes.map((home) => ({ tool: 'anydesk', name: 'AnyDesk', way: [home, '.anydesk'], files: ANYDESK })),
    ...homes.map((home) => ({
      tool: 'rustdesk',
      name: 'RustDesk',
      way: [home, '.local', 'share', 'logs', 'RustDesk', 'server'],
      files: RUSTDESK,
    })),
    { tool: 'x11vnc', name: 'x11vnc', way: ['/var', 'log'], files: { logfile: /^x11vnc.*\.log$/ } },
    { tool: 'x11vnc', name: 'x11vnc', way: ['/usr', 'bin'], files: {}, installed: /^x11vnc$/ },
    { tool: 'realvnc', name: 'RealVNC', way: ['/var', 'log'], files: { logfile: /^vncserver-x11.*\.log$/ } },
    { tool: 'realvnc', name: 'RealVNC', way: ['/usr', 'bin'], files: {}, installed: /^vncserver-x11$/ },
    {
      tool: 'screenconnect',
      name: 'ScreenConnect',
      way: ['/opt', /^(?:screenconnect|connectwisecontrol)-/i],
      files: {},
      folderTells: true,
    },
    {
      tool: 'splashtop',
      name: 'Splashtop',
      way: ['/opt', 'splashtop-streamer'],
      files: {},
      folderTells: true,
    },
  ];
}

/** Of the system's own sshd and screen sharing nothing is said: every Mac has them, and neither writes a file. */
export function macTools({ homes }: Roots): ToolRule[] {
  const program = (tool: string, name: string, folder: string | RegExp): ToolRule => ({
    tool,
    name,
    way: ['/Applications', folder],
    files: {},
    folderTells: true,
  });
  return [
    { tool: 'anydesk', name: 'AnyDesk', way: ['/var', 'log'], files: { trace: ANYDESK.trace } },
    ...homes.map((home) => ({ tool: 'anydesk', name: 'AnyDesk', way: [home, '.anydesk'], files: ANYDESK })),
    program('anydesk', 'AnyDesk', 'AnyDesk.app'),
    ...homes.map((home) => ({
      tool: 'rustdesk',
      name: 'RustDesk',
      way: [home, 'Library', 'Logs', 'RustDesk', 'server'],
      files: RUSTDESK,
    })),
    program('rustdesk', 'RustDesk', 'RustDesk.app'),
    program('screenconnect', 'ScreenConnect', /^connectwisecontrol-.*\.app$/i),
    program('splashtop', 'Splashtop', 'Splashtop Streamer.app'),
    program('realvnc', 'RealVNC', /^(?:RealVNC|VNC Server\.app)$/),
  ];
}
