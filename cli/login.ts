/** `tilsyn login`: checks the token with the collector, then stores it for this user only. */
import { EXIT } from '../protocol/errors.ts';
import { checkOutput, duration, flag, required, text, zone } from './args.ts';
import { makeClient, REQUEST_TIMEOUT_MS } from './client.ts';
import type { Input } from './io.ts';
import { type Item, printData } from './print.ts';
import { loginFile, type Remote, readTextFile, secretFrom, serverUrl, storeLogin } from './settings.ts';
import { clean } from './text.ts';
import { showIso } from './times.ts';

export async function login(input: Input): Promise<number> {
  const { io } = input;
  checkOutput(input);
  const ca = text(input, 'ca');
  const remote: Remote = {
    server: serverUrl(required(input, 'server', '--server')),
    token: await secretFrom(required(input, 'tokenFile', '--token-file'), io, 'sign-in'),
    ca: ca === undefined ? null : readTextFile(ca, 'the CA file'),
  };
  const timeoutMs = duration(input, 'timeout', '--timeout') ?? REQUEST_TIMEOUT_MS;
  const me = await makeClient(remote, io, timeoutMs).get<Item>('/v1/whoami');
  const file = flag(input, 'dryRun') ? loginFile(io) : storeLogin(io, remote);
  const { id, role, expiresAt, collector } = me;
  if (!printData(input, { id, role, expiresAt, collector, server: remote.server, file })) {
    const until = showIso(expiresAt, zone(input));
    io.out(`signed in to ${clean(String(collector))} as ${role} ${id} until ${until}\n`);
  }
  return EXIT.done;
}
