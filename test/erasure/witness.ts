/**
 * A second customer as a witness: every row of its own in the collector's databases, and every answer about it, before
 * and after another customer's agreement ends. Byte for byte, but for what `MOVES` names.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { DAY_MS } from '../../protocol/time.ts';
import { must, mustEqual } from '../identity/scenario.ts';
import type { Agent } from '../identity/stage.ts';
import { http } from '../support/agent-double.ts';
import { keysIn } from '../support/leftovers.ts';
import { Site } from './site.ts';

const ROWS = 60;
/**
 * Long enough for a machine that was switched off to be shown as such, so that nothing about it changes after that, and
 * for somebody whom the admin added to be a second person.
 */
const SETTLED_MS = 8 * DAY_MS;
/**
 * What moves by itself: `to`, up to when an answer covers (until now), and when the reader's own sign-in was last used.
 * Nothing else may differ.
 */
const MOVES: readonly string[] = ['to', 'lastUsedAt'];
const API = fileURLToPath(new URL('../../collector/api/', import.meta.url));

interface Names {
  customer: string;
  host: string;
  person: string;
  sessions: string[];
  /** Self-audits of its host. */
  audits: string[];
  /** A legal hold on that host. */
  hold: string;
  agreement: string;
  /** A key group of the other customer: nobody of this one may be told that it is gone. */
  erasure: string;
}

/** Every path that is read with GET, as the product declares it; tails show what the lists beside them show. */
function declaredPaths(): string[] {
  const text = readdirSync(API).map((file) => readFileSync(join(API, file), 'utf8'));
  const found = text.flatMap((source) => [...source.matchAll(/method: 'GET',\s*path: '([^']+)'/g)]);
  return found.map(([, path = '']) => path).filter((path) => !path.endsWith('/tail'));
}

/** What is asked for each declared path. */
function asked({
  customer,
  host,
  person,
  sessions,
  audits,
  hold,
  erasure,
  agreement,
}: Names): Record<string, string[]> {
  const of = `customer=${customer}`;
  return {
    '/v1/whoami': [''],
    '/v1/people': [''],
    '/v1/people/:person/ids': [`/v1/people/${person}/ids`],
    '/v1/sessions': [`?limit=1000&attempts=1&${of}`],
    '/v1/sessions/:session': sessions.map((id) => `/v1/sessions/${id}`),
    '/v1/retention/rules': [''],
    '/v1/retention/findings': [''],
    '/v1/retention/plan': [''],
    '/v1/hosts': [`?${of}`],
    '/v1/hosts/:host': [`/v1/hosts/${host}`],
    '/v1/hosts/:host/telemetry': [`/v1/hosts/${host}/telemetry`],
    '/v1/erasures': [`?${of}`],
    '/v1/erasures/:erasure': [`/v1/erasures/${erasure}`],
    '/v1/tokens': [''],
    '/v1/agreements': [''],
    '/v1/agreements/:agreement': [`/v1/agreements/${agreement}`],
    '/v1/coverage': [`?${of}`],
    '/v1/alerts': [`?${of}`],
    '/v1/audits': [`?${of}`],
    '/v1/audits/:run': audits.map((id) => `/v1/audits/${id}`),
    '/v1/approvals': [''],
    '/v1/holds': [''],
    '/v1/holds/:hold': [`/v1/holds/${hold}`],
    '/v1/events': [`?limit=1000&${of}`, `?limit=1000&personal=1&${of}`],
    '/v1/webhooks': [''],
    '/v1/cameras': [`?${of}`],
  };
}

export class Witness {
  readonly #site: Site;
  #names!: Names;
  #agreement = '';
  #tokens: string[] = [];

  constructor(site: Site) {
    this.#site = site;
  }

  static async play(keep: boolean): Promise<string> {
    const site = await Site.open();
    try {
      return await new Witness(site).#play();
    } finally {
      await site.close(keep);
    }
  }

  async #play(): Promise<string> {
    const site = this.#site;
    const [leaves, stays] = await Promise.all([
      site.agent('leaves', 'Acme', ROWS),
      site.agent('stays', 'Beta', ROWS),
    ]);
    await stays.stop();
    this.#agreement = await site.agreementOf('Acme');
    await this.#name(stays);
    await site.pass(SETTLED_MS);
    await leaves.linked(60);
    await this.#answers();
    const answersBefore = await this.#answers();
    const dumpBefore = this.#dump();
    await this.#end();
    const dumpAfter = this.#dump();
    const answersAfter = await this.#answers();
    must(site.allErased(this.#agreement), 'a key group of the first customer lives');
    differs('rows', dumpBefore, dumpAfter);
    differs('answers', answersBefore, answersAfter);
    return `${dumpBefore.size} rows and ${answersBefore.size} answers of ${declaredPaths().length} paths are the same`;
  }

  async #name(stays: Agent): Promise<void> {
    const { stage } = this.#site;
    const people = await Promise.all(
      [['--customer', 'Beta'], []].map((more) =>
        stage.json<{ id: string; token: string }>(['person', 'add', '--role', 'dpo', ...more]),
      ),
    );
    const sessions = (await this.#site.sessionsOf('Beta')).map(({ id }) => id);
    mustEqual(sessions.length, ROWS, 'sessions of the second customer');
    const host = lookUp<{ agent: string; customer: string }>(
      stage.collectorState,
      `SELECT agent, customer FROM agents WHERE mode = 'managed' AND agreement <> '${this.#agreement}'`,
    );
    must(stays.proc?.alive === false, 'its agent runs: what it says would be a change');
    this.#tokens = people.map(({ token }) => token);
    this.#names = {
      ...{ customer: host.customer, host: host.agent, person: people[0]?.id ?? '', sessions },
      audits: auditsOf(stage.collectorState, host.agent),
      hold: await this.#hold(host.agent),
      agreement: await this.#site.agreementOf('Beta'),
      erasure: this.#site.groups(this.#agreement)[0]?.grp ?? '',
    };
  }

  /** Placed before anything is compared, over a time in which there is nothing to be moved. */
  async #hold(host: string): Promise<string> {
    const why = ['--kind', 'crime', '--case', '2026-1', '--basis', 'report', '--reason', 'theft'];
    const span = ['--from', '2020-01-01T00:00:00Z', '--to', '2020-01-02T00:00:00Z'];
    const typed = ['hold', 'place', '--host', host, ...span, ...why, '--review', '2099-01-01T00:00:00Z'];
    return (await this.#site.stage.json<{ id: string }>(typed)).id;
  }

  #ask(method: string, path: string, token: string, body?: object) {
    const { stage } = this.#site;
    const ca = readFileSync(stage.init?.caFile ?? '', 'utf8');
    const headers = { authorization: `Bearer ${token}` };
    return http(`127.0.0.1:${stage.port}`, ca, method, path, body, headers);
  }

  /** Each path for somebody who sees this customer only; by path, with the answer's text. */
  async #answers(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const paths = asked(this.#names);
    mustEqual(declaredPaths().sort(), Object.keys(paths).sort(), 'paths that the product answers');
    for (const [path, asks] of Object.entries(paths)) {
      for (const ask of asks) {
        const url = ask.startsWith('/') ? ask : `${path}${ask}`;
        const { status, body } = await this.#ask('GET', url, this.#tokens[0] ?? '');
        found.set(url, `${status} ${JSON.stringify(body, withoutMoves)}`);
      }
    }
    return found;
  }

  /** Rows that name the customer, or anything of it; by table and row. */
  #dump(): Map<string, string> {
    const { collectorState } = this.#site.stage;
    const rows = new Map<string, string>();
    for (const name of readdirSync(collectorState).filter((file) => file.endsWith('.db'))) {
      for (const text of ownRows(join(collectorState, name), this.#names.customer)) {
        // The row is its own key: one that changed is one that is missing, and another one that is new.
        const key = `${name} ${text}`;
        rows.set(key, `${Number(rows.get(key) ?? 0) + 1}`);
      }
    }
    const own = new Set(this.#ownGroups());
    for (const [group, key] of keysIn(join(collectorState, 'keys.slots'))) {
      if (own.has(group)) rows.set(`key of ${group}`, key.toString('hex'));
    }
    must(rows.size > ROWS * 3, `only ${rows.size} rows of the second customer`);
    return rows;
  }

  #ownGroups(): string[] {
    const db = new Sqlite(join(this.#site.stage.collectorState, 'collector.db'), { readonly: true });
    try {
      const sql = `SELECT grp FROM key_groups WHERE agreement IN
                   (SELECT agreement FROM agreements WHERE customer = ?)`;
      return (db.prepare(sql).all(this.#names.customer) as { grp: string }[]).map(({ grp }) => grp);
    } finally {
      db.close();
    }
  }

  /** Without a cooling-off; waited for by the database: asking for it would leave records of the reading. */
  async #end(): Promise<void> {
    const { stage } = this.#site;
    const admin = readFileSync(stage.init?.adminTokenFile ?? '', 'utf8').trim();
    const path = `/v1/agreements/${this.#agreement}/end-now`;
    const { body } = await this.#ask('POST', path, admin, { reason: 'suite' });
    const approval = (body.error as { approval?: string } | undefined)?.approval;
    must(approval !== undefined, `not asked for: ${JSON.stringify(body)}`);
    await this.#ask('POST', `/v1/approvals/${approval}/approve`, this.#tokens[1] ?? '', {});
    const sql = `SELECT ended_at AS at FROM agreements WHERE agreement = '${this.#agreement}'`;
    await stage.until(
      'the first customer’s end is complete',
      () => lookUp<{ at: number | null }>(stage.collectorState, sql).at !== null,
      90,
    );
  }
}

function withoutMoves(key: string, value: unknown): unknown {
  return MOVES.includes(key) ? undefined : value;
}

function lookUp<Row>(state: string, sql: string): Row {
  const db = new Sqlite(join(state, 'collector.db'), { readonly: true });
  try {
    return db.prepare<[], Row>(sql).get() as Row;
  } finally {
    db.close();
  }
}

/** Every row of every table that holds an id of the customer, or hangs on one by number. */
function ownRows(path: string, customer: string): string[] {
  const db = new Sqlite(path, { readonly: true });
  try {
    const tables = db
      .prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
      .all();
    const names = tables.map(({ name }) => name);
    const own = names.includes('agents') ? idsOf(db, customer) : null;
    return names.flatMap((name) =>
      (db.prepare(`SELECT * FROM "${name}"`).all() as Record<string, unknown>[])
        .filter((row) => own === null || own.has(row))
        .map((row) => `${name} ${JSON.stringify(row, bytesAsHex)}`)
        .sort(),
    );
  } finally {
    db.close();
  }
}

function bytesAsHex(_key: string, value: unknown): unknown {
  const bytes = value as { type?: string; data?: number[] } | null;
  return bytes?.type === 'Buffer' ? Buffer.from(bytes.data ?? []).toString('hex') : value;
}

function idsOf(db: Sqlite.Database, customer: string): { has(row: Record<string, unknown>): boolean } {
  const all = <T>(sql: string) => (db.prepare(sql).raw().all() as [T][]).map(([value]) => value);
  const texts = [
    customer,
    ...all<string>(`SELECT site FROM sites WHERE customer = '${customer}'`),
    ...all<string>(`SELECT agreement FROM agreements WHERE customer = '${customer}'`),
    ...all<string>(`SELECT agent FROM agents WHERE customer = '${customer}'`),
  ];
  const agreements = `(SELECT agreement FROM agreements WHERE customer = '${customer}')`;
  const logs = `(SELECT id FROM logs WHERE agent IN (SELECT agent FROM agents WHERE customer = '${customer}'))`;
  const numbers: Record<string, Set<unknown>> = {
    log: new Set(all<number>(`SELECT id FROM logs WHERE id IN ${logs}`)),
    grp: new Set(all<number>(`SELECT id FROM key_groups WHERE agreement IN ${agreements}`)),
    pos: new Set(all<number>(`SELECT pos FROM leaves WHERE log IN ${logs}`)),
  };
  return {
    has: (row) =>
      Object.entries(row).some(
        ([column, value]) =>
          numbers[column]?.has(value) === true ||
          (typeof value === 'string' && texts.some((text) => value.includes(text))),
      ),
  };
}

/** @throws Error that names what is not the same: which row or path, never what stands in it */
function differs(what: string, before: Map<string, string>, after: Map<string, string>): void {
  const wrong = [...new Set([...before.keys(), ...after.keys()])].filter(
    (key) => before.get(key) !== after.get(key),
  );
  const shown = wrong
    .slice(0, 5)
    .map((key) => `${key.slice(0, 120)}: ${part(before.get(key), after.get(key))}`);
  must(wrong.length === 0, `${wrong.length} ${what} are not the same: ${shown.join('; ')}`);
}

/** Around the first byte that differs. */
function part(before = '', after = ''): string {
  const at = [...before].findIndex((sign, i) => sign !== after[i]);
  const from = Math.max(0, at - 40);
  return `${before.slice(from, at + 60)} | ${after.slice(from, at + 60)}`;
}

function auditsOf(state: string, agent: string): string[] {
  const db = new Sqlite(join(state, 'collector.db'), { readonly: true });
  try {
    const rows = db.prepare('SELECT run FROM audits WHERE agent = ? ORDER BY pos').all(agent);
    return (rows as { run: string }[]).map(({ run }) => run);
  } finally {
    db.close();
  }
}
