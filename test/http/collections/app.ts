/** The routes of collections over a database, as a client sees them. */
import type { Principal } from '../../../src/auth/principal.ts';
import type { RecordsOptions } from '../../../src/records/records.ts';
import type { Database } from '../../../src/store/postgres/database.ts';
import { encodePrincipal, NOBODY, principalOf } from './principals.ts';
import { collectionsRoutes } from './routes.ts';

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

/** The header that says who asks, and those that say what came of it besides the answer. */
export const PRINCIPAL_HEADER = 'Test-Principal';
export const KICKS_HEADER = 'Test-Kicks';
export const FAULTS_HEADER = 'Test-Faults';

export class CollectionsApp {
  readonly database: Database;
  readonly faults: unknown[] = [];
  kicks = 0;
  readonly #send: (request: Request) => Promise<Response>;
  #principal: Principal = principalOf({});

  /** @param send where the routes are, if not here */
  constructor(
    database: Database,
    options: Partial<RecordsOptions> = {},
    send: ((request: Request) => Promise<Response>) | undefined = undefined,
  ) {
    this.database = database;
    this.#send =
      send ??
      collectionsRoutes({
        database,
        options,
        principal: () => this.#principal,
        onKick: () => {
          this.kicks += 1;
        },
        onFault: (fault) => void this.faults.push(fault),
      });
  }

  async ask(path: string, { method, as = {}, headers = {}, body, type }: Asking = {}): Promise<Answer> {
    this.#principal = as === null ? NOBODY : principalOf(as);
    const all = new Headers(headers);
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    if (body !== undefined && !all.has('Content-Type')) all.set('Content-Type', type ?? 'application/json');
    all.set(PRINCIPAL_HEADER, encodePrincipal(this.#principal));
    const response = await this.#send(
      new Request(`http://localhost/v1/collections/${path}`, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: all,
        ...(body !== undefined && { body: (raw ? body : JSON.stringify(body)) as BodyInit }),
      }),
    );
    const text = await response.text();
    this.kicks += Number(response.headers.get(KICKS_HEADER) ?? 0);
    this.faults.push(...JSON.parse(response.headers.get(FAULTS_HEADER) ?? '[]'));
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
