/**
 * Which transactions of the outbox can be moved, and in which order.
 *
 * A transaction's place is its greatest id: one that could have seen another's commit made its last change after it, and took a later
 * id. All that one snapshot sees contains, with every transaction, those that it could have seen; so whatever is moved in this
 * order from one snapshot after the other keeps cause before effect, although ids are not the order of commits.
 *
 * What waits is read in pages of ids, so that no statement takes longer than a moment. A transaction that goes on beyond the page waits
 * for the page that holds its end.
 */
import type { Transaction } from '../store/postgres/database.ts';

/** Changes looked at in one page, and in one step over what lies behind it. */
const PAGE = 20_000;
const STEP = 200_000;
/** Changes moved in one transaction, unless one transaction of a writer has more. */
const MOVE_CHANGES = 5000;

/** A transaction that is committed, with all its changes that are to be moved. */
export interface WaitingTransaction {
  /** Its xid8, in digits. */
  readonly xact: string;
  /** Its smallest and its greatest id. */
  readonly first: number;
  readonly last: number;
  readonly changes: number;
}

export interface MovePlan {
  /** In the order in which they are to be moved, each whole. */
  readonly transactions: readonly WaitingTransaction[];
  /** The smallest id that waits and is not in the plan; infinite when everything visible is. */
  readonly next: number;
  /** The snapshot that it is the plan of, as Postgres writes it. */
  readonly snapshot: string;
}

interface PageRow {
  readonly snapshot: string;
  /** Null where the page is empty. */
  readonly xact: string | null;
  readonly first: number;
  readonly last: number;
  readonly changes: number;
}

// Later pages see what the first one saw: $4 is its snapshot.
const page = (visible: string) => `
  SELECT now.snapshot::text AS snapshot, page.*
  FROM (SELECT pg_current_snapshot() AS snapshot) now LEFT JOIN LATERAL (
    SELECT xact::text AS xact, min(id) AS first, max(id) AS last, count(*)::int AS changes FROM (
      SELECT id, xact FROM sluice.changes WHERE id > $1::bigint AND capture = ANY ($2::int[]) ${visible} ORDER BY id LIMIT $3
    ) ids GROUP BY xact
  ) page ON true`;
const VISIBLE = 'AND pg_visible_in_snapshot(xact, $4::text::pg_snapshot)';
const FIRST_PAGE = page('');
const LATER_PAGE = page(VISIBLE);

// Where some transactions go on; the row without a transaction tells how far the step went.
const GOES_ON = `
  WITH step AS MATERIALIZED (
    SELECT id, xact FROM sluice.changes WHERE id > $1::bigint AND capture = ANY ($2::int[]) ${VISIBLE} ORDER BY id LIMIT $3
  )
  SELECT NULL AS xact, max(id) AS last, count(*)::int AS changes FROM step
  UNION ALL
  SELECT xact::text, max(id), count(*)::int FROM step WHERE xact = ANY ($5::text[]::xid8[]) GROUP BY xact`;

/**
 * Plans what can be moved now: something, if anything waits.
 * @param by asks the statements: a transaction, or the database
 * @param floor only greater ids are looked at
 * @param pageChanges the size of a page; other than the default only in tests
 * @throws StoreUnavailable
 */
export async function planMove(
  by: Transaction,
  captures: readonly number[],
  floor: number,
  pageChanges = PAGE,
): Promise<MovePlan> {
  const known = new Map<string, WaitingTransaction>();
  const rows = await by.query<PageRow>(FIRST_PAGE, [floor, captures, pageChanges]);
  const snapshot = rows[0]?.snapshot ?? '';
  for (let found = rows; ; ) {
    const fresh = found.flatMap(({ xact, first, last, changes }) =>
      xact === null || known.has(xact) ? [] : [{ xact, first, last, changes }],
    );
    for (const transaction of fresh) known.set(transaction.xact, transaction);
    const end = found.reduce((greatest, { last }) => Math.max(greatest, last ?? 0), 0);
    const isLastPage = found.reduce((sum, { changes }) => sum + (changes ?? 0), 0) < pageChanges;
    if (!isLastPage && fresh.length > 0) await findEnds(by, captures, snapshot, known, fresh, end);
    const transactions = [...known.values()].toSorted((a, b) => a.last - b.last);
    if (isLastPage) return { transactions, next: Number.POSITIVE_INFINITY, snapshot };
    const whole = transactions.filter(({ last }) => last <= end);
    if (whole.length > 0) {
      const next = transactions.slice(whole.length).reduce((least, { first }) => Math.min(least, first), end + 1);
      return { transactions: whole, next, snapshot };
    }
    found = await by.query<PageRow>(LATER_PAGE, [end, captures, pageChanges, snapshot]);
  }
}

/** Adds to transactions of a page what they have beyond its end. */
async function findEnds(
  by: Transaction,
  captures: readonly number[],
  snapshot: string,
  known: Map<string, WaitingTransaction>,
  fresh: readonly WaitingTransaction[],
  end: number,
): Promise<void> {
  const names = fresh.map(({ xact }) => xact);
  for (let from = end; ; ) {
    type Row = Pick<WaitingTransaction, 'last' | 'changes'> & { readonly xact: string | null };
    const rows = await by.query<Row>(GOES_ON, [from, captures, STEP, snapshot, names]);
    let isEnd = true;
    for (const { xact, last, changes } of rows) {
      const before = xact === null ? undefined : known.get(xact);
      if (before !== undefined) known.set(before.xact, { ...before, last, changes: before.changes + changes });
      else if (changes === STEP) {
        from = last;
        isEnd = false;
      }
    }
    if (isEnd) return;
  }
}

/**
 * Plans to move all that waits, if it is no more than so many changes.
 * @returns without `transactions` when more wait; @throws StoreUnavailable
 */
export async function planAll(
  by: Transaction,
  captures: readonly number[],
  floor: number,
  changes: number,
): Promise<{ readonly snapshot: string; readonly transactions: readonly WaitingTransaction[] | undefined }> {
  const rows = await by.query<PageRow>(FIRST_PAGE, [floor, captures, changes + 1]);
  const found = rows.flatMap(({ xact, first, last, changes }) =>
    xact === null ? [] : [{ xact, first, last, changes }],
  );
  const isTooMuch = found.reduce((sum, transaction) => sum + transaction.changes, 0) > changes;
  const transactions = isTooMuch ? undefined : found.toSorted((a, b) => a.last - b.last);
  return { snapshot: rows[0]?.snapshot ?? '', transactions };
}

/** Cuts a plan, between transactions, into what is moved at once. */
export function toPortions(transactions: readonly WaitingTransaction[]): readonly (readonly WaitingTransaction[])[] {
  const portions: WaitingTransaction[][] = [];
  let changes = MOVE_CHANGES;
  for (const transaction of transactions) {
    if (changes + transaction.changes > MOVE_CHANGES) {
      portions.push([]);
      changes = 0;
    }
    portions.at(-1)?.push(transaction);
    changes += transaction.changes;
  }
  return portions;
}
