/**
 * Texts of the notice that a dispute hold wants (H5), in the name of the controller. They say what is kept, why, for how
 * long, and what the person may ask for; whoever sends one adds whom it is for.
 */

export const NOTICE_LANGUAGES = ['en', 'da', 'sv', 'no', 'fi'] as const;
export type NoticeLanguage = (typeof NOTICE_LANGUAGES)[number];

export interface NoticeFacts {
  /** Who decides about the recordings; null: a line to fill in. */
  controller: string | null;
  /** The interval, ISO 8601; null: open. */
  from: string | null;
  to: string | null;
}

export function noticeText(language: NoticeLanguage, { controller, from, to }: NoticeFacts): string {
  const name = controller ?? '____________________';
  const span = `${from ?? '…'} – ${to ?? '…'}`;
  return `${TEXTS[language](name, span).join('\n')}\n`;
}

const TEXTS: Readonly<Record<NoticeLanguage, (name: string, span: string) => string[]>> = {
  en: (name, span) => [
    'Notice: recordings are kept for longer',
    '',
    `${name} keeps video recordings of ${span} (UTC) for longer than usual, because they are needed to settle a dispute that concerns you.`,
    'They are kept until the dispute is settled and are then deleted. Only those who handle the dispute may see them.',
    'You may ask for a copy of the recordings that show you, and you may object or complain to the data protection authority.',
    '',
    name,
  ],
  da: (name, span) => [
    'Meddelelse: optagelser gemmes længere',
    '',
    `${name} gemmer videooptagelser fra ${span} (UTC) længere end normalt, fordi de er nødvendige for at afklare en konkret tvist, som vedrører dig.`,
    'De gemmes, indtil tvisten er afklaret, og slettes derefter. Kun de, der behandler tvisten, må se dem.',
    'Du kan bede om en kopi af de optagelser, du ses på, og du kan gøre indsigelse eller klage til Datatilsynet.',
    '',
    name,
  ],
  sv: (name, span) => [
    'Meddelande: inspelningar sparas längre',
    '',
    `${name} sparar videoinspelningar från ${span} (UTC) längre än vanligt, eftersom de behövs för att lösa en tvist som rör dig.`,
    'De sparas tills tvisten är löst och raderas därefter. Endast de som hanterar tvisten får se dem.',
    'Du kan begära en kopia av de inspelningar där du syns, och du kan invända eller klaga hos Integritetsskyddsmyndigheten.',
    '',
    name,
  ],
  no: (name, span) => [
    'Melding: opptak oppbevares lenger',
    '',
    `${name} oppbevarer videoopptak fra ${span} (UTC) lenger enn vanlig, fordi de trengs for å avklare en tvist som gjelder deg.`,
    'De oppbevares til tvisten er avklart, og slettes deretter. Bare de som behandler tvisten, får se dem.',
    'Du kan be om en kopi av opptakene du vises på, og du kan protestere eller klage til Datatilsynet.',
    '',
    name,
  ],
  fi: (name, span) => [
    'Ilmoitus: tallenteita säilytetään tavallista pidempään',
    '',
    `${name} säilyttää videotallenteita ajalta ${span} (UTC) tavallista pidempään, koska niitä tarvitaan sinua koskevan riidan selvittämiseen.`,
    'Niitä säilytetään, kunnes riita on selvitetty, ja sen jälkeen ne poistetaan. Vain riitaa käsittelevät saavat nähdä ne.',
    'Voit pyytää kopion tallenteista, joissa näyt, ja voit vastustaa käsittelyä tai valittaa tietosuojavaltuutetulle.',
    '',
    name,
  ],
};
