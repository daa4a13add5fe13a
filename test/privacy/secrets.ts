/**
 * `node test/privacy/secrets.ts [--keep]`, the second half of `npm run test:privacy`.
 *
 * Secrets in every form, in the lines of every tool's log (`planted.ts`): one agent reads all of them, is killed and
 * rotated over, and so is the collector. Afterwards none is found in anything that either side wrote, nor in anything
 * that an admin is shown, while every tool's sessions are shown with `[dropped]` in them. The logs themselves are
 * searched too: there every secret must be found, or the search shows nothing.
 */
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { DROPPED } from '../../protocol/scrub.ts';
import { type Agent, endAll, type Session, Stage } from '../identity/stage.ts';
import { nothingLooked, searchTree } from './places.ts';
import { FORMS, KEEPING, type Log, Planted } from './planted.ts';
import { hitLine, Searcher } from './search.ts';

const { values: args } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
const SEARCHED = ['collector', 'keys2', 'agent-site', 'home', 'tmp', 'logs'];

let failed = 0;
function verdict(ok: boolean, text: string, details: readonly string[] = []): void {
  if (!ok) failed += 1;
  console.log(`${ok ? '✓' : '✗'} ${text}`);
  for (const line of ok ? [] : details.slice(0, 30)) console.log(`    ${line}`);
}

class Site {
  readonly planted = new Planted();
  readonly stage: Stage;
  readonly agent: Agent;
  private constructor(stage: Stage, agent: Agent) {
    this.stage = stage;
    this.agent = agent;
    const logs = Object.values(this.planted.logs);
    writeFileSync(agent.config, JSON.stringify({ sources: this.#sources(logs) }));
  }

  static async open(): Promise<Site> {
    const stage = await Stage.open();
    await stage.found();
    return new Site(stage, await stage.enrol('site'));
  }

  /** Files of one tool are read by one source, but for those that stand alone. */
  #sources(logs: readonly Log[]): object[] {
    const byType = new Map<unknown, Record<string, unknown>>();
    for (const { source, files, alone } of logs) {
      const paths = Object.fromEntries(files.map(({ key, name }) => [key, this.stage.at('site', name)]));
      const type = alone === true ? source : source.type;
      byType.set(type, { ...byType.get(type), ...source, ...paths });
    }
    return [...byType.values()];
  }

  /** `part` of the lines of every log, each as its tool ends them. */
  write(part: 0 | 1): void {
    for (const { files } of Object.values(this.planted.logs))
      for (const { name, lines } of files) {
        const half = Math.ceil(lines.length / 2);
        const some = part === 0 ? lines.slice(0, half) : lines.slice(half);
        appendFileSync(this.stage.at('site', name), some.map((line) => `${line}\n`).join(''));
      }
  }

  /** Everything read, sent and acked; twice in a row, as what was read a moment ago is not yet counted. */
  async drained(): Promise<void> {
    let times = 0;
    await this.stage.until(
      'the agent has read and sent everything',
      async () => {
        const now = await this.agent.status();
        const isDone =
          now?.collector.state === 'live' &&
          now.backlog === 0 &&
          now.sources.length === Object.keys(this.planted.logs).length &&
          now.sources.every(({ state, behindBytes }) => state === 'caught-up' && behindBytes === 0);
        times = isDone ? times + 1 : 0;
        return times === 5;
      },
      60,
    );
  }

  /** Kill -9 of both while they work, and a rotation that nobody saw. */
  async crashes(): Promise<void> {
    this.write(0);
    await this.agent.start();
    await this.begun();
    await this.agent.proc?.kill();
    await this.agent.start();
    this.write(1);
    await sleep(300);
    await this.stage.collector?.kill();
    await sleep(200);
    await this.agent.proc?.kill();
    const rustdesk = this.stage.at('site', 'rustdesk_rCURRENT.log');
    renameSync(rustdesk, this.stage.at('site', 'rustdesk_r2026-10-06_00-00-00.log'));
    writeFileSync(rustdesk, '');
    await this.stage.startCollector();
    await this.agent.start();
    await this.drained();
  }

  /** Every file was looked at, so that one that is rotated while nobody runs is known by what is in it. */
  async begun(): Promise<void> {
    await this.stage.until('the agent has begun to read every log', async () => {
      const sources = (await this.agent.status())?.sources ?? [];
      return sources.length > 0 && sources.every(({ position }) => (position ?? 0) > 0);
    });
  }

  search(): { hits: string[]; files: number } {
    const searcher = new Searcher(this.planted.secrets);
    const looked = nothingLooked();
    const hits = SEARCHED.flatMap((name) =>
      searchTree(searcher, this.stage.root, this.stage.at(name), looked),
    );
    for (const { what, text } of this.stage.outputs) hits.push(...searcher.search(what, Buffer.from(text)));
    return { hits: hits.map(hitLine), files: looked.files };
  }

  /** Secrets that the search does not find where they certainly stand. */
  unplanted(): string[] {
    const searcher = new Searcher(this.planted.secrets);
    const hits = searchTree(searcher, this.stage.root, this.stage.at('site'), nothingLooked());
    const found = new Set(hits.map(({ canary }) => canary));
    return this.planted.secrets.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  }
}

/** What an admin sees: every tool's sessions, the secrets dropped in each; events and single sessions too. */
async function shown({ stage }: Site): Promise<void> {
  const sessions = (await stage.sessions()) as (Session & { tool: string })[];
  await stage.events();
  // Who was refused, by the names that they typed.
  await stage.json(['session', 'list', '--attempts', '--limit', '1000']);
  const some = new Map(sessions.map((session) => [session.tool, session.id]));
  for (const id of some.values()) await stage.json(['session', 'show', id]);
  for (const [tool, times] of Object.entries(KEEPING)) {
    const mine = sessions.filter((session) => session.tool === tool);
    const dropped = mine.filter((session) => JSON.stringify(session).includes(DROPPED)).length;
    const expected = times * FORMS.length;
    verdict(
      dropped === expected,
      `${tool}: ${dropped} sessions are shown with ${DROPPED} in them, of ${expected} with a secret`,
      [`${mine.length} sessions`],
    );
  }
  // RustDesk's log says that somebody knocked, and not who: nothing of its text is kept.
  const knocked = (await stage.events('session.attempted')).filter(
    ({ data }) => data.tool === 'rustdesk',
  ).length;
  verdict(knocked === FORMS.length, `rustdesk: ${knocked} attempts are shown of ${FORMS.length}`);
}

const began = performance.now();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void endAll().then(() => process.exit(130)));
const site = await Site.open();
try {
  await site.crashes();
  await shown(site);
  const live = site.search();
  verdict(
    live.hits.length === 0,
    `while both run: 0 of ${site.planted.secrets.length} secrets in ${live.files} files`,
    live.hits,
  );
  await site.agent.stop();
  await site.stage.collector?.stop();
  const after = site.search();
  verdict(after.hits.length === 0, `after the stop: none in ${after.files} files`, after.hits);
  const missing = site.unplanted();
  verdict(missing.length === 0, 'the same search finds every one of them in the logs of the tools', missing);
} catch (error) {
  verdict(false, 'the run comes to its end', [String(error instanceof Error ? error.stack : error)]);
} finally {
  await site.stage.close(args.keep);
  if (args.keep) console.error(`kept: ${site.stage.root}`);
}
console.log(`secrets: ${failed} failed, ${((performance.now() - began) / 1000).toFixed(0)} s`);
process.exit(failed === 0 ? 0 : 1);
