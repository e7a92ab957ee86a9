/**
 * The relay: moves changes from the outbox (`sluice.changes`, filled by triggers) into the log.
 *
 * **Exactly once.** A change leaves the outbox in the transaction that appends it to its topic.
 * **Order.** A transaction's changes stand together in each topic; a transaction that could have seen another's commit stands
 * after it; changes of one row stand in the order in which they were made. Nothing is passed over, however late it becomes visible
 * (`relay-plan.ts`).
 * **One at a time.** Of all relays on a database one moves, by a lease (`relay-lease.ts`); when it dies, another takes over within
 * 5 seconds. A relay without targets never takes the lease.
 * **Waking.** The relay looks every few milliseconds for a second after it last found something. Then it tells writers that it sleeps, so
 * that they hint by NOTIFY (`sluice_capture`), and looks more and more seldom, at least every 250 ms: a lost hint costs no more.
 * **Limits.** A move takes at most about 5,000 changes, or one larger transaction, in pieces of 1,000 or 1 MiB.
 * **Faults.** While the database is away, the relay tries again with growing pauses, for ever. A change of which its target
 * cannot make events is logged, and the changes of its table wait from there on, because to pass over it would be to lose it; those of
 * other tables go on. Changes of captured tables that have no
 * target here stay where they are, and are counted in the log about once a minute; those of tables that are no longer captured are
 * deleted.
 */
import type { MovedBatch } from '../broker/local-broker.ts';
import type { Transaction } from '../store/postgres/database.ts';
import type { PostgresStore } from '../store/postgres/postgres-store.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { RelayTargets } from './change.ts';
import { HeldCaptures } from './held-captures.ts';
import { drained } from './relay-drain.ts';
import { OutboxFloor } from './relay-floor.ts';
import { RENEW_MS, RelayLease } from './relay-lease.ts';
import { type Moved, moveTransactions } from './relay-move.ts';
import { planMove, toPortions, type WaitingTransaction } from './relay-plan.ts';
import { RelayRest } from './relay-rest.ts';
import { sweepOutbox } from './relay-sweep.ts';
import { UnreadableChange } from './unreadable-change.ts';

/** Where the relay writes its log. */
export interface RelayLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface RelayOptions {
  readonly store: PostgresStore;
  /** Asked before every move. A target that joins gets what waits for it already. */
  readonly targets: () => RelayTargets;
  /** The node's name, for people who look at `sluice.relay`. */
  readonly node: string;
  readonly log: RelayLog;
  /**
   * Told after the commit what was appended to a topic, in the order of the topic as far as this node moved it. Where other events lie
   * between two calls, or not all of a large transaction is handed over, `first` shows a hole: the log has what is missing. Must not throw.
   */
  readonly onMoved: (topic: string, batch: MovedBatch) => void;
  /** Has `hint` called at each NOTIFY on `sluice_capture`; answers with what ends that. Absent: the relay only looks. */
  readonly listen?: ((hint: () => void) => () => void) | undefined;
  /**
   * Told whenever there is nothing to do for now: nothing was found, and nobody has kicked it since it looked; or nothing could be done for a
   * while after the last kick, because another relay is active or the database is away.
   */
  readonly onRest?: (() => void) | undefined;
  /** For so long after it last found something it looks without a rest, in ms. 1,000 unless told: less where each look costs more. */
  readonly busyMs?: number | undefined;
  /** Milliseconds on a clock that only goes forward. */
  readonly clock?: () => number;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

export interface Relay {
  /** Begins to work; again, after it was stopped. */
  start(): void;
  /** Somebody on this node has written: the relay looks at once. */
  kick(): void;
  /** Whether this relay is the active one, as far as it knows. */
  readonly active: boolean;
  /**
   * Runs `work` in a REPEATABLE READ transaction in whose snapshot no change of the captures waits in the outbox: the tables are there as
   * the log's end, read in the same transaction, says. It may move changes for that, and works whether this relay is active or not.
   * `work` asks only its transaction, and may end with `SET LOCAL ROLE`. It is run at most once.
   * @throws StoreUnavailable when the database is away, or more waits than the relay moves in 5 seconds; what `work` throws
   */
  drained<Result>(captures: readonly number[], work: (transaction: Transaction) => Promise<Result>): Promise<Result>;
  /** Ends after the move under way, and lets another relay begin at once. What is `drained` still is. */
  stop(): Promise<void>;
}

const TRY_LEASE_MS = 500;
/** For so long after a kick it is tried to do something about it, in ms: longer than a relay that is gone keeps its lease. */
const PATIENCE_MS = 4000;
const BUSY_MS = 1000;
/**
 * Where changes come in a crowd, they are let gather for so long, in ms: each move costs the database as much for one as for ten. Below
 * `FEW` changes a move they are too seldom for it to pay, and from `MANY` on there is a backlog.
 */
const GATHER_MS = 4;
const FEW = 8;
const MANY = 500;
const FIRST_NAP_MS = 10;
const LAST_NAP_MS = 250;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;
const SWEEP_MS = 60_000;
/** Pause between marks of a relay that is not active, each of which costs the database a transaction number. */
const IDLE_MARK_MS = 1000;

export function createRelay(options: RelayOptions): Relay {
  const { store, log, clock = () => performance.now(), random = Math.random, busyMs = BUSY_MS } = options;
  const onRest = () => {
    // Who was kicked meanwhile has something to look for.
    if (!stopped && !rest.kicked) options.onRest?.();
  };
  const onHindered = () => {
    if (clock() - woken >= PATIENCE_MS) onRest();
  };
  const { database, epochOf } = store;
  const lease = new RelayLease(database, `${options.node} ${crypto.randomUUID()}`);
  const floor = new OutboxFloor(database, clock);
  const held = new HeldCaptures(clock);
  const rest = new RelayRest();
  let known = '';
  let renewed = 0;
  let swept = Number.NEGATIVE_INFINITY;
  let found = Number.NEGATIVE_INFINITY;
  /** When it was started or kicked last. */
  let woken = Number.NEGATIVE_INFINITY;
  let napMs = FIRST_NAP_MS;
  let stopped = true;
  let running: Promise<void> = Promise.resolve();
  let endListening: (() => void) | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  /** Lets the moves of this node go one after the other: their commits are then told in order. */
  function alone<Result>(move: () => Promise<Result>): Promise<Result> {
    const result = turn.then(move);
    // A failure is its own caller's to hear, who has `result`; the next only waits for the end.
    turn = result.catch(() => undefined);
    return result;
  }

  function tell({ changes, batches }: Moved): void {
    floor.moved(changes);
    for (const { topic, batch } of batches) options.onMoved(topic, batch);
  }

  /** The targets of now. When they are others than before, all of the outbox has to be looked at again. */
  function currentTargets(): RelayTargets {
    const targets = new Map([...options.targets()].filter(([capture]) => !held.has(capture)));
    const names = [...targets.keys()].toSorted((a, b) => a - b).join();
    if (names !== known) floor.reset();
    known = names;
    return targets;
  }

  /** One look at the outbox, and the moves that come of it. @returns how many changes were moved */
  async function step(targets: RelayTargets): Promise<number> {
    const captures = [...targets.keys()];
    const { transactions, next, snapshot } = await floor.look((from) => planMove(database, captures, from));
    let sum = 0;
    for (const portion of toPortions(transactions)) {
      const moved = await alone(() => move(targets, portion));
      // Not all that the plan saw was moved: so it says nothing about the floor.
      if (moved === undefined || stopped) return sum;
      sum += moved.changes;
    }
    held.moved(captures);
    floor.passed(snapshot, next - 1);
    await floor.mark();
    return sum;
  }

  /** @returns undefined when the lease was lost */
  async function move(targets: RelayTargets, waiting: readonly WaitingTransaction[]): Promise<Moved | undefined> {
    const begun = clock();
    const moved = await database.transaction(async (transaction) => {
      if (!(await lease.hold(transaction))) return undefined;
      const done = await moveTransactions(transaction, waiting, { targets, epochOf });
      if (clock() - begun > RENEW_MS) await lease.renew(false, transaction);
      return done;
    });
    if (moved !== undefined) tell(moved);
    return moved;
  }

  /** @returns how many ms to rest */
  async function work(): Promise<number> {
    const targets = currentTargets();
    if (targets.size === 0) {
      await lease.giveUp();
      onRest();
      return LAST_NAP_MS;
    }
    if (!lease.held) {
      if (!(await lease.take())) {
        onHindered();
        return TRY_LEASE_MS * (0.75 + random() / 2);
      }
      log.info({}, 'relay is the active one');
      floor.reset();
      renewed = clock();
      found = clock();
    }
    if (clock() - swept >= SWEEP_MS) {
      swept = clock();
      floor.reset();
      await sweepOutbox(database, [...targets.keys()], log);
    }
    if (clock() - renewed >= RENEW_MS) {
      renewed = clock();
      if (!(await lease.renew(lease.asleep))) return lost();
    }
    const moved = await step(targets);
    if (!lease.held) return lost();
    if (moved > 0) {
      found = clock();
      napMs = FIRST_NAP_MS;
      return moved >= FEW && moved < MANY ? GATHER_MS : 0;
    }
    if (clock() - found < busyMs) return 2 + random() * 3;
    if (!lease.asleep) {
      // Whoever did not see that yet, did not hint: so look once more.
      if (!(await lease.renew(true))) return lost();
      renewed = clock();
      return 0;
    }
    napMs = Math.min(napMs * 1.5, LAST_NAP_MS);
    onRest();
    return napMs;
  }

  function lost(): number {
    log.warn({}, 'relay lost its lease to another');
    return TRY_LEASE_MS;
  }

  async function run(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (!stopped) {
      try {
        const restMs = await work();
        retryMs = FIRST_RETRY_MS;
        await rest.light(restMs);
      } catch (error) {
        floor.reset();
        lease.doubt();
        if (error instanceof UnreadableChange) {
          setAside(error);
          continue;
        }
        if (error instanceof StoreUnavailable) log.warn({ retryMs }, 'relay cannot reach the database');
        else log.error({ error, retryMs }, 'relay cannot go on');
        onHindered();
        await rest.deep(retryMs * (0.5 + random() / 2));
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
    await lease.giveUp().catch(() => log.warn({}, 'relay could not give up its lease, which ends by itself'));
  }

  function setAside(error: UnreadableChange): void {
    const { capture } = error;
    log.error({ error, capture, retryMs: held.hold(capture) }, 'a change cannot be read, and its table waits');
  }

  function kick(): void {
    woken = clock();
    // A relay that does not hold the lease only waits for it.
    if (lease.held) rest.kick();
  }

  /** What a look for a snapshot learns. The active relay takes its own marks as it moves; where nothing is moved, they are taken here. */
  function onEmpty(snapshot: string): void {
    floor.passed(snapshot, Number.POSITIVE_INFINITY);
    if (!lease.held) floor.mark({ atMostEveryMs: IDLE_MARK_MS }).catch(() => floor.reset());
  }

  const drain = {
    database,
    targets: currentTargets,
    epochOf,
    clock,
    random,
    kick,
    alone,
    onMoved: tell,
    floor,
    onEmpty,
    onUnreadable: setAside,
  };

  return {
    start() {
      if (!stopped) return;
      stopped = false;
      woken = clock();
      rest.begin();
      running = running.then(run);
      endListening ??= options.listen?.(kick);
    },
    kick,
    get active() {
      return lease.held;
    },
    drained: (captures, work) => drained(drain, captures, work),
    async stop() {
      stopped = true;
      endListening?.();
      endListening = undefined;
      rest.end();
      await running;
      await turn;
    },
  };
}
