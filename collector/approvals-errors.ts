/** Why an approval is not given, refused or run: one code each. */
import { type ExitName, TilsynError } from '../protocol/errors.ts';
import type { Why } from './approvals-rules.ts';
import type { ApprovalRow } from './store/types.ts';

const ASK_ANOTHER = 'Ask another person; `tilsyn approval list` says who can.';

interface Refusal {
  code: string;
  text: string;
  hint: string;
  exit: ExitName;
}
const REFUSALS: Readonly<Record<Why, Refusal>> = {
  own: {
    code: 'approval.own',
    text: 'you asked for it yourself',
    hint: `${ASK_ANOTHER} Where nobody can: --alone --reason TEXT.`,
    exit: 'forbidden',
  },
  about: { code: 'approval.about', text: 'it is about yourself', hint: ASK_ANOTHER, exit: 'forbidden' },
  role: {
    code: 'approval.role',
    text: 'your role, or your customers, do not reach it',
    hint: ASK_ANOTHER,
    exit: 'forbidden',
  },
  young: {
    code: 'approval.young',
    text: 'whoever asked made your account less than 7 days ago',
    hint: ASK_ANOTHER,
    exit: 'forbidden',
  },
  over: {
    code: 'approval.over',
    text: 'it was given or refused already',
    hint: 'See `tilsyn approval list`; ask anew if need be.',
    exit: 'conflict',
  },
  expired: {
    code: 'approval.expired',
    text: 'its time is over',
    hint: 'Run the command again that asked for it.',
    exit: 'conflict',
  },
  'asker-gone': {
    code: 'approval.asker-gone',
    text: 'whoever asked for it was revoked',
    hint: 'Run the command yourself that asked for it; somebody else then approves.',
    exit: 'conflict',
  },
  'not-asker': {
    code: 'approval.not-asker',
    text: 'only who asked for it goes on alone',
    hint: 'Approve it without --alone.',
    exit: 'forbidden',
  },
  'not-alone': {
    code: 'approval.not-alone',
    text: 'others can approve it',
    hint: 'Leave --alone out, and ask one of them; `tilsyn approval list` says who.',
    exit: 'forbidden',
  },
  'alone-now': {
    code: 'approval.alone-now',
    text: 'what is to happen at once needs a second person',
    hint: 'Ask for it without --now.',
    exit: 'forbidden',
  },
  'not-due': {
    code: 'approval.not-due',
    text: 'its 72 hours are not over',
    hint: 'It runs by itself when they are.',
    exit: 'forbidden',
  },
};

export function refusalOf(why: Why, { approval }: Pick<ApprovalRow, 'approval'>): TilsynError {
  const { code, text, hint, exit } = REFUSALS[why];
  return new TilsynError(code, `deciding approval ${approval}: ${text}`, { hint, exit });
}

export function unknownApproval(): TilsynError {
  return new TilsynError('approval.unknown', 'deciding an approval: there is none with this id', {
    hint: '`tilsyn approval list` shows the ids.',
    exit: 'notFound',
  });
}

/** R8. */
export function unlikeAsked(approval: string): TilsynError {
  return new TilsynError('approval.changed', `giving approval ${approval}: it is not what was asked for`, {
    hint: 'Refuse it, and find out who could write to the database of the collector.',
    exit: 'integrity',
  });
}

/** R10. */
export function beforeRestore(approval: string): TilsynError {
  return new TilsynError(
    'approval.before-restore',
    `giving approval ${approval}: it was asked for before this state was set back`,
    { hint: 'What became of it then is not known here. Refuse it, and ask anew.', exit: 'conflict' },
  );
}

/** R4: where nobody else could approve what is to happen at once. */
export function withoutSecond(): TilsynError {
  return new TilsynError(
    'approval.nobody',
    'asking for --now: it needs a second person, and nobody else could approve it',
    { hint: 'Leave --now out: it then waits 72 hours and can be cancelled.', exit: 'forbidden' },
  );
}

export function withoutReason(): TilsynError {
  return new TilsynError(
    'approval.reason',
    'deciding an approval: refusing it, or acting alone, needs a reason',
    {
      hint: 'Give --reason TEXT; it is recorded, sealed.',
      exit: 'usage',
    },
  );
}
