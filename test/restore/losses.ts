/** Each loss of keys or devices, and the procedure that the guide gives for it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, mustEqual, mustVerify, type Scenario } from '../identity/scenario.ts';
import { rowStart, type Stage } from '../identity/stage.ts';
import { changedSessions } from './compare.ts';
import { guide } from './guide.ts';
import {
  backUp,
  drained,
  EVERYTHING,
  FIRST_KEYS,
  idOf,
  lose,
  loseSecond,
  mustRead,
  only,
  REFILL_S,
  startAll,
  stateOf,
  stopAll,
  watched,
} from './scene.ts';

/** Number of the row that begins about now. */
const nearNow = () => Math.floor((Date.now() - rowStart(0)) / (rowStart(1) - rowStart(0))) - 1;

const slots = (stage: Stage, ...at: string[]) => readFileSync(stage.at(...at, 'keys.slots'));

export const deadSecond: Scenario = {
  name: 'A: the disk of the second copy died',
  async play(stage) {
    await stage.found();
    const agents = await watched(stage, ['site'], 10);
    await stopAll(stage, agents);
    loseSecond(stage);
    await stage.startCollector();
    must(stage.logs('collector').includes('keyring.second-absent'), 'the start does not warn');
    await stage.collector?.stop();
    await guide(stage, 'second');
    const told = stage.logs('collector').length;
    await startAll(stage, agents);
    must(!stage.logs('collector').slice(told).includes('keyring.second-absent'), 'it still warns');
    must(slots(stage, 'collector').equals(slots(stage, 'keys2-new')), 'the two copies differ');
    mustEqual((await only(stage, 'keyring.second-replaced')).data.reason, 'absent', 'why');
    agents[0]?.write(10, 15);
    await drained(agents);
    mustRead(await stage.sessions(), true, 'peers');
  },
};

export const lostFirst: Scenario = {
  name: 'the first copy of the keys is lost: the start repairs it',
  async play(stage) {
    await stage.found();
    const agents = await watched(stage, ['site'], 10);
    await stopAll(stage, agents);
    lose(stage, FIRST_KEYS);
    await startAll(stage, agents);
    must(stage.logs('collector').includes('keyring.first-restored'), 'the start does not say so');
    mustRead(await stage.sessions(), true, 'peers');
    must(slots(stage, 'collector').equals(slots(stage, 'keys2')), 'the two copies differ');
  },
};

export const deviceWithSecond: Scenario = {
  name: 'C: the state directory is lost, second copy and escrow are there',
  async play(stage) {
    await stage.found();
    const agents = await watched(stage, ['stays', 'sold'], 20);
    const ids = await Promise.all(agents.map(idOf));
    await backUp(stage, true);
    const [stays] = agents;
    stays?.write(20, 40);
    await drained(agents);
    await stage.json(['host', 'revoke', ids[1] ?? '', '--yes', '--reason', 'sold after the backup']);
    const before = await stage.sessions();
    await stopAll(stage, agents);
    const admin = readFileSync(stage.init?.adminTokenFile ?? '', 'utf8');
    lose(stage, EVERYTHING);
    const done = await guide(stage, 'device');
    must(/keys +survived/.test(done.stdout), `the restore says:\n${done.stdout}`);
    stage.signIn(stage.secret(admin.trim()));
    await startAll(stage, agents);
    await drained([agents[0]!]);
    mustEqual(changedSessions(before, await stage.sessions()), [], 'lost or doubled');
    mustEqual(await stateOf(stage, ids[1] ?? ''), 'revoked', 'the host that was sold');
    await mustVerify(stage, agents[0]!);
  },
};

export const everything: Scenario = {
  name: 'C: everything is lost but backup and escrow',
  async play(stage) {
    await stage.found();
    const agents = await watched(stage, ['stays', 'sold'], 20);
    const [stays, sold] = await Promise.all(agents.map(idOf));
    await backUp(stage, true);
    agents[0]?.write(20, 40);
    await drained(agents);
    await stage.json(['host', 'revoke', sold ?? '', '--yes', '--reason', 'sold after the backup']);
    const before = await stage.sessions();
    await stopAll(stage, agents);
    const admin = stage.secret(readFileSync(stage.init?.adminTokenFile ?? '', 'utf8').trim());
    lose(stage, EVERYTHING);
    loseSecond(stage);
    const done = await guide(stage, 'device');
    must(/keys +escrow/.test(done.stdout), `the restore says:\n${done.stdout}`);
    await startAll(stage, agents);
    mustEqual((await stage.refused(['whoami'], stage.as(admin))).exit, 4, 'a sign-in of before');
    // Nobody is believed, the one that was revoked least of all.
    for (const agent of agents)
      await stage.until(
        'it waits',
        async () => (await agent.status())?.collector.problem?.code === 'agent.waiting',
        60,
      );
    for (const id of [stays, sold]) mustEqual(await stateOf(stage, id ?? ''), 'unconfirmed', 'a host');
    await guide(stage, 'approve', { HOST: stays ?? '' }, stage.admin);
    await drained([agents[0]!]);
    mustEqual(await stateOf(stage, sold ?? ''), 'unconfirmed', 'the host that was sold');
    mustEqual(changedSessions(before, await stage.sessions()), [], 'lost or doubled');
    mustRead(await stage.sessions(), true, 'peers');
    await mustVerify(stage, agents[0]!);
  },
};

export const bothWithEscrow: Scenario = {
  name: 'D: both copies of the keys are lost, with an escrow',
  async play(stage) {
    await stage.found();
    const agents = await watched(stage, ['site'], 20);
    await backUp(stage, true);
    const before = await stage.sessions();
    await stopAll(stage, agents);
    lose(stage, FIRST_KEYS);
    loseSecond(stage);
    const refused = await stage.startRefused();
    must(refused.includes('keyring.absent'), `the start says: ${refused}`);
    await guide(stage, 'keys');
    await startAll(stage, agents);
    mustEqual(changedSessions(before, await stage.sessions()), [], 'lost or changed');
    must(slots(stage, 'collector').equals(slots(stage, 'keys2-new')), 'the two copies differ');
    agents[0]?.write(20, 25);
    await drained(agents);
    mustRead(await stage.sessions(), true, 'peers');
    mustEqual((await stage.events('keyring.damaged')).length, 0, 'keys told of as damaged');
  },
};

export const bothWithout: Scenario = {
  name: 'E: both copies of the keys are lost, without an escrow',
  async play(stage) {
    await stage.found();
    const agents = await watched(stage, ['site'], 20);
    const [site] = agents;
    // Of this very month too: agents have a group for it that is lost now, and get another.
    site?.write(nearNow() - 5, nearNow());
    await drained(agents);
    await stopAll(stage, agents);
    lose(stage, FIRST_KEYS);
    loseSecond(stage);
    await guide(stage, 'keys-none');
    await startAll(stage, agents);
    const old = await stage.sessions();
    mustRead(old, false, 'peers of before');
    must((await stage.events('keyring.damaged')).length > 0, 'lost keys are not told of');
    mustEqual((await stage.events('erasure.done')).length, 0, 'erasures: a loss is none');
    await site?.linked(REFILL_S);
    site?.write(nearNow(), nearNow() + 1);
    site?.write(20, 24);
    await drained(agents);
    const known = new Set(old.map(({ id }) => id));
    const fresh = (await stage.sessions()).filter(({ id }) => !known.has(id));
    mustEqual(fresh.length, 5, 'sessions since');
    mustRead(fresh, true, 'peers since');
  },
};

export const onlyBackup: Scenario = {
  name: 'F: only a backup is left',
  async play(stage) {
    await stage.found();
    const [agent] = await watched(stage, ['site'], 20);
    if (agent === undefined) throw new Error('no agent');
    await backUp(stage, false);
    await stopAll(stage, [agent]);
    lose(stage, EVERYTHING);
    loseSecond(stage);
    await guide(stage, 'none');
    await stage.startCollector();
    const old = await stage.sessions();
    mustEqual(old.length, 20, 'sessions of before');
    mustRead(old, false, 'peers of before');
    const { file } = await stage.token();
    await guide(stage, 'enrol-again', { '/var/lib/tilsyn-agent': agent.state, '/root/token.txt': file });
    must(existsSync(join(`${agent.state}.old`, 'agent.db')), 'the old directory of the agent is not kept');
    await agent.start();
    await agent.drained();
    const known = new Set(old.map(({ id }) => id));
    mustRead(
      (await stage.sessions()).filter(({ id }) => !known.has(id)),
      true,
      'peers that were read again',
    );
  },
};
