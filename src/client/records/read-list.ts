/** Reading a list of a collection (protocol section 6.3), as many pages as it takes. */
import type { Row } from '../mutation.ts';
import type { Request } from '../request.ts';
import { isRow } from './json.ts';

export type Listed =
  | {
      readonly kind: 'listed';
      readonly rows: readonly Row[];
      /** How many of them are of the cursor's moment, those of the first page; `undefined` when it is the only one. */
      readonly exact: number | undefined;
      /** Where a stream goes on from: the cursor of the first page. */
      readonly cursor: string;
      /** Whether there are more rows than were asked for. */
      readonly more: boolean;
    }
  /** For good, by a code of protocol section 7. */
  | { readonly kind: 'refused'; readonly code: string }
  /** For now. `retryAfter` in ms, where the server said so. */
  | { readonly kind: 'failed'; readonly retryAfter: number | undefined };

export interface ListQuery {
  readonly collection: string;
  readonly filters: readonly string[];
  readonly order?: string | undefined;
  /** How many rows are read at most. */
  readonly limit: number;
}

const PAGE_ROWS = 1000;
/** Of what the server refuses, this may pass by itself. */
const PASSING = [408, 429];

/** Reads until the list ends, or `limit` is reached. One that changes between its pages is read as each page found it. */
export async function readList(
  request: Request,
  { collection, filters, order, limit }: ListQuery,
  signal: AbortSignal,
): Promise<Listed> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  let exact: number | undefined;
  let next: string | undefined;
  do {
    const query = new URLSearchParams(filters.map((filter) => ['filter', filter]));
    if (order) query.set('order', order);
    query.set('limit', `${Math.min(PAGE_ROWS, limit - rows.length)}`);
    if (next !== undefined) query.set('page', next);
    const answer = await request('GET', `/v1/collections/${encodeURIComponent(collection)}?${query}`, { signal });
    if (answer.kind === 'refused') {
      const { status, code } = answer.problem;
      // A page's refusal says that the list cannot be gone on with, not that there is none.
      if (cursor === undefined && status < 500 && !PASSING.includes(status)) return { kind: 'refused', code };
    }
    const page = answer.kind === 'ok' ? pageOf(answer.body) : undefined;
    if (page === undefined)
      return { kind: 'failed', retryAfter: 'retryAfter' in answer ? answer.retryAfter : undefined };
    if (cursor !== undefined) exact ??= rows.length;
    cursor ??= page.cursor;
    rows.push(...page.rows);
    next = page.next;
  } while (next !== undefined && rows.length < limit);
  return { kind: 'listed', rows, exact, cursor, more: next !== undefined };
}

function pageOf(body: unknown) {
  if (!isRow(body)) return undefined;
  const { records, cursor, next } = body;
  if (!Array.isArray(records) || typeof cursor !== 'string') return undefined;
  const rows: readonly unknown[] = records;
  return { rows: rows.filter(isRow), cursor, next: typeof next === 'string' ? next : undefined };
}
