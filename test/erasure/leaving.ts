/**
 * A customer leaves with two hundred sessions while one of its machines is off for a week (S2); the collector is then
 * put back from a backup of before (S5, S6). Nothing of it is anywhere, and another customer goes on.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../protocol/time.ts';
import { must, mustEqual, mustVerify } from '../identity/scenario.ts';
import type { Agent } from '../identity/stage.ts';
import { guide } from '../restore/guide.ts';
import { backUp, DATABASE, lose, mustRead } from '../restore/scene.ts';
import type { Sought } from '../support/leftovers.ts';
import { type Agreement, lookInto, partsOf, Site, textsOf } from './site.ts';

const EACH = 100;
/** What the machine has read and not sent as it is switched off. */
const UNSENT = 20;
const OTHERS = 40;
/** From the order on; V39. */
const COOLING_MS = 72 * HOUR_MS;

interface Cast {
  here: Agent;
  away: Agent;
  other: Agent;
  acme: string;
  beta: string;
}

interface Certificate {
  id: string;
  state: string;
  backupHorizon: { until: string | null; copies: number; images: string };
}

export class Leaving {
  readonly #site: Site;
  #cast!: Cast;
  /** What is looked for: parts that agents held, keys, texts. */
  #sought: Sought = {};
  /** Key groups as the backup was made: their keys are in its escrow. */
  #escrowed = new Set<string>();
  #offAt = 0;

  private constructor(site: Site) {
    this.#site = site;
  }

  static async open(): Promise<Leaving> {
    const leaving = new Leaving(await Site.open());
    await leaving.#begin();
    return leaving;
  }

  close(keep: boolean): Promise<void> {
    return this.#site.close(keep);
  }

  async #begin(): Promise<void> {
    const site = this.#site;
    const [here, away, other] = await Promise.all([
      site.agent('here', 'Acme', EACH),
      site.agent('away', 'Acme', EACH),
      site.agent('other', 'Beta', OTHERS),
    ]);
    const [acme, beta] = [await site.agreementOf('Acme'), await site.agreementOf('Beta')];
    this.#cast = { here, away, other, acme, beta };
    mustRead(await site.sessionsOf('Acme'), true, 'peers before');
    this.#escrowed = new Set(site.groups(acme).map(({ grp }) => grp));
    await backUp(site.stage, true);
    await this.#switchOff(away);
    this.#sought = {
      ...partsOf(here),
      ...partsOf(away),
      ...textsOf(here, EACH),
      ...textsOf(away, EACH + UNSENT),
      ...site.keys(acme),
    };
    must(site.left(this.#sought, here, away).length > 0, 'nothing of it is there before');
  }

  /** With something on it that the collector has never seen; that one only stands still meanwhile. */
  async #switchOff(away: Agent): Promise<void> {
    const { stage } = this.#site;
    stage.collector?.signal('SIGSTOP');
    away.write(EACH, EACH + UNSENT);
    await stage.until('the last rows are read', async () => ((await away.status())?.backlog ?? 0) >= UNSENT);
    await away.proc?.kill();
    this.#offAt = this.#site.now();
    stage.collector?.signal('SIGCONT');
  }

  #awayEnd({ hosts }: Agreement) {
    const waited = hosts.find(({ state }) => state === 'pending');
    const seen = Date.parse(waited?.lastSeenAt ?? '');
    must(Math.abs(seen - this.#offAt) < 2 * MINUTE_MS, `last seen ${waited?.lastSeenAt}`);
    return hosts.map(({ state }) => state).sort();
  }

  /** S2: ordered on the fourth day, begun on the seventh, complete when the machine is back. */
  async weekAway(): Promise<string> {
    const site = this.#site;
    const { here, away, acme } = this.#cast;
    await site.pass(4 * DAY_MS);
    await Promise.all([here.linked(60), this.#cast.other.linked(60)]);
    await site.stage.json(['agreement', 'end', acme, '--yes', '--reason', 'the customer has left']);
    mustEqual((await site.agreement(acme)).state, 'ending', 'the agreement, ordered');
    must(!site.groups(acme).some(({ state }) => state !== 'live'), 'erased before the cooling-off is over');
    await site.pass(COOLING_MS + MINUTE_MS);
    await site.stage.until('the last key group', () => site.allErased(acme), 60);
    await site.stage.until(
      'the host that is there is done',
      async () => {
        const row = await site.agreement(acme);
        return row.hosts.some(({ state }) => state === 'done');
      },
      60,
    );
    const row = await site.agreement(acme);
    mustEqual(row.state, 'erasing', 'the agreement, one host away');
    mustEqual(this.#awayEnd(row), ['done', 'pending'], 'its hosts');
    mustEqual(site.left(this.#sought, here), [], 'at the collector and at the host that is there');
    must(
      site.left(this.#sought, away).length > 0,
      'nothing is left at the host that is away: nothing to show',
    );
    const first = await this.#back();
    await this.#complete();
    mustEqual((await site.stage.events('sealed.dropped')).length, 0, 'parts that came all the same');
    return `${2 * EACH} sessions and ${UNSENT} unsent; pending, last seen seven days ago; ${first}; then complete`;
  }

  /** Killed as it is about to send its first batch: by then nothing of the agreement is in its database. */
  async #back(): Promise<string> {
    const { away } = this.#cast;
    const proc = await this.#site.startAgent(away, { point: 'agent.send.before', nth: 1 });
    await proc.exited;
    const [held] = lookInto<{ n: number }>(away, 'SELECT COUNT(*) AS n FROM parts');
    mustEqual(held?.n, 0, 'parts that it holds as it is about to send');
    await this.#site.startAgent(away);
    return 'killed before its first batch, it held nothing by then';
  }

  async #complete(): Promise<void> {
    const site = this.#site;
    const { here, away, acme, other } = this.#cast;
    await site.stage.until('it is complete', async () => (await site.agreement(acme)).state === 'ended', 90);
    const row = await site.agreement(acme);
    mustEqual(
      row.hosts.map(({ state }) => state),
      ['done', 'done'],
      'its hosts',
    );
    await Promise.all([here, away, other].map((agent) => agent.linked(60)));
    await site.stage.until('the last leaves', async () => (await away.status())?.backlog === 0);
    const sessions = await site.sessionsOf('Acme');
    mustEqual(sessions.length, 2 * EACH + UNSENT, 'sessions that are listed');
    const shown = sessions.filter(({ peer, personal }) => peer !== null || personal !== 'erased');
    mustEqual(shown.length, 0, 'sessions that are not shown as erased');
    mustEqual(site.left(this.#sought, here, away), [], 'what is left');
  }

  /** S6: the escrow of before could still open the backup of before, and every certificate of it says until when. */
  async #horizon(): Promise<string> {
    const { items } = await this.#site.stage.json<{ items: Certificate[] }>([
      ...['erasure', 'list', '--limit', '1000', '--agreement', this.#cast.acme],
    ]);
    const escrowed = items.filter(({ id }) => this.#escrowed.has(id));
    mustEqual(escrowed.length, this.#escrowed.size, 'certificates of groups whose key is in the escrow');
    for (const { backupHorizon } of escrowed) {
      mustEqual([backupHorizon.copies, backupHorizon.images], [1, 'not-declared'], 'copies of the keys');
      const days = (Date.parse(backupHorizon.until ?? '') - this.#offAt) / DAY_MS;
      must(days > 89 && days < 91, `a horizon of ${days} days, for an escrow that is kept for 90`);
    }
    return `${escrowed.length} certificates with a horizon of 90 days`;
  }

  /** S5: the database of before the end, and the keys as they are now. */
  async putBack(): Promise<string> {
    const site = this.#site;
    const { stage } = site;
    const { here, away, other, acme, beta } = this.#cast;
    const told = await this.#horizon();
    await Promise.all([here, away, other].map((agent) => agent.stop()));
    await stage.collector?.stop();
    lose(stage, DATABASE);
    const { stdout } = await guide(stage, 'database');
    const again = Number(/erased +(\d+)/.exec(stdout)?.[1] ?? 0);
    must(again > 0, `the restore erased nothing:\n${stdout}`);
    mustEqual(site.left(this.#sought), [], 'at the collector, as it was put back');
    await site.startCollector();
    must(site.allErased(acme), 'a key group of it lives');
    must(['erasing', 'ended'].includes((await site.agreement(acme)).state), 'the agreement is open again');
    for (const agent of [here, away, other]) await site.startAgent(agent);
    await this.#complete();
    mustEqual(await this.#horizon(), told, 'the certificates, after it');
    other.write(OTHERS, OTHERS + 10);
    await other.drained(90);
    mustEqual((await site.sessionsOf('Beta')).length, OTHERS + 10, 'sessions of the other customer');
    mustRead(await site.sessionsOf('Beta'), true, 'peers of the other customer');
    must(
      site.groups(beta).every(({ state }) => state === 'live'),
      'a key group of the other customer died',
    );
    await Promise.all([here, away, other].map((agent) => agent.stop()));
    await mustVerify(stage, here, away, other);
    await stage.collector?.stop();
    mustEqual(site.left(this.#sought, here, away), [], 'what is left, all of them stopped');
    return `${again} key groups erased again before the port opened; ${told}; the other customer goes on`;
  }
}
