/** The suite's own client: plain requests, tokens signed with jose, streams read by the suite's own reader. */
import { randomUUID } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import { expect } from 'vitest';
import { Stream } from './stream.ts';
import type { Target } from './target.ts';

export interface Ask {
  readonly token?: string | undefined;
  readonly headers?: Record<string, string>;
  /** Sent as JSON, unless it is text or bytes. */
  readonly body?: unknown;
  /** The media type of the body; `application/json` unless told. `null` sends none. */
  readonly type?: string | null;
  readonly query?: Query;
}

export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; fails the test when it is none. */
  readonly json: any;
}

/** What a token says besides `sub`; `exp` and `nbf` in seconds from now. */
export interface TokenClaims {
  readonly sub?: string;
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
  readonly presence?: readonly string[];
  readonly admin?: boolean;
  readonly jti?: string;
  readonly exp?: number;
  readonly nbf?: number;
}

const STREAMED = /^(text\/event-stream|application\/x-ndjson)/;

export const eventsPath = (topic: string): string => `/v1/topics/${encodeURIComponent(topic)}/events`;
export const seqOf = (id: string): number => Number(/-([1-9][0-9]*)$/.exec(id)?.[1]);
export const epochOf = (id: string): string => id.slice(0, id.lastIndexOf('-'));
export const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

export type Kit = ReturnType<typeof createKit>;

export function createKit(target: Target, task: string) {
  // Asked for each time: a server that was restarted may answer elsewhere.
  const base = (): string => target.url().replace(/\/+$/, '');
  const run = `${task.replace(/[^0-9a-z]/gi, '').slice(-8)}${randomUUID().slice(0, 8)}`;
  const streams: { close(): void }[] = [];
  let count = 0;
  let ownerToken: Promise<string> | undefined;

  /** Signs claims as they are, with the deployment's secret unless told otherwise. */
  function sign(claims: JWTPayload, header: { alg: string } = { alg: 'HS256' }, secret = target.secret()) {
    const { audience, issuer } = target.features ?? {};
    const all = { ...(audience !== undefined && { aud: audience }), ...(issuer !== undefined && { iss: issuer }) };
    return new SignJWT({ ...all, ...claims })
      .setProtectedHeader({ typ: 'JWT', ...header })
      .sign(new TextEncoder().encode(secret));
  }

  /** A token of this deployment: an hour long, for every topic, no administrator, unless told otherwise. */
  function token(claims: TokenClaims = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const { subscribe = ['**'], publish = ['**'], presence = ['**'], admin = false } = claims;
    return sign({
      sub: claims.sub ?? `${run}-${count++}`,
      iat: now,
      exp: now + (claims.exp ?? 3600),
      ...(claims.nbf !== undefined && { nbf: now + claims.nbf }),
      ...(claims.jti !== undefined && { jti: claims.jti }),
      sluice: { subscribe, publish, presence, admin },
    });
  }

  /** The token that tests use where they are not about tokens. An administrator's, because rate limits spare those. */
  function owner(): Promise<string> {
    ownerToken ??= token({ sub: `owner-${run}`, admin: true });
    return ownerToken;
  }

  function url(path: string, query: Query = {}): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query))
      for (const each of value === undefined ? [] : [value].flat()) search.append(name, String(each));
    return `${base()}${path}${search.size === 0 ? '' : `?${search}`}`;
  }

  function init(method: string, ask: Ask, bearer: string | undefined, signal: AbortSignal): RequestInit {
    const body = ask.body;
    const bare = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
    const type = ask.type === undefined && body !== undefined ? 'application/json' : ask.type;
    return {
      method,
      signal,
      redirect: 'manual',
      headers: {
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(type && { 'content-type': type }),
        ...ask.headers,
      },
      // Bytes go out as they are, so that no media type is added to them.
      ...(body !== undefined && { body: new TextEncoder().encode(bare ? '' : JSON.stringify(body)) }),
      ...(typeof body === 'string' && { body: new TextEncoder().encode(body) }),
      ...(body instanceof Uint8Array && { body: new Uint8Array(body) }),
    };
  }

  /** One request and its whole answer. `token: undefined` (given as such) sends none; absent, the owner asks. */
  async function ask(method: string, path: string, options: Ask = {}): Promise<Answer> {
    const bearer = 'token' in options ? options.token : await owner();
    const signal = AbortSignal.timeout(75_000);
    const response = await fetch(url(path, options.query), init(method, options, bearer, signal));
    if (response.status === 200 && method !== 'HEAD' && STREAMED.test(response.headers.get('content-type') ?? '')) {
      await response.body?.cancel();
      throw new Error(`${method} ${path} opened a stream, which was not expected`);
    }
    const text = await response.text();
    const parse = (): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        throw new Error(`${method} ${path} answered ${response.status} and not JSON: ${text.slice(0, 300)}`);
      }
    };
    return {
      status: response.status,
      headers: response.headers,
      text,
      get json() {
        return parse();
      },
    };
  }

  /** A stream that nobody reads yet, or the fault that it was not opened. */
  async function hold(method: string, path: string, options: Ask = {}): Promise<Stream> {
    const abort = new AbortController();
    const bearer = 'token' in options ? options.token : await owner();
    const response = await fetch(url(path, options.query), init(method, options, bearer, abort.signal));
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    const stream = new Stream(response, abort);
    streams.push(stream);
    return stream;
  }

  const open = async (method: string, path: string, options: Ask): Promise<Stream> =>
    (await hold(method, path, options)).start();

  return {
    target,
    get base() {
      return base();
    },
    run,
    sign,
    token,
    owner,
    ask,
    url,
    /** A topic of this test alone. */
    topic: (name = 'topic'): string => `conformance:${run}:${name}${count++}`,
    /** Publishes and expects it to be accepted. */
    async publish(topic: string, body: unknown, options: Ask = {}): Promise<any> {
      const answer = await ask('POST', eventsPath(topic), { ...options, body });
      expect(answer.status, answer.text).toBeOneOf([201, 202]);
      return answer.json;
    },
    /** Publishes numbers as data, one event each, in one write; answers their ids. */
    async publishNumbers(topic: string, from: number, to: number): Promise<string[]> {
      const ids: string[] = [];
      for (let start = from; start <= to; start += 1000) {
        const body = numbers(start, Math.min(to, start + 999)).map((data) => ({ data }));
        const answer = await ask('POST', eventsPath(topic), { body });
        expect(answer.status, answer.text).toBe(201);
        ids.push(...answer.json.events.map((event: any) => event.id));
      }
      return ids;
    },
    /** One page of a topic, which must be answered. */
    async page(topic: string, query: Query = {}, options: Ask = {}): Promise<any> {
      const answer = await ask('GET', eventsPath(topic), { ...options, query: { format: 'json', ...query } });
      expect(answer.status, answer.text).toBe(200);
      return answer.json;
    },
    /** Opens a stream of one topic. */
    stream: (topic: string, query: Query = {}, options: Ask = {}) =>
      open('GET', eventsPath(topic), { ...options, query }),
    /** Opens a stream of one topic that is not read before it is told to. */
    heldStream: (topic: string, query: Query = {}) => hold('GET', eventsPath(topic), { query }),
    /** Opens one stream of several topics. */
    streams: (topics: readonly string[], query: Query = {}, options: Ask = {}) =>
      open('GET', '/v1/events', { ...options, query: { topic: topics, ...query } }),
    /** Opens a stream with a body. */
    openStream: (body: unknown, options: Ask = {}) => open('POST', '/v1/streams', { ...options, body }),
    /** Expects a problem document of this status, and answers it. */
    refused(answer: Answer, ...statuses: number[]): any {
      expect(statuses, `${answer.status}: ${answer.text.slice(0, 300)}`).toContain(answer.status);
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(answer.json).toMatchObject({
        type: expect.any(String),
        title: expect.any(String),
        status: answer.status,
        code: expect.stringMatching(/^[a-z][a-z-]*$/),
      });
      expect(answer.headers.get('x-request-id')).toBeTruthy();
      return answer.json;
    },
    close(): void {
      for (const stream of streams) stream.close();
    },
  };
}
