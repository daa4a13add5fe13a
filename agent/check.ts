/**
 * `agent check`: does this state directory hold what it says it holds? Reads only, beside a running agent or
 * without one. Findings are codes and counts.
 *
 * A1  A check that could not look is a finding, never a silent "ok".
 * A4  What an agent makes on its first run is not missed before it: enrolled and never run is no finding, and
 *     the report says so.
 */
import { readdirSync } from 'node:fs';
import { publicText } from '../protocol/sign.ts';
import { BALLAST_FILE } from './ballast.ts';
import { checkLogs, type Report } from './check-logs.ts';
import type { AgentConfig } from './config.ts';
import { listsNobody } from './config-sources.ts';
import { type Db, databaseError, openReadOnly, quickCheck } from './db.ts';
import { DIR_MODE, FILE_MODE, inState, modeOf, readText } from './files.ts';
import { IDENTITY_FILE } from './identity.ts';
import { DATABASE_FILE, LOG_FILE, readLogFile } from './journal-open.ts';
import { DIGEST_KEY_FILE, loadAgentKey } from './keys.ts';
import { isLocked } from './lock.ts';
import type { ShownAudit } from './self-audit/self-audit.ts';
import { CANARY_PREFIX } from './self-audit/words.ts';

export type Finding = { check: string; code: string; count: number };

/** A type and not an interface, so that it may travel as a plain record. */
export type CheckReport = {
  schema: 1;
  ok: boolean;
  /** A process runs on this state directory now. */
  running: boolean;
  /** Enrolled, and no agent has run here yet: there is no database to check (A4). */
  neverRun: boolean;
  findings: Finding[];
  /**
   * The self-audit that was made with it; null: the agreement is over, or there is nothing here to audit. Absent: none was
   * asked for.
   */
  audit?: ShownAudit | null;
};

/** Counts of what must be zero, over the whole database. */
const ZERO: Record<string, string> = {
  'part.without-leaf': `SELECT count(*) AS n FROM parts p WHERE NOT EXISTS
    (SELECT 1 FROM leaves l WHERE l.log = p.log AND l.seq = p.seq)`,
  'part.not-in-leaf': `SELECT count(*) AS n FROM parts p JOIN leaves l ON l.log = p.log AND l.seq = p.seq
    JOIN groups g ON g.id = p.grp WHERE instr(l.bytes, '"group":"' || lower(hex(g.grp)) || '"') = 0`,
  'part.without-wrap': `SELECT count(*) AS n FROM parts p WHERE p.wrap IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM wraps w WHERE w.id = p.wrap)`,
  'part.of-dead-group': `SELECT count(*) AS n FROM parts p JOIN groups g ON g.id = p.grp WHERE g.state = 'dead'`,
  'wrap.of-dead-group': `SELECT count(*) AS n FROM wraps w JOIN groups g ON g.id = w.grp WHERE g.state = 'dead'`,
  'source.cursor': `SELECT count(*) AS n FROM sources WHERE (cursor IS NOT NULL AND NOT json_valid(cursor))
    OR (first_sight IS NOT NULL AND NOT json_valid(first_sight))`,
};

/** What kept the check from looking, as a finding. */
const UNREAD: Record<string, string> = {
  'database.corrupt': 'database.corrupt',
  'state.denied': 'database.denied',
  'state.read-only': 'database.read-only',
  'state.full': 'database.full',
};

/** @param config of the agent that runs here, or is to; null: it is not known, and nothing of it is checked */
export async function checkState(dir: string, config: AgentConfig | null = null): Promise<CheckReport> {
  const findings = new Map<string, Finding>();
  const report: Report = (code, count = 1) => {
    const check = code.slice(0, code.indexOf('.'));
    const present = findings.get(code) ?? { check, code, count: 0 };
    findings.set(code, { ...present, count: present.count + count });
  };
  const neverRun = isNew(dir);
  checkFiles(dir, report);
  checkKey(dir, neverRun ? null : await checkDatabase(dir, report), report);
  if (!neverRun) checkMade(dir, report);
  // R70: it looks like a quiet machine, for ever.
  for (const _source of config?.sources?.filter(listsNobody) ?? []) report('source.nobody-listed');
  return {
    schema: 1,
    ok: findings.size === 0,
    running: isLocked(dir),
    neverRun,
    findings: [...findings.values()],
  };
}

const has = (dir: string, name: string) => modeOf(inState(dir, name)) !== null;

/** A4. All of these are made by a run: a directory that lost only some of them is not new. */
function isNew(dir: string): boolean {
  const made = [DATABASE_FILE, LOG_FILE, DIGEST_KEY_FILE, BALLAST_FILE];
  const aside = readdirSync(dir).some((name) => name.startsWith(DATABASE_FILE));
  return has(dir, IDENTITY_FILE) && !aside && made.every((name) => !has(dir, name));
}

function checkFiles(dir: string, report: Report): void {
  if (modeOf(dir) !== DIR_MODE) report('file.mode');
  for (const name of readdirSync(dir)) {
    // What a self-audit plants is closed by its folder.
    if (name.startsWith(CANARY_PREFIX) && modeOf(inState(dir, name)) === DIR_MODE) continue;
    // A socket's mode says nothing on some systems; the folder keeps others out.
    if (!name.endsWith('.sock') && modeOf(inState(dir, name)) !== FILE_MODE) report('file.mode');
    if (name.includes('.quarantined-')) report('file.quarantined');
  }
}

/** What every run makes sure of. */
function checkMade(dir: string, report: Report): void {
  if (!has(dir, BALLAST_FILE)) report('file.no-ballast');
  if (readText(inState(dir, DIGEST_KEY_FILE)) === null) report('key.digest');
}

/** Public key of the open log's birth. */
async function checkDatabase(dir: string, report: Report): Promise<string | null> {
  if (!has(dir, DATABASE_FILE)) {
    report('database.missing');
    return null;
  }
  let db: Db | null = null;
  try {
    db = openReadOnly(inState(dir, DATABASE_FILE));
    quickCheck(db);
    // One snapshot for everything: the agent may write on beside it.
    db.exec('BEGIN');
    const key = await checkLogs(db, report);
    for (const [code, sql] of Object.entries(ZERO)) {
      const { n } = db.prepare<[], { n: number }>(sql).get() ?? { n: 0 };
      if (n > 0) report(code, n);
    }
    checkLogFile(dir, db, report);
    return key;
  } catch (error) {
    const { code } = databaseError(error, 'checking the agent database');
    report(UNREAD[code] ?? 'database.failed');
    return null;
  } finally {
    db?.close();
  }
}

/** `log.json` names the predecessor if this database is lost. */
function checkLogFile(dir: string, db: Db, report: Report): void {
  const row = db.prepare<[], { log: string }>('SELECT lower(hex(log)) AS log FROM logs WHERE open = 1').get();
  if (row !== undefined && readLogFile(dir) !== row.log) report('log.file');
}

function checkKey(dir: string, born: string | null, report: Report): void {
  try {
    const key = publicText(loadAgentKey(dir));
    if (born !== null && born !== key) report('key.not-of-this-log');
  } catch {
    report('key.agent');
  }
}
