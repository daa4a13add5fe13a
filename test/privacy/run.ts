/**
 * `npm run test:privacy [-- --keep]`
 *
 * A whole world through the real command line, with canaries in everything personal and secrets planted in the
 * lines; restarts, kills and unreadable lines on the way. Then everything that was written anywhere is searched,
 * in every form. Security staff see the people, never the secrets. At last an agent leaks on purpose, in each form,
 * and the search must find each: a search that cannot fail shows nothing.
 */
import { parseArgs } from 'node:util';
import { endAll } from '../identity/stage.ts';
import { Cast } from './cast.ts';
import { LEAKS } from './leaks.ts';
import { type Looked, nothingLooked } from './places.ts';
import { type Hit, hitLine } from './search.ts';
import { World } from './world.ts';

const { values: args } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
const MAX_LINES = 20;

let passed = 0;
let failed = 0;

function verdict(ok: boolean, text: string, details: readonly string[] = []): void {
  if (ok) passed += 1;
  else failed += 1;
  console.log(`${ok ? '✓' : '✗'} ${text}`);
  for (const line of ok ? [] : details.slice(0, MAX_LINES)) console.log(`    ${line}`);
  if (!ok && details.length > MAX_LINES) console.log(`    … ${details.length - MAX_LINES} more`);
}

function searched(world: World, when: string): void {
  const looked = nothingLooked();
  const hits = world.search(looked);
  verdict(hits.length === 0, `${when}: 0 hits in ${amount(looked)}`, hits.map(hitLine));
}

function amount({ files, bytes, cells, processes }: Looked): string {
  const size = `${(bytes / 1e6).toFixed(1)} MB`;
  return `${files} files (${size}), ${cells} cells, ${processes} processes`;
}

/** The list of security staff: who it was, and none of what was planted. */
async function shown(world: World): Promise<void> {
  const { cast } = world;
  const items = await world.readerList();
  const text = JSON.stringify(items);
  const missing = cast.everybody.filter(({ id }) => !items.some(({ peer }) => peer?.id === id));
  verdict(
    items.length === world.rows && missing.length === 0,
    `the session list of security staff shows all ${world.rows} sessions and every TeamViewer ID`,
    [`${items.length} sessions`, ...missing.map(({ id }) => `no session of ${id}`)],
  );
  const named = cast.people.every(({ name }) => items.some(({ peer }) => peer?.names.includes(name)));
  const used = cast.people.every(({ user }) => items.some(({ localUser }) => localUser === user));
  verdict(
    named && used && (!world.hostIsCanary || text.includes(cast.host)),
    'it shows names, local users and the host as they are',
  );
  const leaked = cast.secrets.filter((secret) => text.includes(secret.text));
  verdict(
    leaked.length === 0,
    `it shows none of the ${cast.secrets.length} planted secrets`,
    leaked.map(({ kind }) => `planted ${kind}`),
  );
  const one = await world.readerFind(cast.people[1]?.id ?? '');
  verdict(one > 0, `it finds ${one} sessions by --peer @file`);
}

async function leaks(world: World): Promise<void> {
  const found = new Map<string, Hit[]>();
  for (const hit of await world.leak()) found.set(hit.where, [...(found.get(hit.where) ?? []), hit]);
  const missed = LEAKS.filter(
    ({ form }, index) => !found.get(`agent-site/leak-${index}.bin`)?.some((hit) => sameForm(hit.form, form)),
  );
  verdict(
    missed.length === 0,
    `leaked on purpose through the fault seam: found in each of ${LEAKS.length} forms`,
    missed.map(({ form }) => `not found: ${form}`),
  );
}

/** The two alphabets are one needle where the canary has none of the signs that differ. */
function sameForm(a: string, b: string): boolean {
  return a.replace('base64url', 'base64') === b.replace('base64url', 'base64');
}

async function play(world: World): Promise<void> {
  await world.begin();
  await world.firstRows();
  searched(world, 'while both are running');
  await world.killAgent();
  await world.killCollector();
  searched(world, 'after a kill -9 of both, rotation and unreadable lines');
  await world.comeBack();
  await shown(world);
  await world.errors();
  await world.restart();
  searched(world, 'after commands, errors and an orderly restart');
  await world.stopAll();
  searched(world, 'after the stop');
  await leaks(world);
}

const began = performance.now();
const world = await World.open(new Cast());
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void endAll().then(() => process.exit(130)));
}
try {
  await play(world);
} catch (error) {
  verdict(false, 'the run comes to its end', [String(error instanceof Error ? error.stack : error)]);
} finally {
  await world.close(args.keep);
}
console.log(`  ${((performance.now() - began) / 1000).toFixed(0)} s`);
console.log(`privacy: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
