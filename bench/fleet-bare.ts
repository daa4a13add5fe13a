/** A server that does nothing but `ws` over TLS 1.3 with the collector's limits: the floor under its connections. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WebSocketServer } from 'ws';
import { MAX_FRAME_BYTES, SUBPROTOCOL } from '../protocol/frame.ts';

interface Config {
  port: number;
  cert: string;
  key: string;
}

const { port, cert, key } = JSON.parse(process.argv[2] ?? '{}') as Config;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
const server = createServer({
  ...{ cert: readFileSync(cert), key: readFileSync(key) },
  ...{ minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] },
});
const sockets = new WebSocketServer({
  ...{ server, perMessageDeflate: false, maxPayload: MAX_FRAME_BYTES },
  handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
});
sockets.on('connection', (ws) => {
  ws.on('message', () => {});
  ws.on('error', () => {});
});
setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
process.on('message', () => {
  gc();
  process.send?.('clean');
});
server.listen(port, '127.0.0.1', () => process.send?.('ready'));
