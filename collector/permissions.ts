/**
 * Who may do what: one table, verb × role. Every route names a verb of it, every verb of a reading is one of it.
 *
 * Q11 Nobody does what this table does not give to their role; a route without a verb of it is no route.
 * Q12 What shows other people's personal data is told apart (`personal`), and can be taken away from one person whose
 *     role has it. Where the collector demands an NDA, nobody without one is shown any.
 */
import { TilsynError } from '../protocol/errors.ts';
import type { PersonRow } from './store/types.ts';

export type Role = PersonRow['role'];

interface Rule {
  roles: readonly Role[];
  /** Shows personal data of people who are not its users: those who sat at either end of a session. */
  personal?: true;
  /** Roles that can be the second person, for a verb that may need one (`approvals.ts`). */
  approve?: readonly Role[];
}

const ALL: readonly Role[] = ['admin', 'auditor', 'technician', 'security', 'dpo'];
/** Who installs and mends machines. */
const INSTALL: readonly Role[] = ['admin', 'technician'];
const ADMIN: readonly Role[] = ['admin'];
/** Who sees other users and what they ask for: everybody but technicians. */
const OVERSEE: readonly Role[] = ['admin', 'auditor', 'security', 'dpo'];
/** An auditor is strictly read-only, a technician does what others decide. */
const DECIDE: readonly Role[] = ['admin', 'security', 'dpo'];

const EXPLAIN: readonly Role[] = ['admin', 'technician', 'security'];
/**
 * Who is shown pseudonyms instead of the people at both ends of sessions: technicians, of each other and of the
 * customers' staff, and auditors, who check that rules are kept and not who somebody is. An admin without a second
 * person would have nobody to ask, so that theirs is clear; `--no-reading` takes all of it away.
 */
const VEILED: ReadonlySet<Role> = new Set<Role>(['technician', 'auditor']);

/** Q14. */
export function isVeiled(role: Role): boolean {
  return VEILED.has(role);
}

/** One line a verb. */
export const PERMISSIONS = {
  whoami: { roles: ALL },
  'session.list': { roles: ALL, personal: true },
  'session.show': { roles: ALL, personal: true },
  'session.tail': { roles: ALL, personal: true },
  // Who was not there himself reads the explanation, and does not write it.
  'session.explain': { roles: EXPLAIN, personal: true },
  // Of those who are shown pseudonyms the auditor; the others read names anyhow, and may want it on record.
  'session.reveal': { roles: OVERSEE, personal: true },
  'event.list': { roles: ALL },
  'event.personal': { roles: ALL, personal: true },
  'event.tail': { roles: ALL },
  'host.list': { roles: ALL },
  'host.show': { roles: ALL },
  'host.approve': { roles: INSTALL },
  'host.resolve': { roles: INSTALL },
  'host.revoke': { roles: INSTALL },
  coverage: { roles: ALL },
  'telemetry.show': { roles: ALL },
  'token.list': { roles: ['admin', 'auditor', 'technician'] },
  'token.create': { roles: INSTALL },
  'token.revoke': { roles: INSTALL },
  'agreement.list': { roles: ALL },
  'agreement.create': { roles: ADMIN },
  'agreement.end': { roles: ['admin', 'dpo'] },
  'agreement.end-now': { roles: ['admin', 'dpo'], approve: DECIDE },
  'agreement.cancel': { roles: ['admin', 'dpo'] },
  'erasure.list': { roles: ALL },
  'erasure.show': { roles: ALL },
  'person.list': { roles: OVERSEE },
  'person.add': { roles: ADMIN },
  'person.change': { roles: ADMIN },
  'person.revoke': { roles: ADMIN, approve: DECIDE },
  'person.id.list': { roles: OVERSEE },
  'person.id.add': { roles: ['admin', 'security'] },
  'person.id.remove': { roles: ['admin', 'security'] },
  // What a file explains says whose session it was: not for those who are shown pseudonyms.
  'ticket.import': { roles: ['admin', 'security'], personal: true },
  'alert.list': { roles: ALL },
  'webhook.list': { roles: ADMIN },
  'webhook.add': { roles: ADMIN },
  'webhook.remove': { roles: ADMIN },
  'webhook.test': { roles: ADMIN },
  'alert.ack': { roles: ['admin', 'technician', 'security'] },
  'approval.list': { roles: OVERSEE },
  'approval.approve': { roles: DECIDE },
  'approval.refuse': { roles: DECIDE },
  'retention.rules': { roles: ALL },
  'retention.lint': { roles: ALL },
  'retention.plan': { roles: OVERSEE },
  'retention.set': { roles: ADMIN, approve: DECIDE },
  // On request of the person whose sessions they are; shows counts.
  'session.erase': { roles: ['admin', 'dpo'], approve: DECIDE },
  'agreement.show': { roles: ALL },
  // Names of cameras, and of files, may say who is filmed.
  'recording.list': { roles: ALL, personal: true },
  'recording.due': { roles: ALL, personal: true },
  'recording.missing': { roles: ALL, personal: true },
  'recording.stats': { roles: ALL, personal: true },
  'sweep.plan': { roles: ALL },
  'sweep.status': { roles: ALL },
  'sweep.run': { roles: DECIDE },
  'sweep.approve': { roles: DECIDE },
  'hold.preview': { roles: DECIDE },
  'hold.place': { roles: DECIDE },
  // Case, basis and reason may name people; a technician is shown no restricted one (J31).
  'hold.list': { roles: ALL, personal: true },
  'hold.show': { roles: ALL, personal: true },
  'hold.notify': { roles: DECIDE, personal: true },
  'hold.confirm': { roles: ['admin', 'technician', 'security', 'dpo'], personal: true },
  'hold.slip': { roles: DECIDE },
  'hold.release': { roles: DECIDE, approve: DECIDE },
  'audit.list': { roles: ALL },
  'audit.show': { roles: ALL },
  // Says that they have read it, and changes nothing: also for who only reads.
  'audit.sign': { roles: OVERSEE },
  // With their names, and what the register says of each, for whom `recording.list` is as well.
  'camera.list': { roles: ALL },
  'camera.register': { roles: DECIDE },
  // Whoever says that another disk is meant, or that a root is given up.
  'source.set': { roles: DECIDE },
} as const satisfies Record<string, Rule>;
export type Verb = keyof typeof PERMISSIONS;

export function ruleOf(verb: Verb): Rule {
  return PERMISSIONS[verb];
}

/** `reading` false: what shows personal data was taken away from this person (Q12). */
export function may({ role, reading }: Pick<PersonRow, 'role' | 'reading'>, verb: Verb): boolean {
  const rule = ruleOf(verb);
  return rule.roles.includes(role) && (reading || rule.personal !== true);
}

/** A verb as it is typed: `person revoke`, `agreement end --now`. */
export function typed(verb: string): string {
  return verb.replaceAll('.', ' ').replace('-now', ' --now');
}

/** Q12: where an NDA is demanded and this person has none. */
export function withoutNda(verb: Verb): TilsynError {
  return new TilsynError(
    'permission.nda',
    `${typed(verb)}: this collector wants a non-disclosure agreement first`,
    {
      hint: 'An admin records it with `tilsyn person change ID --nda DATE`.',
      exit: 'forbidden',
    },
  );
}

/** Q11, Q12. */
export function denied(person: PersonRow, verb: Verb): TilsynError {
  const { roles } = ruleOf(verb);
  if (roles.includes(person.role)) {
    return new TilsynError('permission.reading', `${typed(verb)}: reading was taken away from this person`, {
      hint: 'Ask an auditor; an admin gives it back with `tilsyn person change ID --reading`.',
      exit: 'forbidden',
    });
  }
  return new TilsynError('permission.denied', `${typed(verb)}: the role ${person.role} may not do this`, {
    hint: `Ask someone whose role is one of: ${roles.join(', ')}.`,
    exit: 'forbidden',
  });
}
