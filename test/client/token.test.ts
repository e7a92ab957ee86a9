import { describe, expect, it } from 'vitest';
import { createToken } from '../../src/client/token.ts';

/** A token function that gives a, b, c …, counts, and fails when told to. */
function source() {
  const state = { asked: 0, fails: false };
  const errors: unknown[] = [];
  const token = createToken(
    () => {
      state.asked += 1;
      if (state.fails) throw new Error('no');
      return 'abcdef'[state.asked - 1];
    },
    (error) => errors.push(error),
  );
  return { token, state, errors };
}

describe('a token', () => {
  it('is asked for once, and kept', async () => {
    const { token, state } = source();
    expect(await Promise.all([token.get(), token.get()])).toEqual(['a', 'a']);
    expect(await token.get()).toBe('a');
    expect(state.asked).toBe(1);
  });

  it('is replaced once, however many were refused with it', async () => {
    const { token, state } = source();
    await token.get();
    expect(await Promise.all([token.renew('a'), token.renew('a')])).toEqual(['b', 'b']);
    expect(await token.renew('a')).toBe('b');
    expect(state.asked).toBe(2);
    expect(await token.renew('b')).toBe('c');
  });

  it('is none when no header could carry it: that of a page, say, in the place of a token', async () => {
    const errors: unknown[] = [];
    const token = createToken(
      () => '<!doctype html>\n<title>Sign in</title>',
      (error) => errors.push(error),
    );
    expect(await token.get()).toBe(false);
    expect(errors).toEqual([new Error('the token function gave no token')]);
  });

  it('is asked for anew when nothing is said of the one before', async () => {
    const { token } = source();
    await token.get();
    expect(await token.renew()).toBe('b');
  });

  it('that cannot be had is told, and asked for again the next time', async () => {
    const { token, state, errors } = source();
    state.fails = true;
    expect(await token.get()).toBe(false);
    expect(errors).toMatchObject([{ message: 'no' }]);
    state.fails = false;
    expect(await token.get()).toBe('b');
  });

  it('may be a text, or none', async () => {
    const fail = () => expect.unreachable();
    expect(await createToken('x', fail).renew('x')).toBe('x');
    expect(await createToken(undefined, fail).get()).toBeUndefined();
  });
});
