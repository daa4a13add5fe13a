/**
 * What the collector orders and asks on one connection, each one after the other. A connection that ended takes what
 * waited with it: commands are given again, and whoever asked is told that nobody answered.
 */
import type { CloseName } from '../../protocol/close-code.ts';
import type { Journal } from '../types.ts';
import {
  type Answerer,
  answerQuery,
  type Command,
  type CommandContext,
  type Doer,
  type Query,
  type Result,
  refuseQuery,
  runCommand,
} from './commands.ts';

/** Commands that wait for their turn. */
const COMMANDS_MAX = 1024;
/** Queries that wait for theirs: they are answered from memory and from the database, and nobody needs many. */
const QUERIES_MAX = 8;

export interface OrdersDeps {
  journal: Pick<Journal, 'applied' | 'applyCommand'>;
  doers: Readonly<Record<string, Doer>>;
  answers: Readonly<Record<string, Answerer>>;
  send(result: Result): void;
  improper(code: CloseName): void;
  broke(error: unknown): void;
}

export class Orders {
  readonly #d: OrdersDeps;
  #commands: Promise<void> = Promise.resolve();
  #commandsWaiting = 0;
  #queries: Promise<void> = Promise.resolve();
  #queriesWaiting = 0;
  #over = false;

  constructor(deps: OrdersDeps) {
    this.#d = deps;
  }

  /** Nothing is sent any more. */
  end(): void {
    this.#over = true;
  }

  /** In order, one at a time. False: more wait than may. */
  command(command: Command, context: CommandContext): boolean {
    if (this.#commandsWaiting >= COMMANDS_MAX) return false;
    this.#commandsWaiting += 1;
    this.#commands = this.#commands.then(async () => {
      this.#commandsWaiting -= 1;
      if (!this.#over) await this.#carryOut(command, context);
    });
    return true;
  }

  async #carryOut(command: Command, context: CommandContext): Promise<void> {
    const { journal, doers, send, improper, broke } = this.#d;
    try {
      const answer = await runCommand(command, context, journal, doers);
      if (this.#over) return;
      if ('close' in answer) improper(answer.close);
      else send(answer.result);
    } catch (error) {
      if (!this.#over) broke(error);
    }
  }

  /** A query that comes while another is answered waits; more than a few are refused. */
  query(query: Query): void {
    if (this.#queriesWaiting >= QUERIES_MAX) {
      this.#d.send(refuseQuery(query, 'busy'));
      return;
    }
    this.#queriesWaiting += 1;
    this.#queries = this.#queries.then(async () => {
      const result = await answerQuery(query, this.#d.answers);
      this.#queriesWaiting -= 1;
      if (!this.#over) this.#d.send(result);
    });
  }
}
