import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPageTokens } from '../../src/records/page-token.ts';

const tokens = createPageTokens(async () => new Uint8Array(32).fill(1));
const place = fc.array(fc.option(fc.string({ unit: 'grapheme' })), { maxLength: 5 });

describe('the token of a page', () => {
  it('opens to the place that was sealed, for the same list only', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), place, async (list, other, values) => {
        const token = await tokens.seal(list, values);
        expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(await tokens.open(list, token)).toEqual(values);
        if (other !== list) expect(await tokens.open(other, token)).toBeUndefined();
      }),
    );
  });

  it('shows neither the values nor how long they are', async () => {
    const [a, b] = [await tokens.seal('l', ['secret']), await tokens.seal('l', ['s'])];
    expect(atob(a.replaceAll('-', '+').replaceAll('_', '/'))).not.toContain('secret');
    expect(a.length).toBe(b.length);
    expect(await tokens.seal('l', ['secret'])).not.toBe(a);
  });

  it('opens with the same secret, and no other', async () => {
    const same = createPageTokens(async () => new Uint8Array(32).fill(1));
    const other = createPageTokens(async () => new Uint8Array(32).fill(2));
    const token = await tokens.seal('l', ['1']);
    expect(await same.open('l', token)).toEqual(['1']);
    expect(await other.open('l', token)).toBeUndefined();
  });

  it('that was tampered with, or is none, does not open', async () => {
    const token = await tokens.seal('l', ['1']);
    const flipped = (token[20] === 'A' ? 'B' : 'A') + token.slice(1);
    for (const text of ['', 'A', '=', 'é', token.slice(1), `${token}AAAA`, flipped, 'A'.repeat(9000)])
      expect(await tokens.open('l', text), text).toBeUndefined();
  });

  it('asks for the secret again when it could not be had', async () => {
    let asked = 0;
    const late = createPageTokens(async () => {
      asked += 1;
      if (asked === 1) throw new Error('not yet');
      return new Uint8Array(32);
    });
    await expect(late.seal('l', [])).rejects.toThrow('not yet');
    expect(await late.open('l', await late.seal('l', ['x']))).toEqual(['x']);
    expect(asked).toBe(2);
  });
});
