/**
 * Moving changes from the outbox into the log: taken and appended in one transaction, which is the caller's.
 *
 * A change is deleted as it is read, so whoever gets it is the one who moves it. What a transaction changed stands together in each topic.
 * Large transactions are appended in pieces, all of which appear at the caller's commit (`net-plan.ts`).
 */
import type { MovedBatch } from '../broker/local-broker.ts';
import type { EventBody } from '../protocol/event.ts';
import type { Transaction } from '../store/postgres/database.ts';
import { appendTo } from '../store/postgres/log.ts';
import type { Change, RelayTarget, RelayTargets } from './change.ts';
import { netChanges } from './net-changes.ts';
import { planNetChanges } from './net-plan.ts';
import type { WaitingTransaction } from './relay-plan.ts';
import { UnreadableChange } from './unreadable-change.ts';

/** The most that is read, and that is appended at once: changes or events, and bytes of them, unless one alone is larger. */
const PIECE = 1000;
const PIECE_BYTES = 1024 * 1024;

/** Text of events kept to be handed on after the commit, in UTF-16 units; beyond it only the last piece of each topic is. */
const KEPT_LENGTH = 8 * 1024 * 1024;

/** What a move appended, in its order. */
export interface Moved {
  readonly changes: number;
  readonly batches: readonly { readonly topic: string; readonly batch: MovedBatch }[];
}

export interface MoveOptions {
  readonly targets: RelayTargets;
  readonly epochOf: (topic: string, incarnation: number) => string;
}

const BYTES = 'coalesce(pg_column_size(c.old), 0) + coalesce(pg_column_size(c.new), 0)';

// Measured as stored, where it is not compressed, and before text is made of it: so a page of large rows stops in time.
const take = (from: string, last: string) => `
  WITH page AS MATERIALIZED (
    SELECT c.id, ${last} AS last, ${BYTES} AS bytes FROM ${from}
  ), due AS MATERIALIZED (
    SELECT id, last FROM (SELECT id, last, sum(bytes) OVER (ORDER BY last, id) - bytes AS before FROM page) running
    WHERE before < ${PIECE_BYTES}
  ), taken AS (
    DELETE FROM sluice.changes c USING due WHERE c.id = due.id
    RETURNING due.last, c.id, c.xact::text AS transaction, c.capture, c.operation::text AS operation,
              c.old::text AS old, c.new::text AS new, c.actor, c.mutation
  )
  SELECT * FROM taken ORDER BY last, id`;

const OF_CAPTURES = 'c.id > $1::bigint AND c.id <= $2::bigint AND c.capture = ANY ($3::int[])';

// $4 are transactions and $5 their last ids.
const TAKE_SEVERAL = take(
  `unnest($4::text[]::xid8[], $5::text[]::bigint[]) t (xact, last) JOIN sluice.changes c USING (xact)
   WHERE ${OF_CAPTURES} ORDER BY t.last, c.id LIMIT ${PIECE}`,
  't.last',
);
/**
 * Moves whole transactions, in the order given. What somebody else has moved meanwhile is left out.
 * @throws StoreUnavailable; UnreadableChange when a target cannot make events of a change
 */
export async function moveTransactions(
  transaction: Transaction,
  waiting: readonly WaitingTransaction[],
  { targets, epochOf }: MoveOptions,
): Promise<Moved> {
  const captures = [...targets.keys()];
  const batches: { topic: string; batch: MovedBatch }[] = [];
  let changes = 0;
  let kept = 0;

  async function append(pieces: readonly Piece[]): Promise<void> {
    const answers = await appendTo(transaction, epochOf, pieces);
    for (const [index, { topic, bodies, length }] of pieces.entries()) {
      const answer = answers[index];
      if (answer === undefined || answer.kind === 'mismatch') throw new Error('an append without a key was refused');
      kept += length;
      // A listener who sees a hole reads the log: the last piece of a topic is enough to show it.
      if (kept > KEPT_LENGTH) drop(batches, topic);
      batches.push({ topic, batch: { epoch: answer.epoch, first: answer.first, time: answer.time, bodies } });
    }
  }

  async function takeSeveral(run: readonly WaitingTransaction[]): Promise<void> {
    const from = run.reduce((least, { first }) => Math.min(least, first), Number.POSITIVE_INFINITY) - 1;
    const to = run.reduce((greatest, { last }) => Math.max(greatest, last), 0);
    let left = run.reduce((sum, transaction) => sum + transaction.changes, 0);
    while (left > 0) {
      const taken = await transaction.query<Change>(TAKE_SEVERAL, [
        from,
        to,
        captures,
        run.map(({ xact }) => xact),
        run.map(({ last }) => String(last)),
      ]);
      if (taken.length === 0) break;
      left -= taken.length;
      changes += taken.length;
      for (const pieces of toPieces(ofTargets(taken, targets))) await append(pieces);
    }
  }

  async function takeLarge(large: WaitingTransaction): Promise<void> {
    const all = [...targets].flatMap(([capture, of]) => [of].flat().map((target) => [capture, target] as const));
    const plan = await planNetChanges(transaction, large, all);
    for (const [, target] of all)
      for await (const net of plan.of(target))
        for (const pieces of toPieces(net.map((change) => ({ change, target })))) await append(pieces);
    await plan.take();
    changes += plan.changes;
  }

  for (const run of toRuns(waiting)) {
    const [alone] = run;
    if (alone !== undefined && alone.changes > PIECE) await takeLarge(alone);
    else await takeSeveral(run);
  }
  return { changes, batches };
}

interface Piece {
  readonly topic: string;
  readonly bodies: readonly EventBody[];
  readonly length: number;
}

/** Transactions that are read together: small ones up to the size of a piece, a large one alone. */
function toRuns(waiting: readonly WaitingTransaction[]): readonly (readonly WaitingTransaction[])[] {
  const runs: WaitingTransaction[][] = [];
  let room = 0;
  for (const transaction of waiting) {
    const run = runs.at(-1);
    if (run !== undefined && transaction.changes <= room) run.push(transaction);
    else {
      runs.push([transaction]);
      room = PIECE;
    }
    room -= transaction.changes;
  }
  return runs;
}

/** The events of changes, by topic, in as many appends as their size needs. */
function toPieces(changes: readonly ChangeOfTarget[]): readonly (readonly Piece[])[] {
  const appends: Map<string, EventBody[]>[] = [];
  let events = PIECE;
  let length = 0;
  for (const { change, target } of changes) {
    const { topic } = target;
    for (const body of bodiesOf(change, target)) {
      let open = appends.at(-1);
      if (open === undefined || events >= PIECE || (length > 0 && length + body.length > PIECE_BYTES)) {
        open = new Map();
        appends.push(open);
        events = 0;
        length = 0;
      }
      const bodies = open.get(topic);
      if (bodies === undefined) open.set(topic, [body]);
      else bodies.push(body);
      events += 1;
      length += body.length;
    }
  }
  return appends.map((append) =>
    Array.from(append, ([topic, bodies]) => ({
      topic,
      bodies,
      length: bodies.reduce((sum, body) => sum + body.length, 0),
    })),
  );
}

interface ChangeOfTarget {
  readonly change: Change;
  readonly target: RelayTarget;
}

/** What each target gets, transaction by transaction. */
function ofTargets(changes: readonly Change[], targets: RelayTargets): readonly ChangeOfTarget[] {
  const result: ChangeOfTarget[] = [];
  for (let from = 0; from < changes.length; ) {
    const of = changes[from]?.transaction;
    let to = from;
    while (changes[to] !== undefined && changes[to]?.transaction === of) to += 1;
    const transaction = changes.slice(from, to);
    for (const [capture, own] of Map.groupBy(transaction, (change) => change.capture)) {
      const found = targets.get(capture);
      if (found === undefined) throw new Error(`a change of capture ${capture} was taken, which has no target`);
      for (const target of [found].flat()) for (const change of netOf(own, target)) result.push({ change, target });
    }
    from = to;
  }
  return result;
}

function netOf(changes: readonly Change[], target: RelayTarget): readonly Change[] {
  if (target.keyOf === undefined) return changes;
  try {
    return netChanges(changes, (image) => target.keyOf?.(image) ?? '');
  } catch (cause) {
    const [first] = changes;
    const capture = first?.capture ?? 0;
    throw new UnreadableChange(`change ${first?.id} of capture ${capture} has no key for ${target.topic}`, {
      capture,
      cause,
    });
  }
}

function bodiesOf(change: Change, target: RelayTarget): readonly EventBody[] {
  try {
    return target.toBodies(change);
  } catch (cause) {
    const { id, capture } = change;
    throw new UnreadableChange(`change ${id} of capture ${capture} cannot become an event of ${target.topic}`, {
      capture,
      cause,
    });
  }
}

function drop(batches: { readonly topic: string }[], topic: string): void {
  for (let index = batches.length - 1; index >= 0; index -= 1)
    if (batches[index]?.topic === topic) batches.splice(index, 1);
}
