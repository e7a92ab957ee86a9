/**
 * The configuration of a server: one zod schema over the environment, with a command-line flag for each variable
 * (`DATA_DIR` is `--data-dir`). The table in the documentation and the text of `--help` are made from the same schema.
 *
 * A flag wins over its variable. A variable that is set but empty counts as not set.
 */
import { z } from 'zod';
import { AUDIT_SCOPES, type AuditScope } from '../http/audit.ts';
import { type CallerLimits, DEFAULT_CALLER_LIMITS } from '../http/caller-limiter.ts';
import type { GrantsClaim } from '../protocol/grants.ts';
import { DEFAULT_LIMITS, type Limits } from '../protocol/limits.ts';
import type { Retention } from '../store/store.ts';
import {
  duration,
  grants,
  httpUrl,
  limit,
  list,
  origins,
  patterns,
  retentionAge,
  retentionBytes,
  retentionEvents,
  setting,
  size,
  text,
  url,
  whole,
} from './config-values.ts';
import { isLoopbackName } from './loopback-name.ts';
import { exactSize } from './units.ts';

export type Mode = 'dev' | 'serve';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where events are kept: an embedded Postgres in a directory, a Postgres server, or this process alone. */
export type Database =
  | { readonly kind: 'embedded'; readonly dir: string }
  | { readonly kind: 'postgres'; readonly url: string }
  | { readonly kind: 'memory' };

export interface Config {
  readonly mode: Mode;
  /** 0 asks the system for a free one. */
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly database: Database;
  /** Accepted and checked; nothing uses it yet. */
  readonly redisUrl: string | undefined;
  readonly auth: {
    readonly secret: string | undefined;
    readonly jwksUrl: string | undefined;
    /** Any one of these must be in a token's `aud`. */
    readonly audience: readonly string[] | undefined;
    readonly issuer: string | undefined;
    /** What a request without a token may do; `undefined` for nothing. */
    readonly anonymous: GrantsClaim | undefined;
  };
  readonly corsOrigins: readonly string[] | '*';
  readonly retention: Retention;
  /** About how often it is applied, in ms. */
  readonly retentionIntervalMs: number;
  /** Patterns of the topics that keep only the newest event of each key. */
  readonly compactTopics: readonly string[];
  /** The file of a module that exports collections. */
  readonly collections: string | undefined;
  /** Whose reading is noted. */
  readonly audit: AuditScope;
  readonly logLevel: LogLevel;
  /** How many proxies in front are believed when they add to `X-Forwarded-For`. */
  readonly trustProxy: number;
  readonly limits: Pick<Limits, 'requestBytes' | 'eventBytes' | 'topicsPerStream' | 'membersPerTopic'> & CallerLimits;
}

/** One thing that is wrong with a setting. The text never holds the value of a secret. */
export interface Mistake {
  readonly name: string;
  readonly message: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly mistakes: readonly Mistake[] };

export const DEFAULT_PORT = 8787;
export const DEFAULT_DATA_DIR = '.sluice';

const callerLimit = (name: keyof CallerLimits, meaning: string) =>
  setting(limit(), `${DEFAULT_CALLER_LIMITS[name] ?? 'none'}`, meaning);

const schema = z.object({
  PORT: setting(whole(0, 65_535), `${DEFAULT_PORT}`, 'Port to listen on; `0` takes a free one.'),
  HOST: setting(
    text((value) => (/^[0-9A-Za-z.:_-]+$/.test(value) ? value : undefined), 'a host name or an address'),
    undefined,
    'Address to listen on. `dev` answers on loopback only.',
    '`127.0.0.1` in `dev`, `0.0.0.0` in `serve`',
  ),
  DATA_DIR: setting(z.string(), DEFAULT_DATA_DIR, 'Directory of the embedded Postgres and of the secret of `dev`.'),
  DATABASE_URL: setting(
    text(
      (value) => (value === 'memory:' ? value : url(value, ['postgres:', 'postgresql:'])),
      '`postgres://…`, `postgresql://…` or `memory:`',
    ),
    undefined,
    'A Postgres server (14 or later), or `memory:` to keep nothing once the process ends.',
    'embedded Postgres in `DATA_DIR`',
  ),
  REDIS_URL: setting(
    text((value) => url(value, ['redis:', 'rediss:']), '`redis://…` or `rediss://…`'),
    undefined,
    'Reserved for a faster bus between nodes: checked, not used yet.',
  ),
  AUTH_SECRET: setting(
    z.string(),
    undefined,
    'Secret of HS256 tokens, at least 32 bytes. `serve` needs this or `AUTH_JWKS_URL`.',
    'in `dev`, generated and kept in `DATA_DIR`',
  ),
  AUTH_JWKS_URL: setting(
    text(httpUrl, 'an https URL (http on loopback only)'),
    undefined,
    'Where the public keys of RS256, ES256 and EdDSA tokens are.',
  ),
  AUTH_AUDIENCE: setting(list(), undefined, 'Tokens must name one of these, separated by commas, in `aud`.'),
  AUTH_ISSUER: setting(z.string(), undefined, 'Tokens must have this `iss`.'),
  AUTH_ANON: setting(
    grants(),
    undefined,
    'What a request without a token may do, as JSON: `{"subscribe":["public:**"]}`.',
    'nothing (everything in `dev`, on loopback)',
  ),
  CORS_ORIGINS: setting(
    origins(),
    undefined,
    'Origins whose pages may call, separated by commas, or `*` for all.',
    'none',
  ),
  RETENTION_AGE: setting(retentionAge(), '7d', 'How long events are kept (`12h`, `30d`); `none` sets no bound.'),
  RETENTION_EVENTS: setting(retentionEvents(), 'none', 'The most events kept of one topic; `none` sets no bound.'),
  RETENTION_BYTES: setting(retentionBytes(), 'none', 'The most bytes kept of one topic (`64MiB`); `none` for any.'),
  RETENTION_INTERVAL: setting(
    duration(1000, 'a duration of at least 1s'),
    '1m',
    'About how often what is not to be kept any more is let go of, and topics are compacted.',
  ),
  COMPACT_TOPICS: setting(
    patterns(),
    undefined,
    'Patterns of topics that keep only the newest event of each key, separated by commas.',
    'none',
  ),
  COLLECTIONS: setting(
    z.string(),
    undefined,
    'A module that exports collections: tables to be live resources.',
    'none',
  ),
  AUDIT: setting(
    text((value) => AUDIT_SCOPES.find((scope) => scope === value.toLowerCase()), `one of ${AUDIT_SCOPES.join(', ')}`),
    'collections',
    'Whose reading is noted for 90 days: of `collections`, of `all` topics too, or `none`.',
  ),
  LOG_LEVEL: setting(
    text((value) => LOG_LEVELS.find((level) => level === value.toLowerCase()), `one of ${LOG_LEVELS.join(', ')}`),
    'info',
    `One of ${LOG_LEVELS.join(', ')}.`,
  ),
  TRUST_PROXY: setting(whole(0, 16), '0', 'How many proxies stand in front and add to `X-Forwarded-For`.'),
  // An SSE reader holds at most 4 Mi characters of one block: events are kept well below that.
  LIMIT_REQUEST_BYTES: setting(
    size(1024, 64 * 1024 ** 2),
    exactSize(DEFAULT_LIMITS.requestBytes),
    'The largest request body.',
  ),
  LIMIT_EVENT_BYTES: setting(size(256, 2 * 1024 ** 2), exactSize(DEFAULT_LIMITS.eventBytes), 'The largest event.'),
  LIMIT_TOPICS_PER_STREAM: setting(
    whole(1, 1000),
    `${DEFAULT_LIMITS.topicsPerStream}`,
    'The most topics of one stream.',
  ),
  LIMIT_MEMBERS_PER_TOPIC: setting(
    whole(1, 10_000),
    `${DEFAULT_LIMITS.membersPerTopic}`,
    'The most members of one topic that are present at a time.',
  ),
  LIMIT_STREAMS_PER_SUBJECT: callerLimit('streamsPerSubject', 'The most open streams of one `sub`; `none` for any.'),
  LIMIT_STREAMS_PER_ADDRESS: callerLimit('streamsPerAddress', 'The most open streams of one address; `none` for any.'),
  LIMIT_WRITES_PER_SUBJECT: callerLimit('writesPerSubject', 'Publishes a second of one `sub`; `none` for any.'),
  LIMIT_WRITES_PER_ADDRESS: callerLimit('writesPerAddress', 'Publishes a second of one address; `none` for any.'),
});

type Name = keyof typeof schema.shape;
const NAMES = Object.keys(schema.shape) as readonly Name[];
const SECRET: ReadonlySet<string> = new Set<Name>(['AUTH_SECRET', 'DATABASE_URL', 'REDIS_URL']);

/** Every setting: its variable, its flag, its default and its meaning, the last two as Markdown. */
export const CONFIG_TABLE: readonly {
  readonly name: string;
  readonly flag: string;
  readonly default: string;
  readonly meaning: string;
}[] = NAMES.map((name) => {
  const meta = schema.shape[name].meta() ?? {};
  return { name, flag: flagOf(name), default: String(meta['shown'] ?? ''), meaning: meta.description ?? '' };
});

/**
 * Reads the configuration.
 *
 * @param env the environment
 * @param flags the flags given, by name in camel case as the command line parses them (`dataDir`)
 * @returns the configuration, or every mistake in it
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, unknown>>,
  mode: Mode,
): ConfigResult {
  const raw: Partial<Record<Name, string>> = {};
  for (const name of NAMES) {
    const flag = flags[attributeOf(name)];
    const value = typeof flag === 'string' ? flag : env[name];
    if (value !== undefined && value.trim() !== '') raw[name] = value;
  }
  const parsed = schema.safeParse(raw);
  const mistakes: Mistake[] = [];
  for (const issue of parsed.error?.issues ?? []) {
    const name = String(issue.path[0]) as Name;
    const given = SECRET.has(name) ? '' : `, not ${JSON.stringify(raw[name])}`;
    mistakes.push({ name, message: `must be ${issue.message}${given}` });
  }
  mistakes.push(...mistakesOfMode(raw, mode), ...mistakesOfLimits(raw));
  if (!parsed.success || mistakes.length > 0) return { ok: false, mistakes };
  return { ok: true, config: toConfig(parsed.data, mode) };
}

/** Limits that contradict each other; a limit that cannot be read contradicts none. */
function mistakesOfLimits(raw: Partial<Record<Name, string>>): readonly Mistake[] {
  const event = schema.shape.LIMIT_EVENT_BYTES.safeParse(raw.LIMIT_EVENT_BYTES).data ?? 0;
  const request = schema.shape.LIMIT_REQUEST_BYTES.safeParse(raw.LIMIT_REQUEST_BYTES).data ?? event;
  if (event <= request) return [];
  return [{ name: 'LIMIT_EVENT_BYTES', message: `must not exceed LIMIT_REQUEST_BYTES (${request} bytes)` }];
}

/** What is wrong in one mode only. Looks at the raw text, so that these stand beside the mistakes of form. */
function mistakesOfMode(raw: Partial<Record<Name, string>>, mode: Mode): readonly Mistake[] {
  if (mode === 'dev') {
    if (raw.HOST === undefined || isLoopbackName(raw.HOST.trim())) return [];
    return [
      {
        name: 'HOST',
        message:
          'must be 127.0.0.1, ::1, localhost or another name of loopback in `dev`; to be reachable from outside, use `serve`',
      },
    ];
  }
  if (raw.AUTH_SECRET === undefined && raw.AUTH_JWKS_URL === undefined) {
    const how = 'make one with `openssl rand -base64 48`, or set AUTH_JWKS_URL to the keys of your identity provider';
    return [
      { name: 'AUTH_SECRET', message: `is missing, and \`serve\` does not run without a way to check tokens: ${how}` },
    ];
  }
  const bytes = new TextEncoder().encode(raw.AUTH_SECRET).byteLength;
  if (raw.AUTH_SECRET === undefined || bytes >= 32) return [];
  return [
    {
      name: 'AUTH_SECRET',
      message: `must have at least 32 bytes, not ${bytes}: make one with \`openssl rand -base64 48\``,
    },
  ];
}

function toConfig(settings: z.output<typeof schema>, mode: Mode): Config {
  return {
    mode,
    port: settings.PORT,
    host: settings.HOST ?? (mode === 'dev' ? '127.0.0.1' : '0.0.0.0'),
    dataDir: settings.DATA_DIR,
    database: databaseOf(settings.DATABASE_URL, settings.DATA_DIR),
    redisUrl: settings.REDIS_URL,
    auth: {
      secret: settings.AUTH_SECRET,
      jwksUrl: settings.AUTH_JWKS_URL,
      audience: settings.AUTH_AUDIENCE,
      issuer: settings.AUTH_ISSUER,
      anonymous: settings.AUTH_ANON,
    },
    corsOrigins: settings.CORS_ORIGINS ?? [],
    retention: {
      ageMs: settings.RETENTION_AGE,
      events: settings.RETENTION_EVENTS,
      bytes: settings.RETENTION_BYTES,
    },
    retentionIntervalMs: settings.RETENTION_INTERVAL,
    compactTopics: settings.COMPACT_TOPICS ?? [],
    collections: settings.COLLECTIONS,
    audit: settings.AUDIT,
    logLevel: settings.LOG_LEVEL,
    trustProxy: settings.TRUST_PROXY,
    limits: {
      requestBytes: settings.LIMIT_REQUEST_BYTES,
      eventBytes: settings.LIMIT_EVENT_BYTES,
      topicsPerStream: settings.LIMIT_TOPICS_PER_STREAM,
      membersPerTopic: settings.LIMIT_MEMBERS_PER_TOPIC,
      streamsPerSubject: settings.LIMIT_STREAMS_PER_SUBJECT,
      streamsPerAddress: settings.LIMIT_STREAMS_PER_ADDRESS,
      writesPerSubject: settings.LIMIT_WRITES_PER_SUBJECT,
      writesPerAddress: settings.LIMIT_WRITES_PER_ADDRESS,
    },
  };
}

function databaseOf(value: string | undefined, dataDir: string): Database {
  if (value === undefined) return { kind: 'embedded', dir: dataDir };
  return value === 'memory:' ? { kind: 'memory' } : { kind: 'postgres', url: value };
}

function flagOf(name: string): string {
  return `--${name.toLowerCase().replaceAll('_', '-')}`;
}

function attributeOf(name: string): string {
  return name.toLowerCase().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
