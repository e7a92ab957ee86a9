/**
 * The server's log: one JSON object a line on standard error, or short lines for a person in development.
 *
 * Nothing secret is written, whatever is logged: every line passes {@link scrub}, and of an error only its name, code,
 * text and stack are taken, because drivers hang statements and parameters on theirs.
 */
import { format } from 'node:util';
import pino from 'pino';
import type { LogLevel } from '../config/config.ts';
import type { Log } from '../http/log.ts';

export interface Logger extends Log {
  /** Writes what is still held, before the process ends. */
  flush(): void;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** `json` for machines, `human` for a terminal. */
  readonly format: 'json' | 'human';
  /** Members of every line, such as the node's name. */
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
  /** Takes each line, its line break included. Standard error unless told. */
  readonly write?: ((line: string) => void) | undefined;
}

/** Lines held while standard error takes none, in bytes; beyond it lines are dropped. */
const MAX_HELD_BYTES = 1024 * 1024;

export function createLogger({ level, format, fields, write }: LoggerOptions): Logger {
  const target =
    write === undefined
      ? // Not awaited: a terminal or pipe that stands still does not stop the server.
        pino.destination({ fd: 2, sync: false, maxLength: MAX_HELD_BYTES })
      : { write, flushSync: () => {} };
  const stream =
    format === 'human'
      ? { write: (line: string) => void target.write(toHuman(line, Object.keys(fields ?? {}))) }
      : target;
  const log = pino(
    {
      level,
      base: fields ?? null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError, error: describeError, url: redactMember },
      hooks: { streamWrite: scrub },
    },
    stream,
  );
  return Object.assign(log, { flush: () => target.flushSync() });
}

/** Parameters of a query whose values may be seen; all others are taken to be secret. */
const OPEN_PARAMETERS = new Set(
  'topic format after since last limit wait types conflate named presence lastEventId prefix page order'.split(' '),
);

/**
 * A URL fit for a log: without a password, and without the values of query parameters that are not known to be
 * harmless.
 */
export function redactUrl(url: string): string {
  const bare = url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
  const at = bare.indexOf('?');
  if (at === -1) return scrub(bare);
  const [query = '', ...fragment] = bare.slice(at + 1).split('#');
  const parameters = query.split('&').map((parameter) => {
    const equals = parameter.indexOf('=');
    // Compared as written: a name that hides behind percent-encoding is not one of ours.
    return equals === -1 || OPEN_PARAMETERS.has(parameter.slice(0, equals))
      ? parameter
      : `${parameter.slice(0, equals)}=[redacted]`;
  });
  return scrub([`${bare.slice(0, at)}?${parameters.join('&')}`, ...fragment].join('#'));
}

/** Takes credentials out of a text: bearer tokens, JWTs, tickets, passwords in URLs, and members named so. */
export function scrub(text: string): string {
  return (
    text
      .replace(
        /"((?:proxy-)?authorization|cookie|set-cookie|ticket|token|secret|password)":"(?:[^"\\]|\\.)*"/gi,
        '"$1":"[redacted]"',
      )
      // Sixteen, so that prose about bearer tokens stays readable.
      .replace(/\bBearer(\s+|%20|\+)[A-Za-z0-9._~+/=-]{16,}/gi, 'Bearer$1[redacted]')
      .replace(/\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*/g, '[redacted]')
      .replace(/\bslt1_[A-Za-z0-9_-]+/g, '[redacted]')
      .replace(/([?&]ticket=)[^&#\s"\\]*/gi, '$1[redacted]')
      .replace(/\b([a-z][a-z0-9+.-]*:\/\/[^\s/?#@:"\\]*):[^\s/?#@"\\]*@/gi, '$1:[redacted]@')
  );
}

function redactMember(value: unknown): unknown {
  return typeof value === 'string' ? redactUrl(value) : value;
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  return {
    name,
    ...('code' in error && { code: error.code }),
    message,
    stack,
    ...(cause !== undefined && { cause: cause instanceof Error ? `${cause.name}: ${cause.message}` : format(cause) }),
  };
}

/** `14:02:11 warn  bus is cut off  retryMs=100`. Members of every line are left out; an error's stack stands below. */
function toHuman(line: string, constant: readonly string[]): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const stacks: string[] = [];
  const members = Object.entries(rest).flatMap(([name, value]) => {
    if (constant.includes(name)) return [];
    if ((name === 'error' || name === 'err') && isDescribed(value)) {
      stacks.push(`\n${value.stack ?? value.message}`);
      return [];
    }
    return [`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`];
  });
  const clock = typeof time === 'string' ? time.slice(11, 19) : '';
  const head = `${clock} ${String(level).padEnd(5)} ${String(msg ?? '')}`;
  // What came from outside must not steer the terminal.
  const text = [head, ...members].join('  ').replace(/\p{Cc}/gu, (unit) => JSON.stringify(unit).slice(1, -1));
  return `${text}${stacks.join('')}\n`;
}

function isDescribed(value: unknown): value is { readonly message: string; readonly stack?: string } {
  return typeof value === 'object' && value !== null && 'message' in value;
}
