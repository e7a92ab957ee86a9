/**
 * What a transaction of any size did to each row in all (see `net-changes.ts`), found without holding its rows: a first look keeps of
 * each change the key and a digest of the row before and after, a few hundred bytes.
 */
import type { Transaction } from '../store/postgres/database.ts';
import type { Change, RelayTarget } from './change.ts';
import { netChanges } from './net-changes.ts';
import type { WaitingTransaction } from './relay-plan.ts';
import { UnreadableChange } from './unreadable-change.ts';

/** Changes that are read in one statement at most, and the bytes of images after which it ends: each change may have two of 1 MiB. */
const LOOK = 1000;
const LOOK_BYTES = 1024 * 1024;
/** Changes that are deleted in one statement. */
const DELETED = 50_000;

const OF_TRANSACTION = 'id > $1::bigint AND id <= $2::bigint AND capture = ANY ($3::int[]) AND xact = $4::text::xid8';

const LOOK_THROUGH = `
  SELECT id, xact::text AS transaction, capture, operation::text AS operation, actor, mutation, old::text AS old, new::text AS new,
    hashtextextended(old::text, 0)::text AS old_digest, hashtextextended(new::text, 0)::text AS new_digest
  FROM (
    SELECT c.*, sum(bytes) OVER (ORDER BY id) - bytes AS before FROM (
      SELECT *, coalesce(pg_column_size(old), 0) + coalesce(pg_column_size(new), 0) AS bytes
      FROM sluice.changes WHERE ${OF_TRANSACTION} ORDER BY id LIMIT ${LOOK}
    ) c
  ) running WHERE before < ${LOOK_BYTES} ORDER BY id`;

const IMAGES = 'SELECT id, old::text AS old, new::text AS new FROM sluice.changes WHERE id = ANY ($1::bigint[])';

const DELETE = `DELETE FROM sluice.changes WHERE ${OF_TRANSACTION}`;

interface Looked extends Change {
  readonly old_digest: string | null;
  readonly new_digest: string | null;
}

/** Which change has a row's image, and on which side. */
interface ImagePlace {
  readonly id: number;
  readonly side: 'old' | 'new';
  /** Of its text, in UTF-16 units. */
  readonly length: number;
}

export interface NetPlan {
  /** How many changes it was made of. */
  readonly changes: number;
  /** The net changes of a target, in their order, in lists of at most 1,000 or about 1 MiB. @throws StoreUnavailable */
  of(target: RelayTarget): AsyncGenerator<readonly Change[], void, void>;
  /** Takes the changes out of the outbox. @throws StoreUnavailable */
  take(): Promise<void>;
}

/**
 * @param targets of the captures, each with what it is of
 * @throws StoreUnavailable, UnreadableChange
 */
export async function planNetChanges(
  transaction: Transaction,
  { xact, first, last }: WaitingTransaction,
  targets: readonly (readonly [capture: number, target: RelayTarget])[],
): Promise<NetPlan> {
  const captures = [...new Set(targets.map(([capture]) => capture))];
  const found = new Map(targets.map(([, target]) => [target, [] as Change[]]));
  const places = new Map(targets.map(([, target]) => [target, new Map<string, ImagePlace>()]));
  let changes = 0;
  for (let from = first - 1; ; ) {
    const rows = await transaction.query<Looked>(LOOK_THROUGH, [from, last, captures, xact]);
    changes += rows.length;
    for (const row of rows)
      for (const [capture, target] of targets)
        if (row.capture === capture) found.get(target)?.push(digested(row, target, places.get(target)));
    const end = rows.at(-1)?.id;
    if (end === undefined) break;
    from = end;
  }

  async function images(net: readonly Change[], at: ReadonlyMap<string, ImagePlace>): Promise<readonly Change[]> {
    const placeOf = (token: string | null) => (token === null ? undefined : at.get(token));
    const ids = net.flatMap(({ old, new: after }) => [placeOf(old)?.id ?? [], placeOf(after)?.id ?? []].flat());
    const rows = await transaction.query<Pick<Change, 'id' | 'old' | 'new'>>(IMAGES, [[...new Set(ids)]]);
    const byId = new Map(rows.map((row) => [row.id, row]));
    const imageOf = (token: string | null) => {
      const place = placeOf(token);
      return place === undefined ? null : (byId.get(place.id)?.[place.side] ?? null);
    };
    return net.map((change) => ({ ...change, old: imageOf(change.old), new: imageOf(change.new) }));
  }

  return {
    changes,
    async *of(target) {
      const own = found.get(target) ?? [];
      const net = target.keyOf === undefined ? own : netChanges(own, keyOfToken);
      const at = places.get(target) ?? new Map();
      for (const some of toLists(net, (token) => at.get(token)?.length ?? 0)) yield await images(some, at);
    },
    async take() {
      for (let from = first - 1; from < last; from += DELETED)
        await transaction.query(DELETE, [from, Math.min(from + DELETED, last), captures, xact]);
    },
  };
}

/** A change with a token in the place of each image: its key and digest, or where the target has no keys, what names it. */
function digested(row: Looked, { keyOf }: RelayTarget, places: Map<string, ImagePlace> | undefined): Change {
  const { id, transaction, capture, operation, actor, mutation } = row;
  const keyIn = (image: string) => {
    try {
      return keyOf?.(image) ?? '';
    } catch (cause) {
      throw new UnreadableChange(`change ${id} of capture ${capture} has no key`, { capture, cause });
    }
  };
  const token = (side: ImagePlace['side'], image: string | null, digest: string | null): string | null => {
    if (image === null) return null;
    const name = keyOf === undefined ? `${id} ${side}` : `${keyIn(image)}\0${digest}`;
    places?.set(name, { id, side, length: image.length });
    return name;
  };
  const old = token('old', row.old, row.old_digest);
  return { id, transaction, capture, operation, actor, mutation, old, new: token('new', row.new, row.new_digest) };
}

/** Cuts changes into lists that are read at once. */
function* toLists(changes: readonly Change[], lengthOf: (token: string) => number): Generator<readonly Change[]> {
  let list: Change[] = [];
  let length = 0;
  for (const change of changes) {
    if (list.length === LOOK || (list.length > 0 && length >= LOOK_BYTES)) {
      yield list;
      list = [];
      length = 0;
    }
    list.push(change);
    for (const token of [change.old, change.new]) if (token !== null) length += lengthOf(token);
  }
  if (list.length > 0) yield list;
}

function keyOfToken(token: string): string {
  return token.slice(0, token.lastIndexOf('\0'));
}
