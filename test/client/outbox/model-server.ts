/** A server as a client of the outbox sees it: topics, records with versions, and idempotency keys that it forgets after a day. */
import type { Answer, Request } from '../../../src/client/request.ts';
import { IDEMPOTENCY_MS } from '../../../src/protocol/limits.ts';
import { type ProblemCode, problem } from '../../../src/protocol/problem.ts';

/** What happens to one request: it is applied and answered; its answer, or itself, is lost; something else answers. */
export type Fate = 'answer' | 'lost-answer' | 'lost' | 'portal' | 'redirect' | ProblemCode;

/** Refusals that a server decides on once it has found that it does not know the key (protocol section 6.4). */
const AFTER_THE_KEY: readonly ProblemCode[] = ['conflict', 'precondition-failed', 'unique', 'foreign-key', 'exclusion'];

export interface Applied {
  readonly key: string;
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

export interface Asked extends Applied {
  readonly headers: Readonly<Record<string, string>>;
}

export class ModelServer {
  /** Every request that arrived. */
  readonly asked: Asked[] = [];
  /** Every write that was applied, in order. */
  readonly applied: Applied[] = [];
  readonly records = new Map<string, { readonly version: number; readonly [field: string]: unknown }>();
  /** Decides what happens to a request; all are answered unless told. */
  fate: (asked: Asked) => Fate = () => 'answer';
  /** How long a request takes, there and back, in ms. */
  delay: () => number = () => 0;
  /** Called as the stream would: after a write was applied, maybe before it is answered. */
  onApplied: (key: string) => void = () => {};
  retryAfter: number | undefined;
  readonly #refusals = new Map<string, { readonly code: ProblemCode; readonly time: number }>();
  readonly #keys = new Map<string, { readonly digest: string; readonly answer: Answer; readonly time: number }>();

  readonly request: Request = async (method, path, { body, headers = {}, signal } = {}) => {
    const key = headers['Idempotency-Key'] ?? '';
    // As it would be on the wire.
    const asked: Asked = {
      key,
      method,
      path,
      body: body === undefined ? undefined : JSON.parse(JSON.stringify(body)),
      headers,
    };
    this.asked.push(asked);
    const delay = this.delay();
    await this.#pass(delay / 2);
    const answer = this.#answer(asked, this.fate(asked));
    await this.#pass(delay / 2);
    return signal?.aborted ? { kind: 'unreachable', why: 'aborted' } : answer;
  };

  #answer(asked: Asked, fate: Fate): Answer {
    if (fate === 'lost') return { kind: 'unreachable', why: 'network' };
    if (fate === 'portal') return { kind: 'strange', status: 200, what: 'media-type', retryAfter: undefined };
    if (fate === 'redirect') return { kind: 'strange', status: 302, what: 'redirect', retryAfter: undefined };
    const { key } = asked;
    // Two requests of one key, of a tab that crashed and of the next one, can be on their way at once: what stands against one does so
    // against both.
    const just = this.#refusals.get(key);
    if (just !== undefined && Date.now() - just.time < 200) return refused(just.code);
    if (fate !== 'answer' && fate !== 'lost-answer') {
      if (!AFTER_THE_KEY.includes(fate)) return refused(fate, {}, this.retryAfter);
      if (!this.#keys.has(key)) {
        this.#refusals.set(key, { code: fate, time: Date.now() });
        return refused(fate);
      }
    }
    const answer = this.#write(asked);
    return fate === 'lost-answer' ? { kind: 'unreachable', why: 'timeout' } : answer;
  }

  #write(asked: Asked): Answer {
    const { key, method, path, headers, body } = asked;
    if (method === 'GET') return this.#read(path);
    const digest = JSON.stringify([method, path, headers, body]);
    const known = this.#keys.get(key);
    if (known !== undefined && Date.now() - known.time < IDEMPOTENCY_MS)
      return known.digest === digest ? known.answer : refused('idempotency-mismatch');
    const answer = path.startsWith('/v1/topics/') ? ok(201, { events: [], cursor: 'e-1' }) : this.#change(asked);
    if (answer.kind !== 'ok') return answer;
    this.#keys.set(key, { digest, answer, time: Date.now() });
    this.applied.push({ key, method, path, body });
    this.onApplied(key);
    return answer;
  }

  #change({ method, path, headers, body }: Asked): Answer {
    const record = this.records.get(path);
    const base = headers['Base-Version'];
    const match = headers['If-Match'];
    if (match !== undefined && match !== `"${record?.version}"`) return refused('precondition-failed');
    if (method === 'POST') return ok(201, { ...(body as object), version: 1 }, 1);
    if (record === undefined && method !== 'PUT') return refused('not-found');
    // Stricter than a real server: there is no merge, so every other version is a conflict.
    if (base !== undefined && base !== String(record?.version))
      return refused('conflict', { current: record, yours: body, fields: Object.keys(body as object) });
    if (method === 'DELETE') {
      this.records.delete(path);
      return { kind: 'ok', status: 204, headers: new Headers(), body: undefined };
    }
    const version = (record?.version ?? 0) + 1;
    const after = { ...(method === 'PATCH' && record), ...(body as object), version };
    this.records.set(path, after);
    return ok(200, after, version);
  }

  #read(path: string): Answer {
    const record = this.records.get(path);
    return record === undefined ? refused('not-found') : ok(200, record, record.version);
  }

  async #pass(ms: number): Promise<void> {
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  }
}

export function ok(status: number, body: unknown, version?: number, members: Record<string, string> = {}): Answer {
  const headers = new Headers({ ...(version !== undefined && { ETag: `"${version}"` }), ...members });
  return { kind: 'ok', status, headers, body };
}

export function refused(code: ProblemCode, members: Record<string, unknown> = {}, retryAfter?: number): Answer {
  const { status } = problem(code);
  return { kind: 'refused', code, status, problem: { ...problem(code), ...members }, retryAfter };
}
