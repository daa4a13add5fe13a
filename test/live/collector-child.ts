/** The product's own collector with a policy of the suite's: no command of this version puts one in force. */
import { run } from '../../collector/main.ts';

interface Config {
  state: string;
  listen: string;
  /** Days that a session is kept; null: no rule. */
  keepDays: number | null;
}

const config = JSON.parse(process.argv[2] ?? '{}') as Config;
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const { state, listen, keepDays } = config;
if (keepDays !== null) await setPolicy(keepDays);
const handle = await run({ state, listen, signals: true });
await handle.stopped;
process.exit(0);

/** As a person would: it is in force from the next start on. */
async function setPolicy(days: number): Promise<void> {
  const period = { keepAtMost: `P${days}D`, keepAtLeast: null };
  const rule = { class: 'session', trigger: 'session-end', action: 'erase', ...period };
  // By a name that events know.
  const policy = { name: 'dk-msp', version: 1, author: 'the suite', zone: 'UTC', rules: [rule] };
  const { ctx, stop } = await run({ state, listen: '127.0.0.1:0', signals: false });
  const record = { v: 1, pack: null, person: null, setAt: new Date(ctx.clock.now()).toISOString(), policy };
  await ctx.store.write((tx) => tx.setMeta('policy.record', JSON.stringify(record)));
  await stop();
}
