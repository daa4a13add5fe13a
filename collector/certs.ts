/**
 * Certificates: an own CA, made by `collector init`, and a server certificate signed by it; or the operator's.
 *
 * X1  The server certificate names the host of the URL, localhost and both loopback addresses.
 * X2  It is made anew at a start, and while running, once less than 30 days are left.
 * X3  An operator's certificate is used as it is: what is wrong with it is said at the start, not mended.
 */
import 'reflect-metadata';
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { TilsynError } from '../protocol/errors.ts';
import type { Random } from '../protocol/ids.ts';
import { DAY_MS, HOUR_MS, type UtcMs } from '../protocol/time.ts';

export const CA_MS = 3_653 * DAY_MS;
/** Longest that today's clients accept. */
export const SERVER_MS = 825 * DAY_MS;
export const RENEW_MS = 30 * DAY_MS;
/** A client whose clock is a little behind still accepts what was made just now. */
const BACKDATE_MS = 24 * HOUR_MS;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** Certificate and private key, PEM. */
export interface KeyPairPem {
  cert: string;
  key: string;
}

x509.cryptoProvider.set(webcrypto as Crypto);

async function newKeys() {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function pemOf(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

/** Positive and never two alike. */
function serial(random: Random): string {
  const bytes = random(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

function validity(now: UtcMs, ms: number) {
  return { notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(now + ms) };
}

export async function makeCa(name: string, now: UtcMs, random: Random): Promise<KeyPairPem> {
  const keys = await newKeys();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(random),
    name: [{ CN: [`Tilsyn CA ${name}`.slice(0, 64)] }],
    ...validity(now, CA_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as CryptoKey),
    ],
  });
  return { cert: `${cert.toString('pem')}\n`, key: await pemOf(keys.privateKey as CryptoKey) };
}

/** @param host of the collector's URL, a name or an address */
export async function makeServerCert(
  ca: KeyPairPem,
  host: string,
  now: UtcMs,
  random: Random,
): Promise<KeyPairPem> {
  const issuer = new x509.X509Certificate(ca.cert);
  const der = createPrivateKey(ca.key).export({ format: 'der', type: 'pkcs8' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
  const keys = await newKeys();
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serial(random),
    subject: [{ CN: [host.slice(0, 64)] }],
    issuer: issuer.subject,
    ...validity(now, SERVER_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey as CryptoKey,
    signingKey: signingKey as CryptoKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([SERVER_AUTH]),
      new x509.SubjectAlternativeNameExtension(alternatives(host)),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as CryptoKey),
    ],
  });
  return { cert: `${cert.toString('pem')}\n`, key: await pemOf(keys.privateKey as CryptoKey) };
}

function alternatives(host: string): { type: 'dns' | 'ip'; value: string }[] {
  const names = new Map<string, 'dns' | 'ip'>([
    [host, isIP(host) === 0 ? 'dns' : 'ip'],
    ['localhost', 'dns'],
    ['127.0.0.1', 'ip'],
    ['::1', 'ip'],
  ]);
  return [...names].map(([value, type]) => ({ type, value }));
}

/** Milliseconds until the certificate ends; negative where it has. */
export function msLeft(certPem: string, now: UtcMs): number {
  return Date.parse(new X509Certificate(certPem).validTo) - now;
}

/** True where the certificate names the host (X1). */
export function namesHost(certPem: string, host: string): boolean {
  const cert = new X509Certificate(certPem);
  return (isIP(host) === 0 ? cert.checkHost(host) : cert.checkIP(host)) !== undefined;
}

/** Certificate and key of the operator, fit to be used (X3). @throws TilsynError `tls.*` */
export function checkOperatorPair(pair: KeyPairPem, host: string, now: UtcMs): void {
  const wrong = (code: string, why: string, hint: string) =>
    new TilsynError(code, `reading the TLS certificate: ${why}`, { hint, exit: 'usage' });
  let fits: boolean;
  try {
    fits = new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key));
  } catch {
    throw wrong('tls.unreadable', 'certificate or key is not PEM', 'Give PEM files without a passphrase.');
  }
  if (!fits) throw wrong('tls.key-mismatch', 'the key is not its key', 'Look at --tls-cert and --tls-key.');
  if (msLeft(pair.cert, now) <= 0) throw wrong('tls.expired', 'it has expired', 'Renew it and start again.');
  if (!namesHost(pair.cert, host)) {
    throw wrong('tls.host', 'it does not name the host of --url', 'Use a certificate for that host.');
  }
}
