/**
 * A real OpenSSH server on loopback and a real rsyslog that writes its `auth.log`: own configuration, own host key, own
 * port, an account of its own that is made and removed. Nothing of the machine's own server is touched.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { claimDevLog, command, DEV_LOG, type Needs, Program } from './programs.ts';

export const SSHD_NEEDS: Needs = {
  programs: {
    sshd: 'openssh-server',
    ssh: 'openssh-client',
    rsyslogd: 'rsyslog',
    useradd: 'passwd',
    ps: 'procps',
  },
  root: true,
};

export class SshServer {
  readonly account: string;
  readonly log: string;
  readonly #dir: string;
  readonly #port: number;
  readonly #env: Record<string, string>;
  #programs: Program[] = [];
  #account = false;
  #device = false;

  private constructor(dir: string, port: number, env: Record<string, string>) {
    this.#dir = dir;
    this.#port = port;
    this.#env = env;
    this.account = `tilsyn-live-${process.pid}`;
    this.log = join(dir, 'log', 'auth.log');
  }

  static async open(env: Record<string, string>): Promise<SshServer> {
    const dir = mkdtempSync(join(tmpdir(), 'tilsyn-sshd-'));
    // The server reads its list of keys as the account.
    chmodSync(dir, 0o755);
    for (const name of ['log', 'home']) mkdirSync(join(dir, name), { mode: 0o755 });
    const server = new SshServer(dir, await freePort(), env);
    try {
      await server.#start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  async #start(): Promise<void> {
    const at = (name: string) => join(this.#dir, name);
    claimDevLog();
    await command(
      'useradd',
      '--no-create-home',
      '--home-dir',
      at('home'),
      '--shell',
      '/bin/sh',
      this.account,
    );
    this.#account = true;
    await command('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', at('host_key'));
    await command('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', at('id'));
    writeFileSync(at('authorized_keys'), readFileSync(at('id.pub')), { mode: 0o644 });
    writeFileSync(at('sshd.conf'), this.#sshdConfig(at));
    writeFileSync(at('rsyslog.conf'), rsyslogConfig(at('log'), this.log));
    writeFileSync(this.log, '');
    await this.#startLogger(at);
    mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    const server = new Program('sshd', ['-D', '-f', at('sshd.conf')], this.#env, at('sshd.out'));
    this.#programs.push(server);
    await server.ready(() => this.lines().some((line) => /sshd\[\d+\]: Server listening on/.test(line)));
  }

  async #startLogger(at: (name: string) => string): Promise<void> {
    const args = ['-n', '-f', at('rsyslog.conf'), '-i', at('rsyslog.pid')];
    const logger = new Program('rsyslogd', args, this.#env, at('rsyslog.out'));
    this.#programs.push(logger);
    this.#device = true;
    await logger.ready(() => readFileSync('/proc/net/unix', 'utf8').includes(` ${DEV_LOG}\n`));
  }

  #sshdConfig(at: (name: string) => string): string {
    return [
      `Port ${this.#port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${at('host_key')}`,
      `PidFile ${at('sshd.pid')}`,
      `AuthorizedKeysFile ${at('authorized_keys')}`,
      'UsePAM yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin no',
      'StrictModes no',
      'PrintMotd no',
      'SyslogFacility AUTH',
      'Subsystem sftp internal-sftp',
      '',
    ].join('\n');
  }

  lines(): string[] {
    return readFileSync(this.log, 'utf8').split('\n');
  }

  /** Somebody who logs in and stays for so long, unless they are ended before. */
  logIn(account = this.account, seconds = 120): Program {
    const options = {
      StrictHostKeyChecking: 'no',
      UserKnownHostsFile: '/dev/null',
      LogLevel: 'ERROR',
      IdentitiesOnly: 'yes',
      BatchMode: 'yes',
    };
    const args = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    const where = ['-F', 'none', '-p', String(this.#port), '-i', join(this.#dir, 'id')];
    const whole = [...where, ...args, `${account}@127.0.0.1`, `sleep ${seconds}`];
    return new Program('ssh', whole, this.#env, join(this.#dir, 'ssh.out'));
  }

  async close(): Promise<void> {
    for (const program of this.#programs.toReversed()) await program.end();
    if (this.#account) await this.#removeAccount();
    if (this.#device) rmSync(DEV_LOG, { force: true });
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** What a killed client left running goes first; it is the account's, and the account is ours. */
  async #removeAccount(): Promise<void> {
    for (let left = 20; ; left -= 1) {
      for (const pid of processesOf(this.account)) endProcess(pid);
      try {
        return await command('userdel', this.account);
      } catch (error) {
        if (left === 0) throw error;
        await sleep(250);
      }
    }
  }
}

function processesOf(account: string): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '-u', account], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 1);
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It went by itself.
  }
}

function rsyslogConfig(work: string, log: string): string {
  return [
    `global(workDirectory="${work}")`,
    `module(load="imuxsock" SysSock.Name="${DEV_LOG}")`,
    `action(type="omfile" file="${log}" template="RSYSLOG_FileFormat")`,
    '',
  ].join('\n');
}
