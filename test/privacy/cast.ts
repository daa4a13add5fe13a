/** Who and what appears in the connections file of a privacy run: canaries, and what is planted between them. */
import { randomBytes, randomInt } from 'node:crypto';
import { tvTime } from '../fixtures/teamviewer.ts';
import type { Canary } from './search.ts';

/** A canary, and the places in which it has to stand: where a person asked to be shown it. */
export interface Known extends Canary {
  mayStandIn?: RegExp;
}

export interface Person {
  id: string;
  name: string;
  user: string;
  guid: string;
}

const PEOPLE = 6;
const FIRST = Date.UTC(2026, 9, 1, 6);

function word(): string {
  // Letters and digits of both cases, short enough that no rule for long tokens takes it.
  return randomBytes(12)
    .toString('base64')
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 9);
}

/** With signs that make every form another one: two alphabets of base64, percent, UTF-8, UTF-16. */
function mark(sign: string): string {
  return `${sign}${word()}~~~ø${word()}`;
}

export class Cast {
  readonly name = mark('N');
  readonly user = mark('U');
  readonly unreadable = mark('L');
  readonly host = `host-${word().toLowerCase()}${word().toLowerCase()}`;
  readonly config = mark('C');
  readonly customer = mark('K');
  readonly person = mark('P');
  readonly people: Person[];
  readonly secrets: { kind: string; text: string; person: Person }[];

  constructor() {
    this.people = Array.from({ length: PEOPLE }, (_, n) => this.#person(n, `Møller ${n} ${this.name}`));
    this.secrets = PLANTED.map(({ kind, plant }, n) => {
      const text = kind === 'aws key' ? awsKey() : word() + word().slice(0, 4);
      const [name, user] = plant(text);
      return {
        kind,
        text,
        person: { ...this.#person(PEOPLE + n, name), ...(user === undefined ? {} : { user }) },
      };
    });
  }

  #person(n: number, name: string): Person {
    return {
      id: `17${randomInt(10_000_000, 99_999_999)}`,
      name,
      user: `${this.user} ${n}`,
      guid: `{${randomBytes(16)
        .toString('hex')
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}}`,
    };
  }

  get everybody(): Person[] {
    return [...this.people, ...this.secrets.map(({ person }) => person)];
  }

  /** The n-th row, without its newline. */
  row(n: number): string {
    const who = this.everybody[n % this.everybody.length] as Person;
    const start = FIRST + n * 600_000;
    const times = [tvTime(start), tvTime(start + 124_000)];
    return [who.id, who.name, ...times, who.user, 'RemoteControl', who.guid, ''].join('\t');
  }

  /** Lines that no reader can read, each with a canary. */
  get broken(): string[] {
    const { unreadable: text } = this;
    const id = this.people[0]?.id ?? '';
    return [
      `${text}\tfirst field is no number\t01-10-2026 06:00:00\t01-10-2026 06:02:00\tu\tRemoteControl\t\t`,
      `${id}\t${text}\t99-99-2026 06:00:00\t01-10-2026 06:02:00\tu\tRemoteControl\t\t`,
      `password=${text} and nothing else`,
      `${id}\t\ufffd${text}`,
    ];
  }

  /** Everything that must be found nowhere. */
  get canaries(): Known[] {
    return [
      { name: 'the mark in names', text: this.name },
      { name: 'the mark in local users', text: this.user },
      { name: 'the mark in unreadable lines', text: this.unreadable },
      { name: 'the name of the host', text: this.host, mayStandIn: /^tilsyn host list, stdout$/ },
      { name: 'the password in agent.yaml', text: this.config },
      // A customer's name is given as an argument, by the contract of the command line.
      { name: 'the name of the customer', text: this.customer, mayStandIn: SHOWN_TO_ADMIN },
      { name: 'the name of the person', text: this.person, mayStandIn: SHOWN_TO_ADMIN },
      ...this.everybody.map(({ id }, n) => ({ name: `TeamViewer ID ${n}`, text: id })),
      ...this.everybody.map(({ guid }, n) => ({ name: `session GUID ${n}`, text: guid.slice(1, -1) })),
      ...this.secrets.map(({ kind, text }) => ({ name: `planted ${kind}`, text })),
    ];
  }
}

const SHOWN_TO_ADMIN = /^\/proc cmdline of tilsyn (token|person)|^tilsyn (token|person|host|whoami|login)/;

function awsKey(): string {
  return `AKIA${Array.from({ length: 16 }, () => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[randomInt(32)]).join('')}`;
}

/** Name, and the local user where it is planted there. */
type Plant = (secret: string) => [string, string?];

const PLANTED: readonly { kind: string; plant: Plant }[] = [
  { kind: 'password=', plant: (secret) => [`Morgan password=${secret}`] },
  { kind: 'password in a URL', plant: (secret) => [`see https://morgan:${secret}@files.example/x`] },
  { kind: 'kodeord:', plant: (secret) => ['Morgan', `morgan kodeord: ${secret}`] },
  { kind: 'command line', plant: (secret) => ['Morgan', `teamviewer.exe --Password ${secret}`] },
  { kind: 'bearer token', plant: (secret) => [`curl -H Authorization: Bearer ${secret}`] },
  {
    kind: 'basic credentials',
    plant: (secret) => [`Basic ${Buffer.from(`morgan:${secret}`).toString('base64')}`],
  },
  { kind: 'GitHub token', plant: (secret) => [`ghp_${secret}${secret}`] },
  { kind: 'JSON web token', plant: (secret) => [`eyJhbGciOiJIUzI1NiJ9.${secret}.${secret}`] },
  { kind: 'aws key', plant: (secret) => [`key ${secret} of ours`] },
  { kind: 'enrolment token', plant: (secret) => [`tilsyn1.${secret}${secret}`] },
  { kind: 'api key', plant: (secret) => [`{"apiKey": "${secret}"}`] },
  { kind: 'password as shown', plant: (secret) => [`Password 4${secret}`] },
];
