import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import {
  checkOperatorPair,
  makeCa,
  makeServerCert,
  msLeft,
  namesHost,
  RENEW_MS,
} from '../../collector/certs.ts';
import { init } from '../../collector/main.ts';
import { readToken } from '../../protocol/enrolment.ts';
import { DAY_MS, utcMs } from '../../protocol/time.ts';
import { http, random } from '../support/agent-double.ts';
import { MovedClock, makePlace, scratch, silent, startWorld } from './running.ts';

const NOW = utcMs(Date.now());
const newCa = () => makeCa('tilsyn.test', NOW, random);

describe('certificates', () => {
  it('X1: the server certificate names the host, localhost and both loopback addresses', async () => {
    for (const host of ['tilsyn.example', '192.0.2.10', '2001:db8::1', 'localhost']) {
      const { cert } = await makeServerCert(await newCa(), host, NOW, random);
      for (const name of [host, 'localhost', '127.0.0.1', '::1'])
        expect(namesHost(cert, name), name).toBe(true);
      expect(namesHost(cert, 'elsewhere.example')).toBe(false);
    }
  });

  it('are signed by the CA, which may sign servers and nothing below them', async () => {
    const ca = await newCa();
    const [own, server] = [
      new X509Certificate(ca.cert),
      new X509Certificate((await makeServerCert(ca, 'a.example', NOW, random)).cert),
    ];
    expect(own.ca).toBe(true);
    expect(server.ca).toBe(false);
    expect(server.checkIssued(own)).toBe(true);
    expect(server.verify(own.publicKey)).toBe(true);
    expect(server.serialNumber).not.toBe(new X509Certificate(ca.cert).serialNumber);
    expect(msLeft(ca.cert, NOW)).toBeGreaterThan(3650 * DAY_MS);
  });

  it('clients that trust the CA accept it, others do not; nothing below TLS 1.3', async () => {
    const world = await startWorld();
    const [host, port] = world.handle.address.split(':');
    const options = { host: host ?? '', port: Number(port) };
    const socket = connect({ ...options, ca: world.ca });
    await once(socket, 'secureConnect');
    expect([socket.authorized, socket.getProtocol()]).toEqual([true, 'TLSv1.3']);
    socket.destroy();
    const stranger = connect({ ...options, ca: (await newCa()).cert });
    await expect(once(stranger, 'secureConnect')).rejects.toThrow();
  });

  it('the token’s pin is the SHA-256 of the CA that the collector hands out', async () => {
    const world = await startWorld();
    const { trust } = readToken(await world.token());
    const { body } = await http(world.handle.address, world.ca, 'GET', '/v1/ca');
    const raw = new X509Certificate(String(body.text)).raw;
    expect(trust).toEqual({ pin: createHash('sha256').update(raw).digest('base64url') });
  });

  it('X2: is made anew at a start once less than 30 days are left, also while running', async () => {
    const place = await makePlace();
    const path = join(place.dir, 'server.pem');
    const first = readFileSync(path, 'utf8');
    const clock = new MovedClock();
    const world = await startWorld({ place, clock });
    expect(readFileSync(path, 'utf8')).toBe(first);
    clock.offset = msLeft(first, NOW) - RENEW_MS + DAY_MS;
    await world.restart();
    const second = readFileSync(path, 'utf8');
    expect(second).not.toBe(first);
    expect(statSync(join(place.dir, 'server.key')).mode & 0o777).toBe(0o600);
    expect(msLeft(second, clock.now())).toBeGreaterThan(800 * DAY_MS);
  });

  it('X3: an operator’s certificate is taken where it fits, and nothing is made beside it', async () => {
    const dir = scratch();
    const ca = await newCa();
    const pair = await makeServerCert(ca, '127.0.0.1', NOW, random);
    const [tlsCert, tlsKey] = [join(dir, 'c.pem'), join(dir, 'k.pem')];
    writeFileSync(tlsCert, pair.cert);
    writeFileSync(tlsKey, pair.key);
    const state = join(dir, 'state');
    const made = await init({ state, policy: 'none', tlsCert, tlsKey, log: silent });
    expect(made.caFile).toBeNull();
    const world = await startWorld({ place: { dir: state, made, ca: ca.cert } });
    expect((await http(world.handle.address, ca.cert, 'GET', '/v1/health')).status).toBe(200);
    expect((await http(world.handle.address, ca.cert, 'GET', '/v1/ca')).status).toBe(404);
    expect(readToken(await world.token()).trust).toBe('system');
  });

  it('X3: what is wrong with an operator’s certificate is said', async () => {
    const [one, two] = [
      await makeServerCert(await newCa(), 'a.example', NOW, random),
      await makeServerCert(await newCa(), 'a.example', NOW, random),
    ];
    const check =
      (pair: typeof one, host: string, now = NOW) =>
      () =>
        checkOperatorPair(pair, host, now);
    expect(check(one, 'a.example')).not.toThrow();
    expect(check({ cert: one.cert, key: two.key }, 'a.example')).toThrowError(/not its key/);
    expect(check(one, 'b.example')).toThrowError(/host/);
    expect(check(one, 'a.example', utcMs(NOW + 900 * DAY_MS))).toThrowError(/expired/);
    expect(check({ cert: 'x', key: 'y' }, 'a.example')).toThrowError(/PEM/);
  });
});
