import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clean, csvText, jsonText, tableText } from '../../cli/text.ts';

const ESCAPE = '\u001b]0;owned\u0007';
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass
const ACTS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

describe('Y1 a name that somebody chose, on a terminal', () => {
  it.each([
    ['an escape sequence', `srv${ESCAPE}`],
    ['an 8-bit control sequence', 'srv\u009b2J'],
    ['a new line', 'srv\nadmin  online'],
    ['a text that runs backwards', 'srv\u202egpj.exe'],
    ['a return to the start of the line', 'srv\rroot'],
    ['a character of no width', 'a\u200bdmin'],
  ])('Y1 %s', (_what, name) => {
    const shown = tableText(['host'], [[name]]);
    expect(shown).not.toMatch(ACTS);
    expect(shown.split('\n')).toHaveLength(3);
    expect(shown).toContain('\ufffd');
  });

  it('Y1 names of all languages stay as they are', () => {
    for (const name of ['Møller', 'Åse', 'Järvi', '山田', 'Ünal', '😀']) expect(clean(name)).toBe(name);
  });

  it('Y1 whatever the text, nothing that acts is left', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(clean(text)).not.toMatch(ACTS);
      }),
    );
  });
});

describe('Y2 a name that somebody chose, in a spreadsheet', () => {
  it.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-2+3', "'-2+3"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1+1', "'\ufffd=1+1"],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['=HYPERLINK("x","y")', '"\'=HYPERLINK(""x"",""y"")"'],
  ])('Y2 %j', (text, expected) => {
    expect(csvText(['name'], [[text]])).toBe(`name\r\n${expected}\r\n`);
  });

  it('Y2 a number is a number, nothing is nothing', () => {
    expect(csvText(['a', 'b', 'c'], [[-5, null, true]])).toBe('a,b,c\r\n-5,,true\r\n');
  });
});

describe('Y3 JSON', () => {
  it('Y3 keeps every character, and no raw one that a terminal acts on', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom(0, 2), (name, indent) => {
        const text = jsonText({ name }, indent);
        expect(JSON.parse(text)).toEqual({ name });
        expect(text).not.toMatch(ACTS);
      }),
    );
  });
});

describe('tables', () => {
  it('columns line up, also with characters outside the basic plane; nothing trails', () => {
    expect(
      tableText(
        ['a', 'name'],
        [
          ['x', '😀'],
          ['long', null],
        ],
      ),
    ).toBe('A     NAME\nx     😀\nlong  -\n');
  });
});
