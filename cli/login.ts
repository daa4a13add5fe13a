/** `tilsyn login`: checks the token with the collector, then stores it for this user only. */
import { EXIT } from '../protocol/errors.ts';
import { duration, flag, format, required, text } from './args.ts';
import { makeClient, REQUEST_TIMEOUT_MS } from './client.ts';
import type { Input } from './io.ts';
import type { Item } from './print.ts';
import { loginFile, type Remote, readTextFile, secretFrom, serverUrl, storeLogin } from './settings.ts';
import { jsonText } from './text.ts';

export async function login(input: Input): Promise<number> {
  const { io } = input;
  const kind = format(input, 'table', 'json');
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
  if (kind === 'json') io.out(jsonText({ id, role, expiresAt, collector, server: remote.server, file }));
  else io.out(`signed in to ${collector} as ${role} ${id} until ${expiresAt}\n`);
  return EXIT.done;
}
