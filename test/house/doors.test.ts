/** Z1: one door per danger, applied to the tree. */
import { describe, expect, it } from 'vitest';
import { DOORS, offences } from './doors.ts';
import { codeOnly, filesIn, PRODUCT } from './tree.ts';

const product = filesIn(PRODUCT);

describe.each(DOORS)('Z1 $name', (door) => {
  it('Z1 holds in the tree', () => {
    expect(offences(door, product)).toEqual([]);
  });

  it('Z1 is seen to be broken by a bad file, and not by the same words in a comment', () => {
    const bad = { path: 'agent/bad.ts', text: `${door.bad}\n` };
    expect(offences(door, [bad]).length).toBeGreaterThan(0);
    const quoted = {
      path: 'agent/bad.ts',
      text: `/* ${door.bad.replaceAll('*/', '')} */\n// ${door.bad.replaceAll('\n', ' ')}\n`,
    };
    expect(offences(door, [quoted])).toEqual([]);
    for (const allowed of door.allowed) {
      const path = allowed.endsWith('/') ? `${allowed}any.ts` : allowed;
      expect(offences(door, [{ ...bad, path }])).toEqual([]);
    }
  });
});

describe('the reader of code', () => {
  it('Z1 takes out comments and quoted text, and nothing else', () => {
    const text = [
      "const a = 'Date.now() // no'; // Date.now()",
      `const b = \`\${process.env.X} // kept\`; /* process.exit */ const c = 1;`,
      "const d = /['\"`/]\\/[/]/.test(x); const e = 'it\\'s'; f();",
      'const g = a / b / c; // gone',
    ].join('\n');
    expect(codeOnly(text, { strings: false })).toBe(
      [
        "const a = ''; ",
        `const b = \`\${process.env.X} // kept\`;  const c = 1;`,
        "const d = /['\"`/]\\/[/]/.test(x); const e = ''; f();",
        'const g = a / b / c; ',
      ].join('\n'),
    );
    expect(codeOnly(text)).toContain("'Date.now() // no'");
  });

  it('Z1 sees the whole product', () => {
    expect(product.length).toBeGreaterThan(60);
    for (const room of PRODUCT) expect(product.some((file) => file.path.startsWith(`${room}/`))).toBe(true);
    expect(product.map((f) => f.path)).toContain('protocol/seal.ts');
  });
});
