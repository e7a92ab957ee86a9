/** Reading a list of a collection (protocol section 6.3), as many pages as it takes. */
import { isFinal } from '../connection/answers.ts';
import type { Row } from '../mutation.ts';
import type { Request } from '../request.ts';

export type Listed =
  | {
      readonly kind: 'listed';
      readonly rows: readonly Row[];
      /** How many pages it has. They are of different moments. */
      readonly pages: number;
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
}

interface Page {
  readonly records: readonly Row[];
  readonly cursor: string;
  readonly next?: string;
}

const PAGE_ROWS = 1000;

/** Reads until the list ends, or `limit` rows are reached. One that changes between its pages is read as each page found it. */
export async function readList(
  request: Request,
  { collection, filters, order = '', room }: ListQuery & { readonly room: number },
  signal: AbortSignal,
): Promise<Listed> {
  const rows: Row[] = [];
  let first: string | undefined;
  for (let [page, pages] = ['', 1]; ; pages += 1) {
    const query = new URLSearchParams(filters.map((filter) => ['filter', filter]));
    for (const [name, value] of Object.entries({ order, limit: `${Math.min(PAGE_ROWS, room - rows.length)}`, page }))
      if (value) query.set(name, value);
    const answer = await request('GET', `/v1/collections/${encodeURIComponent(collection)}?${query}`, { signal });
    // A later page's refusal says that the list cannot be gone on with, not that there is none.
    if (first === undefined && answer.kind === 'refused' && isFinal(answer)) return answer;
    if (answer.kind !== 'ok' || !isPage(answer.body))
      return { kind: 'failed', retryAfter: 'retryAfter' in answer ? answer.retryAfter : undefined };
    const { records, cursor, next } = answer.body;
    first ??= cursor;
    rows.push(...records);
    if (!next || rows.length >= room) return { kind: 'listed', rows, pages, cursor: first, more: !!next };
    page = next;
  }
}

function isPage(body: unknown): body is Page {
  return typeof body === 'object' && body !== null && 'records' in body && 'cursor' in body;
}
