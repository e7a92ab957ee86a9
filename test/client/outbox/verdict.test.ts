import { describe, expect, it } from 'vitest';
import type { Write } from '../../../src/client/mutation.ts';
import { judge as judgeMutation, versionOf } from '../../../src/client/outbox/verdict.ts';
import type { Answer } from '../../../src/client/request.ts';
import { PROBLEMS, type ProblemCode } from '../../../src/protocol/problem.ts';
import { ok, refused } from './model-server.ts';
import { mutationOf, patch, publish, remove, replace } from './mutations.ts';

const SENT = 1000;
const CODES = Object.keys(PROBLEMS) as ProblemCode[];
const WRITES: readonly Write[] = [
  publish(),
  patch(),
  replace(),
  remove(),
  { kind: 'create', collection: 'a', record: {} },
];
/** @param doubt whether an earlier attempt may have been applied */
const judge = (write: Write, answer: Answer, doubt: boolean, watched = true) =>
  judgeMutation(mutationOf(write, { state: 'in-flight', sent: SENT }), answer, doubt, watched);
const AGAIN = { state: 'pending', sent: SENT };
const none: Answer = { kind: 'ok', status: 204, headers: new Headers(), body: undefined };

describe('an answer with success', () => {
  it('acknowledges, with the version of the record, what it is now, and whether it was merged', () => {
    const body = { id: 1, version: 8 };
    expect(judge(patch(), ok(200, body, 8, { Merged: 'true' }), false)).toEqual({
      state: 'acknowledged',
      answer: { version: 8, body, merged: true },
      refusal: undefined,
      gone: undefined,
    });
    expect(judge(remove(), none, true)).toMatchObject({ state: 'acknowledged', answer: { merged: false } });
  });

  it('settles at once what no stream shows', () => {
    expect(judge(remove(), none, true, false)).toMatchObject({ state: 'acknowledged', gone: 'settled' });
  });

  it('of ephemeral events says that there is nothing to wait for', () => {
    expect(judge(publish(), ok(202, { events: [] }), false)).toMatchObject({ gone: 'settled' });
  });

  it('is not believed where no Sluice server answers so', () => {
    expect(judge(publish(), none, false)).toEqual(AGAIN);
    expect(judge(patch(), ok(200, ['signed in']), false)).toEqual(AGAIN);
    expect(judge(patch(), ok(200, 'welcome'), false)).toEqual(AGAIN);
    expect(judge(remove(), ok(200, {}), false)).toEqual(AGAIN);
  });
});

describe('the version of a record', () => {
  it('is that of its tag, also where a proxy has weakened it, or else of its body', () => {
    const of = (ETag: string | undefined, body: unknown) =>
      versionOf(body, new Headers(ETag === undefined ? {} : { ETag }));
    expect(of('"12"', { version: 3 })).toBe(12);
    expect(of('W/"12"', {})).toBe(12);
    expect(of('"abc"', { version: 3 })).toBe(3);
    expect(of(undefined, { version: 'x' })).toBeUndefined();
    expect(of(undefined, undefined)).toBeUndefined();
    expect(versionOf({ version: 4 })).toBe(4);
  });
});

describe('no answer, and one of somebody else', () => {
  it.each(['network', 'timeout', 'aborted', 'token'] as const)('is tried again: %s', (why) => {
    for (const write of WRITES) expect(judge(write, { kind: 'unreachable', why }, false)).toEqual(AGAIN);
  });

  it.each([200, 302, 403, 404, 502])('is never taken for the server’s: %d', (status) => {
    for (const what of ['redirect', 'media-type', 'body', 'status'] as const)
      expect(judge(publish(), { kind: 'strange', status, what, retryAfter: 7000 }, false)).toEqual(AGAIN);
  });
});

describe('a refusal', () => {
  const again: readonly ProblemCode[] = [
    'token-required',
    'token-invalid',
    'token-expired',
    'token-in-url',
    'request-timeout',
    'rate-limited',
    'too-many-streams',
    'too-many-members',
    'internal',
    'unavailable',
    'draining',
  ];
  it.each(CODES)('has one meaning: %s', (code) => {
    expect(judge(patch(), refused(code), false).state).toBe(again.includes(code) ? 'pending' : 'dead');
  });

  it('that may pass says whether the write was applied: not by 401 and 429, unless an earlier attempt was; by 5xx nobody knows', () => {
    const sentAfter = (code: ProblemCode, doubt: boolean) => judge(publish(), refused(code), doubt).sent;
    expect(sentAfter('token-expired', false)).toBeUndefined();
    expect(sentAfter('rate-limited', false)).toBeUndefined();
    expect(sentAfter('rate-limited', true)).toBe(SENT);
    expect(sentAfter('unavailable', false)).toBe(SENT);
    expect(sentAfter('internal', false)).toBe(SENT);
  });

  it('is certain at the first attempt', () => {
    for (const code of CODES) {
      const { state, refusal, sent } = judge(remove(), refused(code), false);
      if (state === 'dead') expect([refusal?.kind, sent]).toEqual(['refused', undefined]);
    }
  });

  it('after an answer was lost is certain where the request alone decides, and where the server had looked for the key', () => {
    const certain = CODES.filter((code) => judge(remove(), refused(code), true).refusal?.kind === 'refused');
    const certainly = [
      'malformed',
      'invalid',
      'invalid-topic',
      'too-large',
      'unsupported-media-type',
      'check',
      'not-null',
      'unique',
      'conflict',
      'precondition-failed',
    ];
    expect(certain).toEqual(expect.arrayContaining([...certainly, 'foreign-key', 'exclusion']));
    for (const code of ['forbidden', 'not-found', 'method-not-allowed', 'gone', 'idempotency-mismatch'] as const)
      expect(certain).not.toContain(code);
    // A delete that was applied is answered with 404 to a caller whose claims are others now; so is one that never was.
    expect(judge(remove(), refused('not-found'), true)).toMatchObject({
      state: 'dead',
      sent: SENT,
      refusal: { kind: 'uncertain', problem: { code: 'not-found' } },
    });
  });
});
