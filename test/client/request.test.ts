import { describe, expect, it } from 'vitest';
import { type Answer, createRequest, type RequestOptions } from '../../src/client/request.ts';
import { createToken, type TokenOption } from '../../src/client/token.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };

interface Sent {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Sends one request to what answers with these, one after the other. */
async function send(
  answers: readonly (Response | (() => Promise<Response>))[],
  options: RequestOptions = {},
  token: TokenOption | undefined = undefined,
): Promise<{ answer: Answer; sent: readonly Sent[] }> {
  const sent: Sent[] = [];
  const left = [...answers];
  const request = createRequest({
    url: 'http://sluice.test/base',
    token: createToken(token, (error) => expect.unreachable(String(error))),
    clock: () => Date.parse('2026-01-01T00:00:00Z'),
    async fetch(input, init = {}) {
      sent.push({ url: String(input), method: init.method ?? '', headers: new Headers(init.headers), body: init.body });
      const next = left.shift();
      if (next === undefined) throw new TypeError('failed');
      if (next instanceof Response) return next;
      const aborted = new Promise<never>((_, reject) => {
        const { signal } = init;
        if (signal?.aborted) reject(signal.reason);
        signal?.addEventListener('abort', () => reject(signal.reason));
      });
      return Promise.race([next(), aborted]);
    },
  });
  return { answer: await request('POST', '/v1/x', options), sent };
}

const never = () => new Promise<Response>(() => undefined);
const problem = (status: number, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ code: 'draining', title: 'No', status, type: '' }), {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
  });

function bodiless(): Response {
  const response: Response = Object.defineProperty(new Response(null, { status: 204 }), 'body', {
    value: new ReadableStream(),
  });
  return Object.assign(response, { clone: () => response });
}

describe('a request', () => {
  it('carries its body as JSON, its token, and goes below where the API is mounted', async () => {
    const { answer, sent } = await send(
      [new Response('{"a":1}', { headers: JSON_TYPE })],
      { body: { n: 1 } },
      'secret',
    );
    expect(answer).toMatchObject({ kind: 'ok', status: 200, body: { a: 1 } });
    expect(sent[0]).toMatchObject({ url: 'http://sluice.test/base/v1/x', method: 'POST', body: '{"n":1}' });
    expect(sent[0]!.headers.get('authorization')).toBe('Bearer secret');
    expect(sent[0]!.headers.get('content-type')).toBe('application/json');
  });

  it('is sent again under a fresh token, once', async () => {
    let asked = 0;
    const { answer, sent } = await send([problem(401), problem(401)], {}, () => `token-${++asked}`);
    expect(answer).toMatchObject({ kind: 'refused', status: 401 });
    expect(sent.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  it.each<[string, Response, object]>([
    [
      'a problem',
      problem(503, { 'Retry-After': '7' }),
      { kind: 'refused', code: 'draining', status: 503, retryAfter: 7000 },
    ],
    ['a problem with a date', problem(503, { 'Retry-After': 'Thu, 01 Jan 2026 00:00:09 GMT' }), { retryAfter: 9000 }],
    ['a problem with a nonsense of a time', problem(503, { 'Retry-After': 'soon' }), { retryAfter: undefined }],
    ['nothing', new Response(null, { status: 204 }), { kind: 'ok', body: undefined }],
    // As Chromium gives it: with a body, though there is none.
    ['nothing, in a stream', bodiless(), { kind: 'ok', body: undefined }],
    ['a redirect', new Response(null, { status: 302 }), { kind: 'strange', status: 302, what: 'redirect' }],
    [
      'HTML',
      new Response('<p>', { headers: { 'Content-Type': 'text/html' } }),
      { kind: 'strange', what: 'media-type' },
    ],
    ['no JSON', new Response('{', { headers: JSON_TYPE }), { kind: 'strange', what: 'body' }],
    [
      'an error of another kind',
      new Response('{"error":1}', { status: 500, headers: JSON_TYPE }),
      { kind: 'strange', what: 'status' },
    ],
  ])('that is answered by %s says so', async (_, response, expected) => {
    expect((await send([response])).answer).toMatchObject(expected);
  });

  it('that takes too long is given up', async () => {
    expect((await send([never], { timeout: 20 })).answer).toEqual({ kind: 'unreachable', why: 'timeout' });
  });

  it('that is not wanted any more is given up', async () => {
    const abort = new AbortController();
    const done = send([never], { signal: abort.signal });
    abort.abort();
    expect((await done).answer).toEqual({ kind: 'unreachable', why: 'aborted' });
  });

  it('that reaches nobody says so', async () => {
    expect((await send([])).answer).toEqual({ kind: 'unreachable', why: 'network' });
  });

  it('reads no more than a server would send', async () => {
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 1;
        controller.enqueue(new Uint8Array(1024 * 1024).fill(32));
      },
    });
    const { answer } = await send([new Response(endless, { headers: JSON_TYPE })]);
    expect(answer).toMatchObject({ kind: 'strange', what: 'body' });
    expect(pulled).toBeLessThan(25);
  });
});
