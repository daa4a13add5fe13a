/**
 * Three hosts and a collector in arbitrary order, against a few lines of truth: what is held where, and which files that
 * covers for certain. Real files, databases, signatures and ingest; the answers are those that people get.
 *
 * H1, H2, H3, H4, H7, H11, D1, D4, R2, V100, V103, V104, V105.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldCourier } from '../../collector/holds/courier.ts';
import { commandsAfter } from '../../collector/ingest/commands.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toIso, utcMs } from '../../protocol/time.ts';
import { frigatePath } from '../agent/recordings/sweep-world.ts';
import { ApiWorld, type Loose } from '../collector/api-world.ts';
import { HOLD } from '../collector/two-customers.ts';
import { HOSTS, type Step } from './model-steps.ts';
import { Nvr } from './nvr.ts';

const CAMERAS = ['gate', 'yard'];

interface Filmed {
  host: number;
  camera: string;
  at: number;
  path: string;
}
interface Truth {
  id: string;
  host: number | null;
  from: number;
  to: number;
  released: boolean;
  /** It was placed after the copy that the collector was restored from: known where a host has it, and to nobody else. */
  lost: boolean;
}

/** One collector for many runs: each has hosts of its own. */
export class Collector {
  runs = 0;
  readonly api: ApiWorld;
  admin = '';
  second = '';
  #since = 0;
  readonly #saved = mkdtempSync(join(tmpdir(), 'tilsyn-holds-collector-'));

  private constructor(api: ApiWorld) {
    this.api = api;
  }

  static async make(): Promise<Collector> {
    return new Collector(await ApiWorld.make());
  }

  async close(): Promise<void> {
    rmSync(this.#saved, { recursive: true, force: true });
    await this.api.close();
  }

  save(): void {
    rmSync(this.#saved, { recursive: true, force: true });
    this.api.saveTo(this.#saved);
  }

  /** Who was added since the copy is not known any more, and signs in anew. */
  async restore(): Promise<void> {
    await this.api.restoreFrom(this.#saved);
    this.admin = '';
    await this.people();
  }

  /** Sign-ins end after 90 days, and the clock goes on from run to run. */
  async people(): Promise<void> {
    const { clock } = this.api;
    if (this.admin !== '' && clock.now() - this.#since < 30 * DAY_MS) return;
    this.#since = clock.now();
    [this.admin, this.second] = [await this.api.person('admin'), await this.api.person('security')];
  }
}

export class Run {
  readonly #c: Collector;
  readonly #hosts: Nvr[] = [];
  readonly #filmed: Filmed[] = [];
  readonly #holds: Truth[] = [];
  /** How holds stood when the collector was saved; null: it was not, in this run. */
  #saved: Map<string, Truth> | null = null;
  readonly #began: number;
  #site = '';

  private constructor(collector: Collector) {
    this.#c = collector;
    this.#began = Math.floor(collector.api.clock.now() / DAY_MS) * DAY_MS;
  }

  static async of(collector: Collector, sequence: readonly Step[]): Promise<void> {
    const run = new Run(collector);
    await collector.people();
    collector.runs += 1;
    run.#site = `site-${collector.runs}`;
    try {
      for (let n = 0; n < HOSTS; n++) run.#hosts.push(await run.#newHost(n));
      for (const step of sequence) {
        await run.#do(step);
        run.#nothingHeldIsGone();
      }
      await run.#settle();
    } finally {
      for (const one of run.#hosts) one.close();
    }
  }

  async #newHost(n: number): Promise<Nvr> {
    const { api } = this.#c;
    const { row } = await api.host({ name: `nvr-${this.#c.runs}-${n}`, site: this.#site });
    return Nvr.of(api, row);
  }

  async #do(step: Step): Promise<void> {
    switch (step.do) {
      case 'record':
        return this.#record(
          step.host,
          CAMERAS[step.camera] ?? '',
          this.#began - step.daysAgo * DAY_MS + step.hour * HOUR_MS,
        );
      case 'place':
        return await this.#place(
          step.host,
          // In the middle of a recording, at both ends.
          this.#began - step.daysAgo * DAY_MS + 5 * MINUTE_MS,
          step.hours * HOUR_MS,
        );
      case 'release':
        return await this.#release(this.#holds.filter(({ released }) => !released)[step.which]);
      case 'connect':
        return await this.#at(step.host).connect(step.orders, step.killed);
      case 'sweep':
        return await this.#at(step.host).sweep();
      case 'restart':
        return this.#at(step.host).restart();
      case 'save':
        return this.#at(step.host).save();
      case 'restore':
        this.#at(step.host).restore();
        return;
      case 'courier':
        return await this.#courier();
      case 'collector':
        return await this.#collector(step.how);
      case 'mislead':
        return await this.#mislead(step.host, step.how);
      case 'later':
        this.#c.api.clock.advance(step.hours * HOUR_MS);
        for (const one of this.#hosts) one.advance(step.hours * HOUR_MS);
    }
  }

  /** One of the collector that runs now. */
  async #courier(): Promise<void> {
    await new HoldCourier(this.#c.api.ctx).look();
  }

  async #collector(how: 'save' | 'restore'): Promise<void> {
    if (how === 'save') {
      this.#c.save();
      this.#saved = new Map(this.#holds.map((hold) => [hold.id, { ...hold }]));
      return;
    }
    if (this.#saved === null) return;
    await this.#c.restore();
    for (const hold of this.#holds) {
      const before = this.#saved.get(hold.id);
      // A release that it forgot is none: what is held too long can be let go, the other way round nothing can be mended.
      hold.released = before?.released ?? false;
      hold.lost = before === undefined || before.lost;
    }
  }

  #at(n: number): Nvr {
    const one = this.#hosts[n];
    if (one === undefined) throw new Error('no such host');
    return one;
  }

  #record(n: number, camera: string, at: number): void {
    const path = frigatePath(at, camera);
    const { sw } = this.#at(n);
    // A name whose recording went is not written again: the scan's own model has that.
    if (this.#filmed.some((one) => one.host === n && one.path === path)) return;
    sw.record(path);
    sw.catalogue();
    this.#filmed.push({ host: n, camera, at, path });
  }

  async #place(n: number | null, from: number, ms: number): Promise<void> {
    const to = from + ms;
    const scope = n === null ? { site: this.#site } : { hosts: [this.#at(n).agent] };
    const times = { from: toIso(utcMs(from)), to: toIso(utcMs(to)), wide: 'a case of many hours' };
    const answer = await this.#c.api.post('/v1/holds', this.#c.admin, {
      ...HOLD,
      ...scope,
      ...times,
      review: toIso(utcMs(this.#began + 60 * DAY_MS)),
    });
    if (answer.status !== 200) throw new Error(`placing: ${JSON.stringify(answer.body)}`);
    this.#holds.push({ id: answer.body.id, host: n, from, to, released: false, lost: false });
  }

  async #release(hold: Truth | undefined): Promise<void> {
    if (hold === undefined) return;
    const { api, admin, second } = this.#c;
    const asked = await api.post(`/v1/holds/${hold.id}/release`, admin, { reason: 'over' });
    // No host told of it yet, or it was released before the copy.
    if (hold.lost && [404, 409].includes(asked.status)) return;
    const given = await api.post(`/v1/approvals/${asked.body.error.approval}/approve`, second, {});
    if (given.status !== 200) throw new Error(`releasing: ${JSON.stringify(given.body)}`);
    hold.released = true;
  }

  async #mislead(n: number, how: 'again' | 'ahead' | 'forged'): Promise<void> {
    const nvr = this.#at(n);
    const { ctx } = this.#c.api;
    const before = nvr.inForce().join();
    const applied = nvr.sw.base.journal.applied();
    if (applied.generation !== ctx.generation()) return;
    const all = (await commandsAfter(ctx, nvr.agent, 0)) as Loose[];
    const known =
      how === 'again' ? all.filter((one) => one.n <= applied.n) : all.filter((one) => one.n > applied.n + 1);
    const command = how === 'forged' ? all.find((one) => one.n === applied.n + 1) : known.at(-1);
    if (command === undefined) return;
    const body = { ...command.body, hold: 'e'.repeat(32) };
    await nvr.mislead(how === 'forged' ? { ...command, body } : command);
    if (nvr.inForce().join() !== before) throw new Error(`H11 an order that was ${how} changed what is held`);
  }

  /** D1, H7: what a hold that is in force on a host covers for certain is there. */
  #nothingHeldIsGone(): void {
    for (const [n, nvr] of this.#hosts.entries()) {
      for (const id of nvr.inForce()) {
        const hold = this.#holds.find((one) => one.id === id);
        if (hold === undefined) throw new Error('H7 a host holds what nobody placed');
        for (const one of this.#covered(hold, n)) {
          if (!nvr.sw.has(one.path) && !this.#goneBefore.has(`${id} ${n} ${one.path}`))
            throw new Error(`D1 ${one.path} was held by ${id}, and is gone`);
        }
      }
    }
    // What was gone when a hold came is gone for it.
    for (const [n, nvr] of this.#hosts.entries()) {
      const inForce = new Set(nvr.inForce());
      for (const { path } of this.#filmed.filter((one) => one.host === n)) {
        if (nvr.sw.has(path)) continue;
        for (const { id } of this.#holds) if (!inForce.has(id)) this.#goneBefore.add(`${id} ${n} ${path}`);
      }
    }
  }
  readonly #goneBefore = new Set<string>();

  #covered({ host: on, from, to }: Truth, n: number): Filmed[] {
    if (on !== null && on !== n) return [];
    // D3: a recording lasts ten minutes or more, and counts with all of them.
    return this.#filmed.filter((one) => one.host === n && one.at + 10 * MINUTE_MS >= from && one.at <= to);
  }

  /** Every host comes back: what is held is in force and told truly; then all is released, and what is over goes. */
  async #settle(): Promise<void> {
    for (let n = 0; n < 2; n++) {
      await this.#courier();
      // What a restored catalogue does not know any more a scan finds again (D4).
      for (const one of this.#hosts) one.sw.catalogue();
      for (const one of this.#hosts) await one.connect();
    }
    this.#nothingHeldIsGone();
    for (const hold of this.#holds) await this.#isTold(hold);
    for (const one of this.#hosts) await one.sweep();
    this.#nothingHeldIsGone();
    for (const hold of this.#holds) if (!hold.released) await this.#release(hold);
    for (const one of this.#hosts) await one.connect();
    for (const [n, nvr] of this.#hosts.entries()) {
      if (nvr.inForce().length > 0) throw new Error('H3 a hold that was released is in force');
      await nvr.sweep();
      const over = nvr.sw.base.clock.now() - 30 * DAY_MS - HOUR_MS;
      const left = this.#filmed.filter(
        (one) => one.host === n && one.at + 11 * MINUTE_MS < over && nvr.sw.has(one.path),
      );
      if (left.length > 0)
        throw new Error(`R8 ${left.map(({ path }) => path).join()} is over its time and held by nothing`);
    }
  }

  /** H2, V103: the answer that a person gets is what is so on the host. */
  async #isTold(hold: Truth): Promise<void> {
    const { body } = await this.#c.api.get(`/v1/holds/${hold.id}`, this.#c.admin);
    for (const [n, nvr] of this.#hosts.entries()) {
      if (hold.host !== null && hold.host !== n) continue;
      const item = body.agents?.find((one: Loose) => one.hostId === nvr.agent);
      const held = nvr.inForce().includes(hold.id);
      // Of one that nobody knew, what its host says is all that there is (V104).
      if (hold.lost && !held) continue;
      if (held === hold.released)
        throw new Error(`H1 ${hold.released ? 'released' : 'placed'}, and ${held ? '' : 'not '}in force`);
      if (item?.state !== (held ? 'in-force' : 'released'))
        throw new Error(`V103 said ${item?.state}, is ${held}`);
      if (!held) continue;
      const there = this.#covered(hold, n).filter((one) => nvr.sw.has(one.path)).length;
      if (item.recordings < there) throw new Error(`H2 said ${item.recordings}, there are ${there}`);
    }
  }
}
