/**
 * A look at the tables at a moment at which the log holds everything that happened to them: what a snapshot needs, so that a stream
 * from the log's end misses nothing of it and repeats nothing.
 *
 * Mostly nothing waits in the outbox, and the first look succeeds. Under a storm of writers something always does; then what waits is
 * moved here, in the transaction that looks, while the relay is kept out by a lock on its table. Any node can do that, with the
 * lease or without.
 */
import type { Database, Transaction } from '../store/postgres/database.ts';
import { sqlState } from '../store/postgres/sql-state.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { RelayTargets } from './change.ts';
import type { OutboxFloor } from './relay-floor.ts';
import { type Moved, moveTransactions } from './relay-move.ts';
import { planAll } from './relay-plan.ts';
import { UnreadableChange } from './unreadable-change.ts';

/** How long to hope that the relay will be done, before doing its work, in ms, unless told; and the pauses between looks. */
const HOPE_MS = 100;
const FIRST_PAUSE_MS = 5;
const LAST_PAUSE_MS = 40;
/** The longest that a caller waits to be let in, in ms. */
const PATIENCE_MS = 5000;
/** The largest backlog that is moved here, in changes. The relay moves a larger one, without holding up a reader's transaction. */
const MAX_CHANGES = 5000;

const IS_WAITING = `
  SELECT EXISTS (SELECT FROM sluice.changes WHERE id > $1::bigint AND capture = ANY ($2::int[])) AS waiting,
         EXISTS (SELECT FROM sluice.changes WHERE id > $1::bigint AND capture = ANY ($3::int[])) AS any_waiting,
         pg_current_snapshot()::text AS snapshot`;

// Neither takes a snapshot: that of the transaction comes after the lock, and so sees all that the relay moved before. The lock
// conflicts with the lock on its row under which the relay moves, and with no reader.
const WAIT_AT_MOST = `SET LOCAL lock_timeout = '2s'`;
const KEEP_RELAYS_OUT = 'LOCK TABLE sluice.relay IN EXCLUSIVE MODE';
const WAIT_AS_BEFORE = 'SET LOCAL lock_timeout TO DEFAULT';

export interface DrainOptions {
  readonly database: Database;
  readonly targets: () => RelayTargets;
  readonly epochOf: (topic: string, incarnation: number) => string;
  readonly clock: () => number;
  readonly random: () => number;
  readonly floor: OutboxFloor;
  /** Told that a look found nothing of any target, and in which snapshot. */
  readonly onEmpty: (snapshot: string) => void;
  /** Asks the relay of this node to look at once. */
  readonly kick: () => void;
  /** How long the relay is left to do it, in ms: longer where it has to be woken from afar. 100 unless told. */
  readonly hopeMs?: number;
  /** Runs what moves something when nothing else of this node does. */
  readonly alone: <Result>(move: () => Promise<Result>) => Promise<Result>;
  /** Told what was moved, after the commit. */
  readonly onMoved: (moved: Moved) => void;
  /** Told of a change of which no event can be made; its table is then no target for a while. */
  readonly onUnreadable: (error: UnreadableChange) => void;
}

/** See `Relay.drained`. */
export async function drained<Result>(
  options: DrainOptions,
  captures: readonly number[],
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Result> {
  const { clock, random, kick, hopeMs = HOPE_MS } = options;
  const begun = clock();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)) {
    const looked = await look(options, captures, work);
    if (looked !== undefined) return looked.result;
    kick();
    if (clock() - begun >= hopeMs) {
      const moved = await options.alone(() => moveAndLook(options, captures, work));
      if (moved !== undefined) return moved.result;
    }
    if (clock() - begun >= PATIENCE_MS) throw new StoreUnavailable('too many changes wait to be moved into the log');
    await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + random())));
  }
}

interface Done<Result> {
  readonly result: Result;
}

/** Runs the work if nothing waits; `undefined` when something does. */
function look<Result>(
  options: DrainOptions,
  captures: readonly number[],
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Done<Result> | undefined> {
  return options.database.transaction(
    async (transaction) => {
      const { waiting, any_waiting, snapshot } = await whatWaits(options, transaction, captures);
      if (waiting) return undefined;
      if (!any_waiting) options.onEmpty(snapshot);
      return { result: await work(transaction) };
    },
    { isolation: 'repeatable read' },
  );
}

interface Waiting {
  /** Whether changes of the captures asked for wait, and of any that has a target. */
  readonly waiting: boolean;
  readonly any_waiting: boolean;
  readonly snapshot: string;
}

function whatWaits({ targets, floor }: DrainOptions, by: Transaction, captures: readonly number[]): Promise<Waiting> {
  const all = targets();
  // What has no target for now is not looked for above the floor, and may wait below it.
  const isUnknown = captures.some((capture) => !all.has(capture));
  return floor.look(async (from) => {
    const [row] = await by.query<Waiting>(IS_WAITING, [from, captures, [...all.keys()]]);
    if (row === undefined) throw new Error('a question without a row for an answer');
    return { ...row, waiting: row.waiting || isUnknown };
  });
}

/** Moves what waits and runs the work in the same transaction; `undefined` when it is too much, or something stood in the way. */
async function moveAndLook<Result>(
  options: DrainOptions,
  captures: readonly number[],
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Done<Result> | undefined> {
  let working = false;
  try {
    const done = await options.database.transaction(
      async (transaction) => {
        await transaction.query(WAIT_AT_MOST);
        await transaction.query(KEEP_RELAYS_OUT);
        await transaction.query(WAIT_AS_BEFORE);
        const targets = options.targets();
        const captured = [...targets.keys()];
        const plan = await options.floor.look((from) => planAll(transaction, captured, from, MAX_CHANGES));
        if (plan.transactions === undefined) return undefined;
        const moved = await moveTransactions(transaction, plan.transactions, { targets, epochOf: options.epochOf });
        // A capture without a target on this node waits for one that has it. (The floor learns nothing: what was moved may come back.)
        if ((await whatWaits(options, transaction, captures)).waiting) return { moved };
        working = true;
        return { moved, done: { result: await work(transaction) } };
      },
      { isolation: 'repeatable read' },
    );
    if (done !== undefined) options.onMoved(done.moved);
    return done?.done;
  } catch (error) {
    if (!working && stoodInTheWay(error)) return undefined;
    if (!working && error instanceof UnreadableChange) {
      options.onUnreadable(error);
      return undefined;
    }
    throw error;
  }
}

/** Somebody else changed a topic's row since the snapshot (retention does), or held a lock: the next attempt may succeed. */
function stoodInTheWay(error: unknown): boolean {
  if (!(error instanceof StoreUnavailable)) return false;
  const state = sqlState(error.cause);
  return state === '40001' || state === '40P01' || state === '55P03';
}
