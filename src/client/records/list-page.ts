/** Reading a list of a collection (protocol section 6.3), page by page. */
import type { Row } from '../mutation.ts';
import type { Answer, Request } from '../request.ts';

export interface ListQuery {
  readonly collection: string;
  readonly filters: readonly string[];
  readonly order?: string | undefined;
}

export interface ListPage {
  readonly records: readonly Row[];
  /** Where a stream goes on from. */
  readonly cursor: string;
  /** Names the page after this one, if there is one. */
  readonly next?: string;
}

const PAGE_ROWS = 1000;

/**
 * @param most how many records are wanted
 * @param page as the page before has named it
 * @returns the answer itself, where it is no page
 */
export async function readListPage(
  request: Request,
  { collection, filters, order = '' }: ListQuery,
  most: number,
  page = '',
  signal: AbortSignal,
): Promise<ListPage | Answer> {
  const options = Object.entries({ order, limit: `${Math.min(PAGE_ROWS, most)}`, page }).filter(([, value]) => value);
  const query = new URLSearchParams([...filters.map((filter) => ['filter', filter]), ...options]);
  const answer = await request('GET', `/v1/collections/${encodeURIComponent(collection)}?${query}`, { signal });
  return answer.kind === 'ok' && isListPage(answer.body) ? answer.body : answer;
}

function isListPage(body: unknown): body is ListPage {
  const { records, cursor }: Partial<ListPage> = body ?? {};
  return Array.isArray(records) && typeof cursor === 'string';
}
