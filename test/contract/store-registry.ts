/** Registry tables: rows come back as they were put, are found by equal columns, and are replaced in place. */
import { expect, it } from 'vitest';
import type { AgentRow, CommandRow, PersonRow, Reader, TicketRow, Tx } from '../../collector/store/types.ts';
import { ALERT_OK } from '../../protocol/alert-machine.ts';
import type { Id } from '../../protocol/ids.ts';
import { type Open, on } from './store-open.ts';
import { at, group, groupRow, NEW } from './store-rows.ts';

const hex = () => NEW.log() as string;

function agentRow(): AgentRow {
  return {
    agent: NEW.agent(),
    key: hex(),
    customer: NEW.customer(),
    site: hex() as AgentRow['site'],
    agreement: hex() as AgentRow['agreement'],
    mode: 'managed',
    state: 'waiting',
    token: null,
    enrolledAt: at(1),
    revokedAt: null,
    conflictAt: null,
    firstSeenAt: null,
    generation: null,
    lastSeenAt: at(2),
    readThrough: null,
    skewMs: -12,
    backlog: 0,
    software: { version: '1.2.3', platform: 'linux', node: '26.0.0' },
    namePos: null,
  };
}

function personRow(customers: PersonRow['customers']): PersonRow {
  const person = hex() as PersonRow['person'];
  return {
    person,
    role: 'auditor',
    customers,
    state: 'active',
    namePos: 3,
    reading: false,
    ndaPos: null,
    createdBy: null,
    createdAt: at(1),
  };
}

function commandRow(agent: AgentRow['agent'], n: number): CommandRow {
  return {
    command: hex() as CommandRow['command'],
    agent,
    generation: 'f'.repeat(32) as CommandRow['generation'],
    n,
    verb: 'selftest',
    body: { deep: { list: [1, null] } },
    sig: 'sig',
    createdBy: null,
    createdAt: at(1),
    resultAt: null,
    ok: n === 1 ? null : n === 2,
    result: null,
  };
}

function ticketRow(agent: TicketRow['agent'], from: number, to: number): TicketRow {
  const ids = { ticket: hex() as TicketRow['ticket'], importedBy: hex() as TicketRow['importedBy'] };
  return { ...ids, agent, from: at(from), to: at(to), pos: 7, importedAt: at(1) };
}

/** One row of each registry table. */
function rows() {
  const customer = NEW.customer();
  const [site, agreement] = [hex() as AgentRow['site'], hex() as AgentRow['agreement']];
  const open = { mode: 'one-off', state: 'open' } as const;
  return {
    customers: { customer, namePos: null, createdAt: at(1) },
    sites: { site, customer, namePos: 4, createdAt: at(1) },
    agreements: {
      agreement,
      customer,
      ...open,
      isDefault: true,
      startsAt: at(1),
      endsAt: at(5),
      createdAt: at(1),
      coolingUntil: at(6),
      orderedAt: at(2),
      orderedBy: hex(),
      endedAt: null,
    },
    agents: agentRow(),
    tokens: {
      token: hex(),
      secretHash: 'hash',
      customer,
      site,
      agreement,
      ...open,
      uses: 2,
      used: 1,
      cidrPos: 7,
      requireApproval: false,
      createdBy: null,
      createdAt: at(1),
      expiresAt: at(9),
    },
    people: personRow([customer]),
    approvals: {
      approval: hex(),
      verb: 'person.revoke',
      body: { person: hex() },
      state: 'open',
      askedBy: hex(),
      createdAt: at(1),
      expiresAt: at(9),
      askedPos: 3,
      about: null,
      customers: [customer],
      aloneAt: null,
      decidedBy: null,
      decidedAt: null,
    },
    signins: {
      signin: hex(),
      person: hex(),
      tokenHash: 'hash',
      state: 'active',
      createdAt: at(1),
      expiresAt: at(9),
      lastUsedAt: null,
    },
    identities: {
      identity: hex(),
      person: hex(),
      kind: 'network',
      from: null,
      to: at(9),
      state: 'active',
      valuePos: 4,
      createdBy: hex(),
      createdAt: at(1),
    },
    tickets: ticketRow(NEW.agent(), 1, 2),
    devices: { agent: NEW.agent(), pos: 8 },
    sessionWatch: { watch: `${hex()} session-long`, alert: null, state: ALERT_OK },
    auditRuns: {
      ...{ run: hex(), agent: NEW.agent(), customer: NEW.customer(), site: hex(), agreement: hex() },
      ...{ trigger: 'late', startedAt: at(1), endedAt: at(2), everySeconds: null, findings: 2, pos: 5 },
    },
    auditHosts: { agent: NEW.agent(), pos: 5, everySeconds: 60 },
    auditSignatures: { signature: `${hex()} ${hex()}`, run: hex(), person: hex(), at: at(3), pos: 6 },
    auditWatch: { agent: NEW.agent(), alert: null, state: ALERT_OK },
    groups: groupRow(group),
    commands: commandRow(NEW.agent(), 1),
    erasures: {
      group: NEW.group(),
      by: 'agreement',
      policy: 'none',
      version: 1,
      dueAt: at(1),
      begunAt: at(2),
      doneAt: null,
      parts: 3,
      listRoot: 'root',
      method: null,
      donePos: null,
    },
    confirmations: { agent: NEW.agent(), pos: 4, at: at(2) },
    keyCopies: { copy: hex(), kind: 'escrow', pos: 3, madeAt: at(1), untilAt: null },
    sources: {
      source: hex(),
      agent: NEW.agent(),
      tool: 'sshd',
      state: 'reading',
      since: at(1),
      skipped: 2,
      unreadable: 0,
    },
  };
}

type Tables = ReturnType<typeof rows>;
type Name = keyof Tables;

async function put(tx: Tx, name: Name, row: object): Promise<void> {
  await (tx[name] as { put(rows: object[]): Promise<void> }).put([row]);
}
const idOf = (row: object) => String(Object.values(row)[0]);
const listOf = (reader: Reader, name: Name) => reader[name].list() as Promise<object[]>;

export function registryContract(open: Open): void {
  it(
    'gives every registry row back as it was put, and null for one that is not there',
    on(open, async (store) => {
      const given = Object.entries(rows()) as [Name, object][];
      await store.write(async (tx) => {
        for (const [name, row] of given) await put(tx, name, row);
      });
      for (const [name, row] of given) {
        expect(await store.read[name].get(idOf(row)), name).toEqual(row);
        expect(await store.read[name].get('0'.repeat(32)), name).toBeNull();
        expect(await listOf(store.read, name), name).toEqual([row]);
      }
    }),
  );

  it(
    'replaces by primary key and keeps the place in the order',
    on(open, async (store) => {
      const [one, two] = [agentRow(), agentRow()];
      await store.write((tx) => tx.agents.put([one, two]));
      const changed: AgentRow = { ...one, state: 'approved', software: null, lastSeenAt: null };
      await store.write((tx) => tx.agents.put([changed]));
      expect(await store.read.agents.list()).toEqual([changed, two]);
    }),
  );

  it(
    'lists by all given columns: text, flags, null and lists',
    on(open, async (store) => {
      const all = personRow(null);
      const some = personRow([NEW.customer()]);
      const agent = NEW.agent();
      const commands = [1, 2, 3].map((n) => commandRow(agent, n));
      await store.write(async (tx) => {
        await tx.people.put([all, some]);
        await tx.commands.put(commands);
      });
      const { people, commands: table } = store.read;
      expect(await people.list({ customers: null })).toEqual([all]);
      expect(await people.list({ customers: some.customers, role: 'auditor' })).toEqual([some]);
      expect(await people.list({ role: 'dpo' })).toEqual([]);
      expect(await table.list({ agent, ok: true })).toEqual([commands[1]]);
      expect(await table.list({ agent, ok: null })).toEqual([commands[0]]);
    }),
  );

  it(
    'finds tickets of hosts by any part of their time, both ends included, the first ones',
    on(open, async (store) => {
      const [agent, other] = [NEW.agent(), NEW.agent()];
      const [early, late, wide] = [ticketRow(agent, 1, 5), ticketRow(agent, 9, 12), ticketRow(agent, 2, 40)];
      await store.write((tx) => tx.tickets.put([late, early, wide, ticketRow(other, 1, 5)]));
      const found = (from: number, to: number, limit = 10) =>
        store.read.ticketsOf([agent], at(from), at(to), limit);
      expect(await found(5, 9)).toEqual([early, wide, late]);
      expect(await found(6, 8)).toEqual([wide]);
      expect(await found(0, 99, 2)).toEqual([early, wide]);
      expect(await found(41, 99)).toEqual([]);
      expect(await store.read.ticketsOf([], at(0), at(99), 10)).toEqual([]);
    }),
  );

  it(
    'drops what is watched no more',
    on(open, async (store) => {
      const rows = ['a', 'b'].map((watch) => ({ watch, alert: null, state: ALERT_OK }));
      await store.write((tx) => tx.sessionWatch.put(rows));
      await store.write((tx) => tx.dropSessionWatch(['a', 'c']));
      expect(await store.read.sessionWatch.list()).toEqual(rows.slice(1));
    }),
  );

  it(
    'finds self-audits by host, time, findings and signatures, in the order of their leaves',
    on(open, async (store) => {
      const agent = NEW.agent();
      const run = (pos: number, findings = 0) => ({
        ...{ run: hex() as Id<'run'>, agent, customer: NEW.customer(), site: hex() as AgentRow['site'] },
        ...{ agreement: hex() as AgentRow['agreement'], trigger: 'schedule' as const, startedAt: at(pos) },
        ...{ endedAt: at(pos + 1), everySeconds: 60, findings, pos },
      });
      const [one, two, three] = [run(1), run(2, 3), run(3)] as const;
      const person = hex() as PersonRow['person'];
      const signature = { signature: `${one.run} ${person}`, run: one.run, person, at: at(9), pos: 9 };
      await store.write(async (tx) => {
        await tx.auditRuns.put([three, one, two]);
        await tx.auditSignatures.put([signature]);
      });
      const found = async (more: object) => await store.read.audits({ agents: [agent], limit: 10, ...more });
      expect(await found({})).toEqual([one, two, three]);
      expect(await found({ agents: [] })).toEqual([]);
      expect(await found({ since: at(2), until: at(3) })).toEqual([two]);
      expect(await found({ findings: true })).toEqual([two]);
      expect(await found({ unsigned: true, after: 2 })).toEqual([three]);
      expect(await found({ limit: 1 })).toEqual([one]);
      expect(await store.read.auditSignaturesOf([one.run, two.run])).toEqual([signature]);
      const watched = [NEW.agent(), NEW.agent()].map((watch) => ({
        agent: watch,
        alert: null,
        state: ALERT_OK,
      }));
      await store.write((tx) => tx.auditWatch.put(watched));
      await store.write((tx) => tx.dropAuditWatch(watched.slice(0, 1).map((row) => row.agent)));
      expect(await store.read.auditWatch.list()).toEqual(watched.slice(1));
    }),
  );
}
