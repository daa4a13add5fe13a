/**
 * Windows remote desktop: sessions from the events of several logs. A line is one event as XML. Pure.
 *
 * One logon is one session, however often its connection is cut and taken up again: that is told as `connection` of an
 * update, and the session ends when the logon does. What the session manager, the security log and the listener say of
 * one logon is joined on account and time, and told once.
 *
 * R52 A listener's "authentication succeeded" (1149) alone is an attempt. Where its account has a session already, it
 *     is most likely that session taken up again, and is told only when nothing has come of it.
 * R53 Numbers of sessions are used again, ids of logons only within one boot. A number that somebody else arrives in, or
 *     a start of the machine, ends who was in it.
 * R54 A logon of an account that has a session is no session yet: taking one up again makes one that lives a second.
 * R55 Who takes a session up at the console ends what was remote of it, and who takes up a console session from
 *     elsewhere begins a remote one.
 */
import type { LineReader, LineResult, MakeReader, ReaderOptions, SessionChange } from './change.ts';
import { NOTHING } from './change.ts';
import { type RdpFact, rdpFact } from './rdp-facts.ts';
import { type At, RdpLogons } from './rdp-logons.ts';
import { readWindowsEvent } from './windows-event.ts';

export const makeRdpReader: MakeReader = (options) => new RdpReader(options);

class RdpReader implements LineReader {
  readonly #logons: RdpLogons;

  constructor({ ownIps }: ReaderOptions) {
    this.#logons = new RdpLogons(ownIps);
  }

  line(text: string): LineResult {
    const event = readWindowsEvent(text);
    if (event === null) return NOTHING;
    if (typeof event === 'string') return { ok: false, reason: event };
    const fact = rdpFact(event);
    if (fact === null) return NOTHING;
    if (fact === 'fields') return { ok: false, reason: 'fields' };
    const late = this.#logons.due(event.at);
    const changes = [...late, ...this.#take(fact, { at: event.at, activity: event.activity })];
    return changes.length === 0 ? NOTHING : { ok: true, changes };
  }

  #take(fact: RdpFact, when: At): SessionChange[] {
    const logons = this.#logons;
    switch (fact.is) {
      case 'arrived':
        return logons.arrived(fact, when);
      case 'left':
        return logons.left(logons.inSession(fact.session, fact.user), when);
      case 'logged-off':
        return logons.loggedOff(fact, when);
      case 'knocked':
        return logons.knocked(fact, when);
      case 'refused':
        return logons.refused(fact, when);
      case 'logon':
        return logons.logon(fact, when);
      case 'unlocked':
        return logons.unlocked(fact);
      case 'logoff':
        return logons.logoff(fact, when);
      case 'reconnected':
        return logons.reconnected(fact, when);
      case 'disconnected':
        return logons.left(logons.ofLogon(fact.logon), when);
      case 'boot':
        return logons.boot(when);
    }
  }
}
