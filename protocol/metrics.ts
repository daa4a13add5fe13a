/**
 * Metrics and health, as both roles tell them to what watches them on the same machine: text for Prometheus
 * (exposition format 0.0.4) and one JSON document.
 *
 * X11 A metric is a number under a name of ours. A label is a word of ours; no label and no name says who, which host
 *     or from where.
 * X12 It is told on loopback only.
 */
import { codeOf, TilsynError } from './errors.ts';

export interface Metric {
  /** `tilsyn_agent_spool_rows`; counters end in `_total`. */
  name: string;
  help: string;
  kind: 'counter' | 'gauge';
  /** Null: not known now; the metric is left out. */
  value: number | null;
  labels?: Readonly<Record<string, string>>;
}

export interface Check {
  ok: boolean;
  /** Numbers and words beside it. */
  [detail: string]: string | number | boolean | null;
}
export interface Health {
  ok: boolean;
  checks: Readonly<Record<string, Check>>;
}

/** All of them hold. */
export function healthOf(checks: Readonly<Record<string, Check>>): Health {
  return { ok: Object.values(checks).every((check) => check.ok), checks };
}

const NAME = /^tilsyn_(agent|collector)_[a-z][a-z0-9_]*$/;
/** A word: neither a host's name with its dots nor an id has this form (X11). */
const WORD = /^[a-z][a-z-]{0,19}$/;

/** @throws TilsynError `metrics.name` where a name or a label is none of ours (X11) */
export function exposition(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  const told = new Set<string>();
  for (const { name, help, kind, value, labels = {} } of metrics) {
    const words = Object.entries(labels);
    if (!NAME.test(name) || !words.flat().every((word) => WORD.test(word))) throw badName();
    if (value === null || !Number.isFinite(value)) continue;
    if (!told.has(name)) lines.push(`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${kind}`);
    told.add(name);
    const inside = words.map(([label, word]) => `${label}="${word}"`).join(',');
    lines.push(`${name}${inside === '' ? '' : `{${inside}}`} ${value}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function escaped(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function badName(): TilsynError {
  return new TilsynError('metrics.name', 'telling a metric: its name or a label is not one of ours', {
    hint: 'Report it; it is a fault of the program.',
  });
}

/** What is watched. */
export interface Watched {
  metrics(): Promise<readonly Metric[]>;
  health(): Promise<Health>;
}

export interface Reply {
  status: number;
  type: string;
  body: string;
}

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

/** The answer to a request. Never throws: what goes wrong is a 500, or a failed check. */
export async function replyTo(method: string, url: string, watched: Watched): Promise<Reply> {
  const [path] = url.split('?');
  if (path !== '/metrics' && path !== '/health') return plain(404, 'not found');
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'GET only');
  try {
    if (path === '/metrics') return { status: 200, type: TEXT, body: exposition(await watched.metrics()) };
    const health = await watched.health();
    return { status: health.ok ? 200 : 503, type: JSON_TYPE, body: `${JSON.stringify(health)}\n` };
  } catch (error) {
    return path === '/metrics' ? plain(500, codeOf(error)) : failed(codeOf(error));
  }
}

function plain(status: number, text: string): Reply {
  return { status, type: 'text/plain; charset=utf-8', body: `${text}\n` };
}

/** Health that cannot be told is not well. */
function failed(code: string): Reply {
  const health: Health = { ok: false, checks: { health: { ok: false, code } } };
  return { status: 503, type: JSON_TYPE, body: `${JSON.stringify(health)}\n` };
}

const LOOPBACK = /^(127(?:\.\d{1,3}){3}|\[::1\]|localhost):(\d{1,5})$/;

/** `127.0.0.1:9464` (X12). @throws TilsynError `metrics.address` */
export function readLoopback(text: string): { host: string; port: number } {
  const match = LOOPBACK.exec(text);
  const [, host = '', port = ''] = match ?? [];
  const inRange = host.split('.').every((part) => !/^\d+$/.test(part) || Number(part) <= 255);
  if (match !== null && inRange && Number(port) <= 65_535) {
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  }
  throw new TilsynError(
    'metrics.address',
    'reading --metrics: it must be an address of loopback and a port',
    {
      hint: 'For example --metrics 127.0.0.1:9464; let something on this machine pass it on, with its own sign-in.',
      exit: 'usage',
    },
  );
}
