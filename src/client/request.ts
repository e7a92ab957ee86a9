/**
 * Requests to the server, and what became of them. A request that fails is an expected outcome here, so nothing throws: a caller decides by
 * the kind of the answer whether to try again.
 */
import { PROBLEMS, type Problem, type ProblemCode } from '../protocol/problem.ts';
import type { Token } from './token.ts';

export type Answer =
  /** 2xx, in the representation that was asked for. `body` is `undefined` where there is none. */
  | { readonly kind: 'ok'; readonly status: number; readonly headers: Headers; readonly body: unknown }
  /** The server refuses, by a problem document (protocol section 7). */
  | { readonly kind: 'refused'; readonly problem: Refusal; readonly retryAfter: number | undefined }
  /** An answer that no Sluice server gives: of a proxy, a captive portal, another server. */
  | {
      readonly kind: 'strange';
      readonly status: number;
      readonly what: 'redirect' | 'media-type' | 'body' | 'status';
      readonly retryAfter: number | undefined;
    }
  /** No answer. */
  | { readonly kind: 'unreachable'; readonly why: 'network' | 'timeout' | 'aborted' | 'token' };

/** A problem, with the members that some codes add (a `conflict` has `base`, `current`, `yours` and `fields`). */
export type Refusal = Problem & { readonly [member: string]: unknown };

export interface RequestOptions {
  /** Sent as JSON unless it is text already. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** ms until the answer's end; 30,000 unless told. */
  readonly timeout?: number;
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

export const REQUEST_TIMEOUT_MS = 30_000;

export function createRequest({ url, fetch, token, clock }: RequestContext): Request {
  async function send(method: string, path: string, options: RequestOptions, bearer: string | undefined) {
    const { body, headers, timeout = REQUEST_TIMEOUT_MS } = options;
    const abort = new AbortController();
    const stop = () => abort.abort();
    options.signal?.addEventListener('abort', stop);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      stop();
    }, timeout);
    try {
      if (options.signal?.aborted) stop();
      const response = await fetch(url + path, {
        method,
        headers: {
          Accept: 'application/json',
          ...(bearer !== undefined && { Authorization: `Bearer ${bearer}` }),
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        // A redirect is never ours: what it leads to must not be taken for an answer.
        redirect: 'manual',
        cache: 'no-store',
        signal: abort.signal,
      });
      return await read(response, clock());
    } catch {
      // `fetch` does not say why it failed, and what it says differs between runtimes.
      return unreachable(late ? 'timeout' : options.signal?.aborted ? 'aborted' : 'network');
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', stop);
    }
  }

  return async (method, path, options = {}) => {
    const bearer = await token.get();
    if (bearer === false) return unreachable('token');
    const answer = await send(method, path, options, bearer);
    if (!isTokenRefusal(answer) || bearer === undefined) return answer;
    const fresh = await token.renew(bearer);
    if (fresh === false) return unreachable('token');
    return fresh === bearer || fresh === undefined ? answer : send(method, path, options, fresh);
  };
}

/** Whether another token might help. */
export function isTokenRefusal(answer: Answer): boolean {
  return answer.kind === 'refused' && answer.problem.status === 401;
}

/** Reads an answer whole. Throws what reading the body throws. */
export async function read(response: Response, now: number): Promise<Answer> {
  const { status, headers } = response;
  const retryAfter = retryAfterOf(headers, now);
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400 && status !== 304))
    return { kind: 'strange', status, what: 'redirect', retryAfter };
  if (status === 204 || status === 304) return { kind: 'ok', status, headers, body: undefined };
  const type = headers.get('Content-Type') ?? '';
  const text = await response.text();
  if (!/^application\/(problem\+)?json\b/.test(type))
    return { kind: 'strange', status, what: 'media-type', retryAfter };
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { kind: 'strange', status, what: 'body', retryAfter };
  }
  if (status < 300) return { kind: 'ok', status, headers, body };
  return isProblem(body)
    ? { kind: 'refused', problem: { ...body, status }, retryAfter }
    : { kind: 'strange', status, what: 'status', retryAfter };
}

function isProblem(body: unknown): body is Refusal {
  return typeof body === 'object' && body !== null && 'code' in body && isCode(body.code);
}

function isCode(code: unknown): code is ProblemCode {
  return typeof code === 'string' && Object.hasOwn(PROBLEMS, code);
}

/** `Retry-After` in ms: seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterOf(headers: Headers, now: number): number | undefined {
  const text = headers.get('Retry-After');
  if (text === null) return undefined;
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

function unreachable(why: 'network' | 'timeout' | 'aborted' | 'token'): Answer {
  return { kind: 'unreachable', why };
}
