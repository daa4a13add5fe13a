/** `tilsyn approval approve|refuse ID`. */
import { act } from './act.ts';
import { APPROVAL_ROW } from './approval-list.ts';
import { flag, required, text, usage } from './args.ts';
import type { Input } from './io.ts';

/** `--alone`, which wants a reason. */
export function alone(input: Input): boolean {
  if (!flag(input, 'alone')) return false;
  if (text(input, 'reason') !== undefined) return true;
  throw usage('reading --alone: there is no --reason', 'Give --reason TEXT with it; it is recorded, sealed.');
}

/** At a terminal it shows what is about to be done; elsewhere nobody is asked, the command is the consent. */
function asking(input: Input, what: string) {
  if (!input.io.interactive) return {};
  return {
    ask: ({ verb, body, askedBy }: Record<string, unknown>) =>
      `${what} ${verb} ${JSON.stringify(body)}, asked for by ${askedBy}`,
  };
}

export function approvalApprove(input: Input): Promise<number> {
  const byOne = alone(input);
  return act(input, {
    path: (id) => `/v1/approvals/${id}/approve`,
    columns: APPROVAL_ROW,
    more: { alone: byOne },
    ...asking(input, byOne ? 'do in 72 hours, without a second person:' : 'approve'),
  });
}

export function approvalRefuse(input: Input): Promise<number> {
  required(input, 'reason', '--reason');
  return act(input, {
    path: (id) => `/v1/approvals/${id}/refuse`,
    columns: APPROVAL_ROW,
    ...asking(input, 'refuse'),
  });
}
