/** In which order the changes of a large transaction were made, where triggers made some of them (see `chain-order.ts`). */
import type { Transaction } from '../store/postgres/database.ts';
import { type ChainLink, inChainOrder } from './chain-order.ts';
import type { RelayTargets } from './change.ts';
import type { WaitingTransaction } from './relay-plan.ts';

/** Changes that are looked at in one statement: they may have two images of 1 MiB each. */
const LOOK = 100;

const LOOK_THROUGH = `
  SELECT id, capture, old::text AS old, new::text AS new, 
    hashtextextended(old::text, 0)::text AS old_digest, hashtextextended(new::text, 0)::text AS new_digest
  FROM sluice.changes WHERE id > $1::bigint AND id <= $2::bigint AND capture = ANY ($3::int[]) AND xact = $4::text::xid8
  ORDER BY id LIMIT ${LOOK}`;

interface Row {
  readonly id: number;
  readonly capture: number;
  readonly old: string | null;
  readonly new: string | null;
  readonly old_digest: string | null;
  readonly new_digest: string | null;
}

interface Looked extends ChainLink {
  readonly id: number;
  readonly capture: number;
}

/**
 * The ids of a transaction's changes, in the order in which these were made.
 * @throws StoreUnavailable, and what a target's `keyOf` throws
 */
export async function idsInOrderMade(
  transaction: Transaction,
  { xact, first, last }: WaitingTransaction,
  targets: RelayTargets,
): Promise<readonly number[]> {
  const all: Looked[] = [];
  for (let from = first - 1; ; ) {
    const rows = await transaction.query<Row>(LOOK_THROUGH, [from, last, [...targets.keys()], xact]);
    for (const row of rows) {
      const keyOf = keyOfCapture(targets, row.capture);
      const state = (image: string | null, digest: string | null) =>
        image === null || digest === null || keyOf === undefined ? undefined : { key: keyOf(image), state: digest };
      all.push({
        id: row.id,
        capture: row.capture,
        before: state(row.old, row.old_digest),
        after: state(row.new, row.new_digest),
      });
    }
    const end = rows.at(-1)?.id;
    if (rows.length < LOOK || end === undefined) break;
    from = end;
  }
  const made = new Map(
    Array.from(
      Map.groupBy(all, ({ capture }) => capture),
      ([capture, links]) => [
        capture,
        (keyOfCapture(targets, capture) === undefined ? links : inChainOrder(links)).values(),
      ],
    ),
  );
  // Each takes the place of one of its own table: between tables the order stays.
  return all.map(({ capture, id }) => made.get(capture)?.next().value?.id ?? id);
}

function keyOfCapture(targets: RelayTargets, capture: number): ((image: string) => string) | undefined {
  const target = [targets.get(capture) ?? []].flat().find(({ keyOf }) => keyOf !== undefined);
  return target && ((image) => target.keyOf?.(image) ?? '');
}
