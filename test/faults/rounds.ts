/** Plays one round: weather, one SIGKILL, a look at what stood open, the next start. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Flags } from '../support/flags.ts';
import type { World } from '../support/world.ts';
import type { Child } from './child.ts';
import { keepFull, loseRows } from './loss.ts';
import { drawPlan, type Plan, ROUND_MS, type Trouble } from './plan.ts';
import type { Dice } from './random.ts';
import { type Tally, unacked } from './tally.ts';

/** How much longer than the round an aimed kill is waited for, before it becomes one at this moment. */
const AIM_MS = 1_200;
/** On a full disk an agent may not come up at all. */
const START_MS = 8_000;
/** The agent's clock stays this near to the truth: a certificate has a beginning and an end. */
const CLOCK_REACH_S = 8 * 3_600;

export class Rounds {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #tally: Tally;
  /** Ends a full disk that reaches into the next round. */
  #freeing: Promise<void> = Promise.resolve();

  constructor(world: World, dice: Dice, tally: Tally) {
    this.#world = world;
    this.#dice = dice;
    this.#tally = tally;
  }

  async play(): Promise<void> {
    const began = performance.now();
    const world = this.#world;
    const facts = {
      aim: this.#tally.rounds % 2 === 1,
      agentStarts: !world.agent.alive,
      collectorStarts: !world.collector.alive,
    };
    const plan = drawPlan(this.#dice, facts);
    if (this.#dice.chance(0.8)) world.proxy.heal();
    this.#armAtStart(plan);
    world.resend = plan.resend;
    world.startDead();
    if (plan.settled) {
      await Promise.all([world.agent.readyWithin(START_MS), world.collector.readyWithin(START_MS)]);
    }
    if (plan.loss !== null && plan.settled) await loseRows(world, plan.loss, this.#tally);
    const weather = this.#weather(plan);
    await this.#kill(plan);
    await this.#lookAtTheDead(plan);
    await weather;
    await sleep(plan.downMs);
    this.#tally.rounds += 1;
    this.#tally.roundMs.push(performance.now() - began);
  }

  /** All weather is over; a disk that was full is free again. */
  async calm(): Promise<void> {
    await this.#freeing;
    this.#world.calm();
  }

  #armAtStart({ kill }: Plan): void {
    if (kill.how === 'aimed' && kill.afterMs === 0) this.#world.arm(kill.point, kill.nth);
  }

  async #weather(plan: Plan): Promise<void> {
    const { line, rotation, full, step } = plan;
    const later = async (atMs: number, act: () => void) => {
      await sleep(atMs);
      act();
    };
    const all: Promise<void>[] = [];
    if (line !== null) all.push(later(line.atMs, () => this.#trouble(line.trouble)));
    if (rotation !== null) all.push(later(rotation.atMs, () => this.#rotate(rotation.kind)));
    if (step !== null) all.push(later(step.atMs, () => this.#step(step.bySeconds)));
    if (full !== null) this.#freeing = this.#freeing.then(() => this.#full(full));
    await Promise.all(all);
  }

  #trouble(trouble: Trouble): void {
    const { proxy } = this.#world;
    const dice = this.#dice;
    this.#tally.troubles[trouble] = (this.#tally.troubles[trouble] ?? 0) + 1;
    if (trouble === 'cut') proxy.cut();
    else if (trouble === 'half-open') proxy.halfOpen();
    else if (trouble === 'delay') proxy.set({ delayMs: dice.int(20, 600) });
    else if (trouble === 'throttle') proxy.set({ rate: dice.int(4_000, 40_000) });
    else proxy.set({ fresh: trouble });
  }

  #rotate(kind: 'rename' | 'copytruncate'): void {
    this.#tally.rotations += 1;
    if (kind === 'rename') this.#world.writer.rename();
    else this.#world.writer.copyTruncate();
  }

  #step(bySeconds: number): void {
    const { clock } = this.#world;
    this.#tally.steps += 1;
    const wished = clock.offsetSeconds + bySeconds;
    clock.set(Math.max(-CLOCK_REACH_S, Math.min(CLOCK_REACH_S, wished)));
  }

  /** Full, and full again whenever the agent gives something back (its ballast, old leaves). */
  async #full({ atMs, forMs }: { atMs: number; forMs: number }): Promise<void> {
    await sleep(atMs);
    this.#tally.fulls += 1;
    await keepFull(this.#world, forMs);
  }

  async #kill(plan: Plan): Promise<void> {
    const { kill } = plan;
    const victims = this.#victims(plan);
    this.#tally.kills[plan.victims] += 1;
    if (kill.how === 'random') await sleep(kill.afterMs);
    else {
      this.#tally.aimed += 1;
      if (kill.how === 'rotation') await this.#rotateThenWait(kill);
      else await this.#waitForAim(kill, victims);
    }
    this.#world.disarm();
    await Promise.all(victims.map((child) => child.kill()));
  }

  async #rotateThenWait({ renameMs, afterMs }: { renameMs: number; afterMs: number }): Promise<void> {
    await sleep(renameMs);
    this.#rotate('rename');
    await sleep(afterMs);
  }

  async #waitForAim(kill: Extract<Plan['kill'], { how: 'aimed' }>, victims: Child[]): Promise<void> {
    if (kill.afterMs > 0) {
      await sleep(kill.afterMs);
      this.#world.arm(kill.point, kill.nth);
    }
    const shooter = kill.point.startsWith('agent') ? this.#world.agent : this.#world.collector;
    const patience = new AbortController();
    const dead = await Promise.race([
      shooter.died.then(() => true),
      sleep(ROUND_MS - kill.afterMs + AIM_MS, false, { signal: patience.signal }).catch(() => false),
    ]);
    patience.abort();
    if (!dead) this.#tally.missed += 1;
    if (!victims.includes(shooter)) throw new Error('a plan aimed at a process that is not a victim');
  }

  #victims({ victims }: Plan): Child[] {
    const { agent, collector } = this.#world;
    if (victims === 'agent') return [agent];
    return victims === 'collector' ? [collector] : [agent, collector];
  }

  async #lookAtTheDead(plan: Plan): Promise<void> {
    const { agent, collector } = this.#world.flags();
    if (this.#openTransaction(plan, agent, collector)) this.#tally.transaction += 1;
    if (unacked(agent)) this.#tally.unacked += 1;
    if (agent.link === 1) this.#tally.connecting += 1;
    if (plan.victims !== 'collector' && this.#world.rotationUnderWay()) this.#tally.rotating += 1;
  }

  #openTransaction({ victims }: Plan, agent: Flags, collector: Flags): boolean {
    return (
      (victims !== 'collector' && agent.transaction === 1) ||
      (victims !== 'agent' && collector.transaction === 1)
    );
  }
}
