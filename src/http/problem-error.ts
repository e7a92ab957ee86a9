/** Problems as exceptions on the way through the routes, and as responses (RFC 9457, protocol section 7). */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { PROBLEM_TYPE, PROBLEMS, type ProblemCode, type ProblemIssue, problem } from '../protocol/problem.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { Log } from './log.ts';

export interface ProblemOptions {
  /** For the caller to read: never internal text. */
  readonly detail?: string | undefined;
  readonly errors?: readonly ProblemIssue[] | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Ends a request with a problem. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ProblemCode;
  readonly options: ProblemOptions;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    super(PROBLEMS[code].title);
    this.code = code;
    this.options = options;
  }
}

/** Seconds after which a caller may try again what was unavailable. */
const RETRY_AFTER = '1';

/** Headers that belong to a status wherever it comes from. */
const HEADERS: Partial<Record<number, Readonly<Record<string, string>>>> = {
  401: { 'WWW-Authenticate': 'Bearer realm="sluice"' },
  503: { 'Retry-After': RETRY_AFTER },
};

export function problemResponse(
  c: Context,
  code: ProblemCode,
  { detail, errors, headers }: ProblemOptions = {},
): Response {
  const status: ContentfulStatusCode = PROBLEMS[code].status;
  const all: Record<string, string> = { ...HEADERS[status], ...headers, 'Content-Type': PROBLEM_TYPE };
  // RFC 6750 section 3.1: a credential that was given and refused is named so.
  if (code === 'token-invalid' || code === 'token-expired')
    all['WWW-Authenticate'] = 'Bearer realm="sluice", error="invalid_token"';
  return c.body(JSON.stringify(problem(code, detail, errors)), status, all);
}

/** What the app does with an error: what is expected becomes its problem, anything else is logged and told as `internal`. */
export function respondToError(log: Log): (error: Error, c: Context) => Response {
  return (error, c) => {
    if (error instanceof ProblemError) return problemResponse(c, error.code, error.options);
    if (error instanceof StoreUnavailable) return problemResponse(c, 'unavailable');
    if (error instanceof HTTPException) return problemResponse(c, error.status === 413 ? 'too-large' : 'malformed');
    if (isConnectionError(error)) {
      // Nobody is left to read the answer; it only ends the request.
      log.debug({ error, request: c.get('requestId') }, 'a client went away in the middle of a request');
      return problemResponse(c, 'malformed');
    }
    log.error({ error, request: c.get('requestId') }, 'a request failed');
    return problemResponse(c, 'internal');
  };
}

function isConnectionError(error: Error): boolean {
  return (
    error.name === 'AbortError' ||
    ('code' in error && (error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE'))
  );
}
