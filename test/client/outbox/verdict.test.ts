import { describe, expect, it } from 'vitest';
import type { Write } from '../../../src/client/mutation.ts';
import { judge, versionOf } from '../../../src/client/outbox/verdict.ts';
import type { Answer } from '../../../src/client/request.ts';
import { PROBLEMS, type ProblemCode } from '../../../src/protocol/problem.ts';
import { ok, refused } from './model-server.ts';
import { patch, publish, remove, replace } from './mutations.ts';

const CODES = Object.keys(PROBLEMS) as ProblemCode[];
const WRITES: readonly Write[] = [
  publish(),
  patch(),
  replace(),
  remove(),
  { kind: 'create', collection: 'a', record: {} },
];
const none: Answer = { kind: 'ok', status: 204, headers: new Headers(), body: undefined };

describe('an answer with success', () => {
  it('acknowledges, with the version of the record, what it is now, and whether it was merged', () => {
    const body = { id: 1, version: 8 };
    expect(judge(patch(), ok(200, body, 8, { Merged: 'true' }), false)).toEqual({
      kind: 'acknowledged',
      answer: { version: 8, body, merged: true },
      stored: true,
    });
    expect(judge(remove(), none, true)).toMatchObject({ kind: 'acknowledged', answer: { merged: false } });
  });

  it('of ephemeral events says that there is nothing to wait for', () => {
    expect(judge(publish(), ok(202, { events: [] }), false)).toMatchObject({ kind: 'acknowledged', stored: false });
  });

  it('is not believed where no Sluice server answers so', () => {
    const again = { kind: 'retry', everywhere: true, refused: false };
    expect(judge(publish(), none, false)).toMatchObject(again);
    expect(judge(patch(), ok(200, ['signed in']), false)).toMatchObject(again);
    expect(judge(patch(), ok(200, 'welcome'), false)).toMatchObject(again);
    expect(judge(remove(), ok(200, {}), false)).toMatchObject(again);
  });
});

describe('the version in an answer', () => {
  it('is that of its tag, also where a proxy has weakened it, or else of its body', () => {
    const of = (ETag: string | undefined, body: unknown) =>
      versionOf({ kind: 'ok', status: 200, headers: new Headers(ETag === undefined ? {} : { ETag }), body });
    expect(of('"12"', { version: 3 })).toBe(12);
    expect(of('W/"12"', {})).toBe(12);
    expect(of('"abc"', { version: 3 })).toBe(3);
    expect(of(undefined, { version: '3' })).toBeUndefined();
    expect(of(undefined, undefined)).toBeUndefined();
  });
});

describe('no answer, and one of somebody else', () => {
  it.each(['network', 'timeout', 'aborted', 'token'] as const)('is tried again: %s', (why) => {
    for (const write of WRITES)
      expect(judge(write, { kind: 'unreachable', why }, false)).toEqual({
        kind: 'retry',
        everywhere: true,
        after: undefined,
        refused: false,
      });
  });

  it.each([200, 302, 403, 404, 502])('is never taken for the server’s: %d', (status) => {
    for (const what of ['redirect', 'media-type', 'body', 'status'] as const)
      expect(judge(publish(), { kind: 'strange', status, what, retryAfter: 7000 }, false)).toEqual({
        kind: 'retry',
        everywhere: true,
        after: 7000,
        refused: false,
      });
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
  const conflicts: readonly ProblemCode[] = ['conflict', 'precondition-failed'];

  it.each(CODES)('has one meaning: %s', (code) => {
    const { kind } = judge(patch(), refused(code), false);
    expect(kind).toBe(again.includes(code) ? 'retry' : conflicts.includes(code) ? 'conflict' : 'dead');
  });

  it('that may pass says how long to wait', () => {
    expect(judge(publish(), refused('rate-limited', {}, 3000), false)).toMatchObject({ kind: 'retry', after: 3000 });
  });

  it('that may pass says whether the write was applied: not by 401 and 429, unless an earlier attempt was; by 5xx nobody knows', () => {
    const refusedBy = (code: ProblemCode, doubt: boolean) => judge(publish(), refused(code), doubt);
    expect(refusedBy('token-expired', false)).toMatchObject({ refused: true, everywhere: true });
    expect(refusedBy('rate-limited', false)).toMatchObject({ refused: true, everywhere: true });
    expect(refusedBy('rate-limited', true)).toMatchObject({ refused: false });
    expect(refusedBy('unavailable', false)).toMatchObject({ refused: false, everywhere: true });
    expect(refusedBy('internal', false)).toMatchObject({ refused: false, everywhere: false });
  });

  it('is certain at the first attempt', () => {
    for (const code of CODES) {
      const verdict = judge(remove(), refused(code), false);
      if (verdict.kind === 'dead') expect(verdict.refusal.kind).toBe('refused');
    }
  });

  it('after an answer was lost is certain where the request alone decides, and where the server had looked for the key', () => {
    const certain = CODES.filter((code) => {
      const verdict = judge(remove(), refused(code), true);
      return verdict.kind === 'dead' && verdict.refusal.kind === 'refused';
    });
    const certainly = [
      'malformed',
      'invalid',
      'invalid-topic',
      'too-large',
      'unsupported-media-type',
      'check',
      'not-null',
      'unique',
    ];
    expect(certain).toEqual(expect.arrayContaining([...certainly, 'foreign-key', 'exclusion']));
    for (const code of ['forbidden', 'not-found', 'method-not-allowed', 'gone', 'idempotency-mismatch'] as const)
      expect(certain).not.toContain(code);
    // A delete that was applied is answered with 404 to a caller whose claims are others now; so is one that never was.
    expect(judge(remove(), refused('not-found'), true)).toMatchObject({
      kind: 'dead',
      refusal: { kind: 'uncertain', problem: { code: 'not-found' } },
    });
  });
});
