/** The routes of collections over a database, as a client sees them. */
import { Hono } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import type { Principal } from '../../../src/auth/principal.ts';
import { createRights } from '../../../src/auth/rights.ts';
import { requireLegibleUrl } from '../../../src/http/legible-url.ts';
import { SILENT } from '../../../src/http/log.ts';
import { problemResponse, respondToError } from '../../../src/http/problem-error.ts';
import { collectionsRoute } from '../../../src/http/routes/collections.ts';
import type { Env } from '../../../src/http/services.ts';
import { compileGrants } from '../../../src/protocol/grants.ts';
import { DEFAULT_LIMITS } from '../../../src/protocol/limits.ts';
import { createRecords, type RecordsOptions } from '../../../src/records/records.ts';
import type { Database } from '../../../src/store/postgres/database.ts';
import { COLLECTIONS } from './tables.ts';

export interface Asking {
  readonly method?: string;
  /** Whose request it is; everything is granted to `root` unless told; `null` is nobody. */
  readonly as?: Partial<Principal> | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, or as it is when it is text or bytes. */
  readonly body?: unknown;
  readonly type?: string;
}

export interface Answer {
  readonly status: number;
  readonly body: any;
  readonly text: string;
  readonly headers: Headers;
}

const ALL = compileGrants({ subscribe: ['**'], publish: ['**'] });
const NONE = compileGrants({});

/** Somebody with a token; what they are granted is for the test to say. */
export function caller(sub: string, grants: { subscribe?: string[]; publish?: string[] } = {}): Partial<Principal> {
  return { kind: 'token', sub, role: 'authenticated', grants: compileGrants(grants), claims: { sub } };
}

export class CollectionsApp {
  readonly database: Database;
  readonly faults: unknown[] = [];
  kicks = 0;
  readonly #hono: Hono<Env>;
  #principal: Principal = principalOf({});

  constructor(database: Database, options: Partial<RecordsOptions> = {}) {
    this.database = database;
    const records = createRecords({
      database,
      collections: COLLECTIONS,
      epochOf: (_, incarnation) => `abcde0000${incarnation}`,
      drained: (work) => database.transaction(work, { isolation: 'repeatable read' }),
      kick: () => {
        this.kicks += 1;
      },
      secret: async () => new Uint8Array(32).fill(7),
      ...options,
    });
    const log = { ...SILENT, error: (fields: object) => void this.faults.push(fields) };
    this.#hono = new Hono<Env>()
      .onError(respondToError(log))
      .notFound((c) => problemResponse(c, 'not-found'))
      .use(requireLegibleUrl)
      .use(async (c, next) => {
        c.set('principal', this.#principal);
        await next();
      });
    this.#hono.use(
      methodNotAllowed({ app: this.#hono, onMethodNotAllowed: (c) => problemResponse(c, 'method-not-allowed') }),
    );
    const callers = { write: () => ({ ok: true }) as const, stream: () => undefined };
    this.#hono.route('/v1', collectionsRoute({ records, callers, limits: DEFAULT_LIMITS, rights: createRights() }));
  }

  async ask(path: string, { method, as = {}, headers = {}, body, type }: Asking = {}): Promise<Answer> {
    this.#principal = as === null ? NOBODY : principalOf(as);
    const all = new Headers(headers);
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    if (body !== undefined && !all.has('Content-Type')) all.set('Content-Type', type ?? 'application/json');
    const response = await this.#hono.request(`/v1/collections/${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: all,
      ...(body !== undefined && { body: (raw ? body : JSON.stringify(body)) as BodyInit }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? undefined : JSON.parse(text),
      text,
      headers: response.headers,
    };
  }

  /** Status and code of a refusal. */
  async refusal(path: string, asking?: Asking): Promise<string> {
    const { status, body } = await this.ask(path, asking);
    return body?.code === undefined ? String(status) : `${status} ${body.code}`;
  }

  async create(name: string, ...records: readonly object[]): Promise<void> {
    const { status, text } = await this.ask(name, { body: records });
    if (status !== 201) throw new Error(`creating gave ${status} ${text}`);
  }

  patch(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}, as?: Asking['as']) {
    return this.ask(path, { method: 'PATCH', body, headers, ...(as !== undefined && { as }) });
  }

  /** The ids of a list. */
  async ids(path: string, as?: Asking['as']): Promise<readonly unknown[]> {
    const { status, body, text } = await this.ask(path, as === undefined ? {} : { as });
    if (status !== 200) throw new Error(`listing gave ${status} ${text}`);
    return body.records.map(({ id }: { id: unknown }) => id);
  }
}

function principalOf(given: Partial<Principal>): Principal {
  return {
    kind: 'token',
    sub: 'root',
    role: 'authenticated',
    grants: ALL,
    expires: undefined,
    issued: 0,
    ids: [],
    claims: { sub: 'root' },
    ...given,
  };
}

const NOBODY = principalOf({ kind: 'anonymous', sub: undefined, role: 'anon', grants: NONE, claims: {} });
