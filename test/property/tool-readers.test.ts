/** R1, R2, R4: the readers of AnyDesk, RustDesk and Windows remote desktop, with any text and any order of lines. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeAnydeskTraceReader } from '../../agent/sources/anydesk.ts';
import { makeAnydeskConnectionReader } from '../../agent/sources/anydesk-rows.ts';
import type { LineResult, MakeReader, SessionChange } from '../../agent/sources/change.ts';
import { makeRdpReader } from '../../agent/sources/rdp.ts';
import { eventsIn } from '../../agent/sources/rdp-channels.ts';
import { makeRustdeskReader } from '../../agent/sources/rustdesk.ts';
import { readWindowsEvent } from '../../agent/sources/windows-event.ts';
import { made } from '../agent/sources/reader.ts';
import * as anydesk from '../fixtures/anydesk.ts';
import * as rdp from '../fixtures/rdp.ts';

const minutes = (n: number) => `1${Math.floor(n / 60)}:${String(n % 60).padStart(2, '0')}`;
const few = fc.integer({ min: 0, max: 3 });

/** Lines of each tool, as they come: `[which form, who, minute]`. */
const anydeskLine = fc
  .tuple(fc.integer({ min: 0, max: 10 }), few, few)
  .map(([form, who, wait]) => (minute: number) => {
    const peer = String(500_000_000 + who);
    const of = { at: `${minutes(minute + wait)}:04.298`, pid: 4_000 + who, peer };
    const forms = [
      () => anydesk.request(of),
      () => anydesk.accept({ ...of, pid: 2_936, fiber: 30 + who }),
      () => anydesk.client({ at: of.at, peer, fiber: 30 + who }),
      () => anydesk.loggedIn({ at: of.at, fiber: 30 + who }),
      () => anydesk.authenticated('by password', of),
      () => anydesk.authenticated('by local user.', { ...of, role: 'lctrl', pid: 1 }),
      () => anydesk.entry('app.session', 'Passphrase not accepted.', of),
      () => anydesk.socketClosed(of),
      () => anydesk.quitAsked(of),
      () => anydesk.entry('app.local_file_transfer', 'Preparation of 3 files completed (io_ok).', of),
      () => anydesk.startup(wait === 0 ? 'gsvc' : 'back', of)[1] ?? '',
    ];
    return forms[form]?.() ?? '';
  });

const rdpLine = fc
  .tuple(fc.integer({ min: 0, max: 15 }), few, few)
  .map(([form, who, at]) => (minute: number) => {
    const user = `P\\u${who}`;
    const of = {
      at: `${minutes(minute)}:00`,
      user,
      session: at,
      address: who === 0 ? 'LOCAL' : rdp.IP,
      activity: null,
    };
    const secured = { at: of.at, user: `u${who}`, logon: `0xa${at}`, linked: at === 1 ? '0xa2' : '0x0' };
    const forms = [
      () => rdp.lsm(21, of),
      () => rdp.lsm(22, of),
      () => rdp.lsm(23, of),
      () => rdp.lsm(24, of),
      () => rdp.lsm(25, of),
      () => rdp.disconnectedBy(of),
      () => rdp.disconnectedFor(of),
      () => rdp.knock({ at: of.at, user: `u${who}` }),
      () => rdp.logon(secured),
      () => rdp.logon({ ...secured, type: 7 }),
      () => rdp.failed(secured),
      () => rdp.logoff(4634, secured),
      () => rdp.logoff(4647, secured),
      () => rdp.windowStation(4778, { ...secured, name: at === 0 ? 'Console' : 'RDP-Tcp#1' }),
      () => rdp.windowStation(4779, secured),
      () => (at === 0 ? rdp.boot({ at: of.at }) : rdp.wrongPassword({ at: of.at })),
    ];
    return forms[form]?.() ?? '';
  });

const rustdeskLine = fc.tuple(few, few).map(([form, number]) => (minute: number) => {
  const head = `[2026-08-09 ${minutes(minute)}:58.920092 -04:00] DEBUG [src/server/connection.rs:576] `;
  const forms = [
    `#${number} Connection opened from 203.0.113.9:52114.`,
    `#${number} Connection closed: End`,
    `#${number} connection loop exited`,
    number === 0
      ? 'main start args:["--server"]'
      : 'Temporary password rotated after too many consecutive wrong attempts: failures=12, ip=203.0.113.9',
  ];
  return head + (forms[form] ?? '');
});

const rowLine = fc
  .constantFrom('User', 'Passwd', 'Token', 'REJECTED')
  .map((how) => () => anydesk.row({ how }));

type Line = (minute: number) => string;
const TOOLS: readonly [name: string, MakeReader, fc.Arbitrary<Line>][] = [
  ['AnyDesk trace', makeAnydeskTraceReader, anydeskLine],
  ['AnyDesk connections', makeAnydeskConnectionReader, rowLine],
  ['RustDesk', makeRustdeskReader, rustdeskLine],
  ['remote desktop', makeRdpReader, rdpLine],
];

const REASONS = ['fields', 'start', 'end', 'peer-id', 'encoding', 'too-long'];

function all(make: MakeReader, lines: readonly string[]): LineResult[] {
  const reader = made(make);
  return lines.map((line) => reader.line(line));
}

const changesIn = (results: readonly LineResult[]): SessionChange[] =>
  results.flatMap((result) => (result.ok ? [...result.changes] : []));

/** A line with some of its signs changed, cut out or doubled. */
const damaged = (line: fc.Arbitrary<Line>) =>
  fc
    .tuple(
      line,
      fc.nat(2_000),
      fc.nat(40),
      fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('\0', '\ufffd', '<', '"', ' - ', '  ')),
    )
    .map(([make, at, length, put]) => {
      const text = make(0);
      const from = at % (text.length + 1);
      return text.slice(0, from) + put + text.slice(from + length);
    });

describe.each(TOOLS)('%s', (_name, make, line) => {
  it('R1 R4 any text is read, or has a reason that quotes nothing', () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), damaged(line));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 40 }), (lines) => {
        for (const result of all(make, lines)) if (!result.ok) expect(REASONS).toContain(result.reason);
      }),
    );
  });

  it('R2 the same lines give the same changes, and every session begins once and ends once, in that order', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 60 }), (made) => {
        const lines = made.map((one, minute) => one(minute));
        const results = all(make, lines);
        expect(all(make, lines)).toEqual(results);
        const begun = new Map<string, string>();
        for (const change of changesIn(results)) {
          if (change.what === 'tool-stopped') begun.clear();
          if (!('key' in change)) continue;
          const before = begun.get(change.key);
          if (change.what === 'attempted') expect(before).toBeUndefined();
          if (change.what === 'started') expect([undefined, 'attempted']).toContain(before);
          if (change.what === 'updated') expect(['attempted', 'started']).toContain(before);
          if (change.what === 'ended') expect(['attempted', 'started']).toContain(before);
          if (change.what === 'updated') continue;
          if (change.what === 'ended' || change.what === 'rejected') begun.delete(change.key);
          else begun.set(change.key, change.what);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('an event', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '<Event>',
      '</Event>',
      '<System>',
      '<EventID>',
      '21',
      '<Data Name="',
      "'",
      '"',
      '>',
      '<',
      '/>',
      '&#',
      '&lt;',
      '<!--',
      ']]>',
      '<![CDATA[',
    ),
    fc.string({ maxLength: 6 }),
  );

  it('R60 is read whatever the pieces', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 80 }), (pieces) => {
        const xml = `<Event x='1'>${pieces.join('')}`;
        const event = readWindowsEvent(xml);
        if (event !== null && typeof event !== 'string') expect(event.values.size).toBeLessThanOrEqual(128);
        expect(eventsIn(xml).length).toBeLessThanOrEqual(pieces.length);
      }),
    );
  });

  it('R60 values come back as they went in', () => {
    const value = fc
      .string({ unit: 'grapheme', maxLength: 60 })
      .filter((text) => text.trim() === text && text.isWellFormed());
    fc.assert(
      fc.property(value, (user) => {
        const event = readWindowsEvent(rdp.lsm(21, { user }));
        expect(event).toMatchObject({ id: 21 });
        if (event !== null && typeof event !== 'string') expect(event.values.get('User')).toBe(user);
      }),
    );
  });
});
