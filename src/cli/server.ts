/** Asking a server, and sorting what comes back into what a command can do about it. */
import { DEFAULT_PORT } from '../config/config.ts';
import { PROBLEM_TYPE } from '../protocol/problem.ts';
import { CommandError, EXIT } from './exit.ts';
import { printable } from './terminal.ts';

/** Which server, and as whom. */
export interface Server {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string | undefined;
}

export type Reply =
  | { readonly kind: 'ok'; readonly response: Response }
  /** 4xx: asking again will not help. `text` is the problem's title and detail. */
  | { readonly kind: 'refused'; readonly status: number; readonly text: string }
  /** Worth asking again. `answered` tells whether a server was there at all. */
  | {
      readonly kind: 'later';
      readonly text: string;
      readonly answered: boolean;
      readonly afterMs: number | undefined;
    };

/** The answers that say "not now": time-out, too early, too many requests. */
const NOT_NOW = new Set([408, 425, 429]);
/** The most of an error's body that is read, in characters; the rest is of no use to anybody. */
const MAX_ERROR_TEXT = 4096;

/** Where `sluice dev` and `sluice serve` listen unless told otherwise. */
export const DEFAULT_URL = `http://127.0.0.1:${DEFAULT_PORT}`;

/** Reads `--url` and `--token`, an empty one counting as none. @throws CommandError when the URL is not one */
export function serverOf(options: { readonly url: string; readonly token?: string | undefined }): Server {
  const text = options.url.trim() === '' ? DEFAULT_URL : options.url.trim();
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new CommandError(EXIT.usage, `${JSON.stringify(text)} is not an http or https URL (--url, SLUICE_URL)`);
  if (url.username !== '' || url.search !== '' || url.hash !== '')
    throw new CommandError(EXIT.usage, 'the URL (--url, SLUICE_URL) cannot hold a user, a query or a fragment');
  const token = options.token?.trim();
  return { url: url.href.replace(/\/+$/, ''), token: token === '' ? undefined : token };
}

/**
 * Sends one request. Every outcome is a value; only an abort of `init.signal` throws.
 *
 * @param path begins with `/v1`
 */
export async function ask(
  fetcher: typeof fetch,
  server: Server,
  path: string,
  init: { readonly headers?: Record<string, string>; readonly signal: AbortSignal } & Pick<
    RequestInit,
    'method' | 'body'
  >,
): Promise<Reply> {
  const headers = { ...init.headers, ...(server.token !== undefined && { Authorization: `Bearer ${server.token}` }) };
  let response: Response;
  try {
    response = await fetcher(`${server.url}${path}`, { ...init, headers });
  } catch (error) {
    if (init.signal.aborted) throw error;
    return laterOf(error, server);
  }
  if (response.ok) return { kind: 'ok', response };
  const text = await problemText(response, server);
  if (response.status >= 500 || NOT_NOW.has(response.status))
    return { kind: 'later', text, answered: true, afterMs: retryAfter(response.headers.get('retry-after')) };
  return { kind: 'refused', status: response.status, text };
}

/** A failure on the way. A line that was cut shows that somebody was at its other end. */
export function laterOf(error: unknown, server: Server): Extract<Reply, { kind: 'later' }> {
  const code = codeOf(error);
  return { kind: 'later', text: failureText(error, server), answered: isCut(code), afterMs: undefined };
}

/** Codes of a connection that was there and ended too soon; the last is the parser's, for an answer that stops in its middle. */
function isCut(code: string | undefined): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET' || code === 'HPE_INVALID_EOF_STATE';
}

/** Reads `Retry-After` (RFC 9110, 10.2.3), in milliseconds. */
export function retryAfter(value: string | null, now: () => number = Date.now): number | undefined {
  if (value === null) return undefined;
  if (/^[0-9]{1,6}$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now());
}

/** What went wrong on the way, in words. Looks through the wrappers to the system's own code. */
export function failureText(error: unknown, server: Server): string {
  const code = codeOf(error);
  if (code === 'ECONNREFUSED') return `no Sluice at ${server.url} — start one with \`sluice dev\``;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `no Sluice at ${server.url} — the name ${new URL(server.url).hostname} cannot be resolved (${code})`;
  if (isCut(code)) return `the connection to ${server.url} was cut`;
  if (code?.includes('TIMEOUT') === true || code === 'ETIMEDOUT') return `${server.url} does not answer (${code})`;
  return `the connection to ${server.url} failed (${printable(code ?? deepest(error))})`;
}

async function problemText(response: Response, server: Server): Promise<string> {
  let body = '';
  try {
    body = (await response.text()).slice(0, MAX_ERROR_TEXT);
  } catch {
    // The answer was cut short: its status still tells enough.
  }
  if (response.headers.get('content-type')?.startsWith(PROBLEM_TYPE) === true) {
    const text = textOfProblem(body);
    if (text !== undefined) return text;
  }
  return `${server.url} answered ${response.status}${response.status < 500 ? ': is this a Sluice server?' : ''}`;
}

function textOfProblem(body: string): string | undefined {
  let problem: unknown;
  try {
    problem = JSON.parse(body);
  } catch {
    // Cut at the bound or not JSON after all: the caller falls back to the status.
    return undefined;
  }
  if (typeof problem !== 'object' || problem === null || !('title' in problem)) return undefined;
  const { title, detail, errors } = problem as { title: unknown; detail?: unknown; errors?: unknown };
  const parts = [String(title)];
  if (typeof detail === 'string') parts.push(detail);
  for (const each of Array.isArray(errors) ? errors.slice(0, 5) : []) {
    const { path, message } = (each ?? {}) as { path?: unknown; message?: unknown };
    parts.push(`${typeof path === 'string' && path !== '' ? `${path}: ` : ''}${String(message)}`);
  }
  return printable(parts.join('; '));
}

function codeOf(error: unknown): string | undefined {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth += 1) {
    const code = (each as NodeJS.ErrnoException).code;
    if (typeof code === 'string') return code;
  }
  return undefined;
}

function deepest(error: unknown): string {
  let text = String(error);
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth += 1)
    text = each.message;
  return text;
}
