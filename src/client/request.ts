/**
 * Requests to the server, and what became of them. A request that fails is an expected outcome here, so nothing throws: a caller decides by
 * the kind of the answer whether to try again.
 */
import type { Problem } from '../protocol/problem.ts';
import type { Row } from './mutation.ts';
import { piecesOf } from './pieces.ts';
import type { Token } from './token.ts';

export type Answer =
  /** 2xx, in the representation that was asked for: what the JSON says, or a stream. `body` is `undefined` where there is none. */
  | {
      readonly kind: 'ok';
      readonly status: number;
      readonly headers: Headers;
      readonly body: unknown;
      readonly problem?: undefined;
      readonly retryAfter?: undefined;
    }
  /** The server refuses, by a problem document (protocol section 7). */
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly status: number;
      readonly problem: Refusal;
      readonly retryAfter: number | undefined;
    }
  /** An answer that no Sluice server gives: of a proxy, a captive portal, another server. */
  | {
      readonly kind: 'strange';
      readonly status: number;
      readonly what: 'redirect' | 'media-type' | 'body' | 'status';
      readonly problem?: undefined;
      readonly retryAfter: number | undefined;
    }
  /** No answer. */
  | {
      readonly kind: 'unreachable';
      readonly why: 'network' | 'timeout' | 'aborted' | 'token';
      readonly problem?: undefined;
      readonly retryAfter?: undefined;
    };

/** A problem, with the members that some codes add (a `conflict` has `base`, `current`, `yours` and `fields`). */
export type Refusal = Omit<Problem, 'code'> & {
  readonly code: string;
  readonly base?: Row;
  readonly current?: Row;
  readonly fields?: readonly string[];
  readonly [member: string]: unknown;
};

export interface RequestOptions {
  /** Sent as JSON unless it is text already. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** ms until the answer's end; 30,000 unless told. */
  readonly timeout?: number;
  /** Whether the request is to outlive the page. Its body is at most 64 KiB then. */
  readonly keepalive?: boolean;
  /** Whether the answer is to be NDJSON: then the body is a `ReadableStream` that nobody has read yet, and there is no time-out. */
  readonly stream?: boolean;
}

/** Sends one request. @param path from `/v1` on, with its query */
export type Request = (method: string, path: string, options?: RequestOptions) => Promise<Answer>;

export interface RequestContext {
  /** Where the API is mounted, without a slash at its end. */
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly token: Token;
  /** ms since 1970 */
  readonly clock: () => number;
}

const TIMEOUT_MS = 30_000;
const NDJSON = 'application/x-ndjson';

export function createRequest({ url, fetch, token, clock }: RequestContext): Request {
  async function send(method: string, path: string, options: RequestOptions, bearer: string | undefined) {
    const { body, headers, signal, keepalive = false, stream = false, timeout = TIMEOUT_MS } = options;
    const late = new AbortController();
    const json = typeof body === 'string' ? body : JSON.stringify(body);
    const timer = stream ? undefined : setTimeout(() => late.abort(), timeout);
    try {
      const response = await fetch(url + path, {
        method,
        headers: {
          Accept: stream ? NDJSON : 'application/json',
          ...(bearer && { Authorization: `Bearer ${bearer}` }),
          ...(json && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        body: json,
        // A redirect is never ours: what it leads to must not be taken for an answer.
        redirect: 'manual',
        cache: 'no-store',
        keepalive,
        signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
      });
      return await read(response, stream, clock());
    } catch {
      // `fetch` does not say why it failed, and what it says differs between runtimes.
      const why = late.signal.aborted ? 'timeout' : signal?.aborted ? 'aborted' : 'network';
      return { kind: 'unreachable', why } as const;
    } finally {
      clearTimeout(timer);
    }
  }

  return async (method, path, options = {}) => {
    const bearer = await token.get();
    if (bearer === false) return { kind: 'unreachable', why: 'token' };
    const answer = await send(method, path, options, bearer);
    if (answer.kind !== 'refused' || answer.status !== 401 || !bearer) return answer;
    const fresh = await token.renew(bearer);
    return fresh && fresh !== bearer ? send(method, path, options, fresh) : answer;
  };
}

async function read(response: Response, stream: boolean, now: number): Promise<Answer> {
  const { status, headers, body } = response;
  const type = headers.get('Content-Type') ?? '';
  const retryAfter = retryAfterOf(headers, now);
  const strange = (what: Extract<Answer, { kind: 'strange' }>['what']): Answer => ({
    kind: 'strange',
    status,
    what,
    retryAfter,
  });
  const isStream = stream && status < 300 && type.startsWith(NDJSON);
  // Of an answer without a body, Chromium gives an empty stream.
  if (status === 204 || isStream) return { kind: 'ok', status, headers, body: isStream ? body : undefined };
  // Of a redirect that was not followed, browsers do not tell the status.
  const isRedirect = status < 200 || (status >= 300 && status < 400);
  if (isRedirect || !/^application\/(problem\+)?json\b/.test(type)) {
    await body?.cancel();
    return strange(isRedirect ? 'redirect' : 'media-type');
  }
  const value = parse(await readText(body));
  if (value === undefined) return strange('body');
  if (status < 300) return { kind: 'ok', status, headers, body: value };
  if (!type.includes('problem') || !isProblem(value)) return strange('status');
  return { kind: 'refused', code: value.code, status, problem: { ...value, status }, retryAfter };
}

/** The most characters of an answer: a page has about 4 Mi. */
const MAX_TEXT = 16 * 1024 * 1024;

/** @returns the text, or nothing when it is longer than any answer of a server of ours */
async function readText(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  if (body !== null) {
    // Leaving the loop early cancels the rest.
    for await (const piece of piecesOf(body)) {
      text += decoder.decode(piece, { stream: true });
      if (text.length > MAX_TEXT) return '';
    }
  }
  return text;
}

/** @returns `undefined` when it is not JSON */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isProblem(body: unknown): body is Refusal {
  return typeof (body as Partial<Refusal> | null)?.code === 'string';
}

/** `Retry-After` in ms: seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterOf(headers: Headers, now: number): number | undefined {
  const text = headers.get('Retry-After') ?? '';
  const wait = Number(text || Number.NaN) * 1000 || Date.parse(text) - now;
  return wait >= 0 ? wait : undefined;
}
