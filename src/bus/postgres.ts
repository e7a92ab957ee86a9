/**
 * The bus over Postgres: NOTIFY says, LISTEN hears, on one session of its own.
 *
 * **Sending.** While one statement is in flight the next signals gather and merge in a bounded queue
 * (`send-queue.ts`); one statement carries many notifications, and a long signal several frames of one (`frames.ts`).
 * A statement whose outcome is unknown has its hints said again, which may make them arrive twice and does no harm; the
 * rest of it is dropped.
 * **Outages.** The session is opened again with a growing, jittered pause, for ever. When it listens again, `resumed`
 * is called: also the first time, because what was said before was not heard. A session that is silent is probed, so
 * that a line that died without a word is noticed within {@link PROBE_MS} + {@link STATEMENT_MS}.
 * **Poolers.** LISTEN needs a session: behind a pooler in transaction mode nothing is heard, and all rests on the tail
 * checks.
 * **Company.** A node that is alone on its channel says nothing, which saves it about half of what a publish costs. Each
 * session holds a shared advisory lock, so that the sessions can be counted: every {@link PROBE_MS}, and whoever comes says
 * so at once. Until it has counted, and whenever it hears anybody, a node has company.
 */
import postgres from 'postgres';
import type { Bus } from './bus.ts';
import { createAssembler, toFrames } from './frames.ts';
import { createListeners } from './listeners.ts';
import { createSendQueue, type Outgoing } from './send-queue.ts';
import { decodeSignal, NODE_NAME } from './signal.ts';

/** A session is asked who is there after so many milliseconds, which is also its sign of life. */
export const PROBE_MS = 15_000;
/** A session that does not open, or a statement that does not answer, in so many milliseconds is given up. */
export const STATEMENT_MS = 5_000;
/** How long `close` waits for what was sent before it, in milliseconds. */
export const CLOSE_MS = 500;
/** Pauses between attempts to open a session, in milliseconds: doubling from the first to the last. */
const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 2_000;
/** About how many characters of signals one statement carries. */
const STATEMENT_LENGTH = 256 * 1024;

/** What the bus asks of postgres.js, to be passed on whole. */
export type SessionOptions = postgres.Options<Record<string, never>> & {
  // postgres.js takes this option but does not declare it; its own `listen` is made with it, and hides that a session
  // was cut.
  readonly onnotify: (channel: string, payload: string) => void;
  // Documented, and not declared either.
  readonly socket?: ((address: never) => unknown) | undefined;
};

export interface PostgresBusOptions {
  /** A connection string, or a function that makes a postgres.js client of the options given. */
  readonly database: string | ((options: SessionOptions) => postgres.Sql);
  /** Dials, in place of postgres.js: see its option `socket`. */
  readonly socket?: ((address: never) => unknown) | undefined;
  /** This node's name, unique among the nodes: see {@link NODE_NAME}. */
  readonly node: string;
  /** The notification channel, for several systems in one database. `sluice` unless told. */
  readonly channelName?: string | undefined;
  readonly log?: BusLog | undefined;
  /** Milliseconds of a clock that does not jump. */
  readonly now?: (() => number) | undefined;
  /** 0 to 1, for the jitter of pauses. */
  readonly random?: (() => number) | undefined;
  /** {@link PROBE_MS} unless told. */
  readonly probeMs?: number | undefined;
  /** {@link STATEMENT_MS} unless told. */
  readonly statementMs?: number | undefined;
}

export interface BusLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

/** Totals since the start. */
export interface PostgresBusCounts {
  /** Statements that carried notifications. */
  readonly statements: number;
  /** Signals that were not sent because no other node was there. */
  readonly unsaid: number;
  /** Signals not sent: the queue was full, they were too late or too long, or their statement failed. */
  readonly dropped: number;
  /** Notifications that were not ours to read. */
  readonly malformed: number;
  /** Signals of which a part was lost. */
  readonly incomplete: number;
}

export interface PostgresBus extends Bus {
  readonly counts: PostgresBusCounts;
  /** Has `hint` called when somebody says that a captured table was written to; answers with what ends that. */
  captureHints(hint: () => void): () => void;
}

/** On which the triggers of captured tables say that something waits. */
const CAPTURE_CHANNEL = 'sluice_capture';

interface Session {
  readonly sql: postgres.Sql;
  isCut: boolean;
}

/** What a node says when it comes. Heard by the buses alone. */
const HELLO = 'hello';

/** How many sessions, of this and other nodes, hold the lock that this one holds; 0 when it holds none. */
const COUNT = `
  select count(*)::int as sessions from pg_locks others
  join pg_locks mine using (locktype, database, classid, objid, objsubid)
  where mine.locktype = 'advisory' and mine.pid = pg_backend_pid() and others.granted`;

/** Opens the bus. It answers at once, and connects on its own. Throws `RangeError` when a name is not legal. */
export function createPostgresBus(options: PostgresBusOptions): PostgresBus {
  const { database, node, channelName = 'sluice', log, probeMs = PROBE_MS, statementMs = STATEMENT_MS } = options;
  const { now = () => performance.now(), random = Math.random } = options;
  if (!NODE_NAME.test(node)) throw new RangeError(`not a node name: ${node}`);
  // Postgres cuts longer names off, and the listening side would then wait for another one.
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(channelName)) throw new RangeError(`not a channel name: ${channelName}`);

  const opening = `
    set synchronous_commit to off;
    listen "${channelName}";
    listen "${CAPTURE_CHANNEL}";
    select pg_try_advisory_lock_shared(hashtextextended('sluice bus ${channelName}', 0))`;
  const hints = new Set<() => void>();
  const listeners = createListeners();
  const queue = createSendQueue(now);
  const assembler = createAssembler(node, now, (from, text) => {
    heard += 1;
    alone = false;
    if (text === HELLO) return true;
    const signal = decodeSignal(text);
    if (signal !== undefined) listeners.receive({ from, signal });
    return signal !== undefined;
  });
  let number = 0;
  let statements = 0;
  let tooLong = 0;
  let unsaid = 0;
  /** Whether no other node listens, as far as is known; and how many signals of others were heard. */
  let alone = false;
  let heard = 0;
  let connected = false;
  let closed = false;
  let current: Session | undefined;
  /** Ends the wait that the loop is in, if it is in one. */
  let wake = () => {};

  function open(): Session {
    const sessionOptions: SessionOptions = {
      ...(options.socket !== undefined && { socket: options.socket }),
      max: 1,
      fetch_types: false,
      idle_timeout: 0,
      max_lifetime: null,
      // Seconds. The statement that opens the session has its own limit; this ends the socket itself.
      connect_timeout: Math.ceil(statementMs / 1000),
      connection: { application_name: `sluice bus ${node}`.slice(0, 63) },
      // The only notices are about statements of this file, and tell nothing.
      onnotice: () => {},
      onclose: () => {
        session.isCut = true;
        if (current === session) wake();
      },
      onnotify: (channel, payload) => {
        if (closed) return;
        if (channel === channelName) assembler.push(payload);
        else if (channel === CAPTURE_CHANNEL) for (const hint of hints) hint();
      },
    };
    const sql = typeof database === 'string' ? postgres(database, sessionOptions) : database(sessionOptions);
    const session: Session = { sql, isCut: false };
    return session;
  }

  /** Sends until the session is cut (throws), or the bus is closed and nothing waits. */
  async function pump(session: Session): Promise<void> {
    let asked = Number.NEGATIVE_INFINITY;
    for (;;) {
      if (session.isCut) throw new Error('the session was cut');
      const rest = asked + probeMs - performance.now();
      if (rest <= 0 && !closed) {
        asked = performance.now();
        await lookAround(session);
      } else if (!queue.empty) {
        const batch = queue.take(STATEMENT_LENGTH);
        try {
          await notify(session, batch);
        } catch (error) {
          queue.putBack(batch);
          throw error;
        }
      } else if (closed) return;
      else await nap(rest);
    }
  }

  /** Counts the sessions. Whoever comes after the count was taken says so, and is heard. */
  async function lookAround(session: Session): Promise<void> {
    const before = heard;
    const [row] = await answer(session, session.sql.unsafe<{ sessions: number }[]>(COUNT));
    alone = row?.sessions === 1 && heard === before;
  }

  /** Waits to be woken, or until so many milliseconds are over. */
  function nap(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function notify(session: Session, batch: readonly Outgoing[]): Promise<void> {
    const frames: string[] = [];
    for (const { text } of batch) {
      number += 1;
      const parts = toFrames(node, number, text);
      if (parts === undefined) tooLong += 1;
      else frames.push(...parts);
    }
    if (frames.length === 0) return;
    statements += 1;
    await say(session, frames);
  }

  async function say(session: Session, frames: readonly string[]): Promise<void> {
    // As JSON, because an array parameter would first need a query for the types of the database.
    const list = JSON.stringify(frames);
    await answer(
      session,
      session.sql`select pg_notify(${channelName}, frame) from json_array_elements_text(${list}::text::json) as frame`,
    );
  }

  /**
   * Waits for a statement; throws when it fails, takes too long, or may have run on another session than the one that
   * listens.
   */
  async function answer<Answer>(session: Session, statement: PromiseLike<Answer>): Promise<Answer> {
    if ((await within(statement, statementMs)) === 'late') throw new Error('the database did not answer in time');
    if (session.isCut) throw new Error('the session was cut');
    return statement;
  }

  async function run(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!closed) {
      const session = open();
      current = session;
      try {
        // A notification needs no flush to disk: it does not outlive a crash anyhow.
        await answer(session, session.sql.unsafe(opening));
        number += 1;
        await say(session, toFrames(node, number, HELLO) ?? []);
        pauseMs = FIRST_PAUSE_MS;
        connected = true;
        log?.info({}, 'bus listens');
        listeners.resumed();
        await pump(session);
      } catch (error) {
        if (!closed) log?.warn({ error: reason(error), retryMs: pauseMs }, 'bus is cut off');
      }
      connected = false;
      alone = false;
      current = undefined;
      assembler.reset();
      await end(session);
      if (closed) return;
      // Only `close` ends this one early: what is sent meanwhile waits in the queue.
      await nap(pauseMs * (0.5 + random() / 2));
      pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS);
    }
  }

  async function end({ sql }: Session): Promise<void> {
    try {
      await within(sql.end({ timeout: 0.1 }), 300);
    } catch (error) {
      log?.warn({ error: reason(error) }, 'bus session did not end cleanly');
    }
  }

  const done = run();

  return {
    send(signal) {
      if (closed) return;
      if (alone) {
        unsaid += 1;
        return;
      }
      queue.push(signal);
      if (connected) wake();
    },
    listen: listeners.add,
    captureHints(hint) {
      hints.add(hint);
      return () => void hints.delete(hint);
    },
    get connected() {
      return connected;
    },
    counts: {
      get statements() {
        return statements;
      },
      get dropped() {
        return queue.dropped + tooLong;
      },
      get unsaid() {
        return unsaid;
      },
      get malformed() {
        return assembler.malformed;
      },
      get incomplete() {
        return assembler.incomplete;
      },
    },
    async close() {
      closed = true;
      wake();
      if ((await within(done, CLOSE_MS)) === 'late' && current !== undefined) await end(current);
    },
  };
}

/** Waits for the promise, but no longer than so many milliseconds. */
async function within(promise: PromiseLike<unknown>, ms: number): Promise<'settled' | 'late'> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, ms, 'late');
  });
  try {
    return await Promise.race([promise.then(() => 'settled' as const), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What may be logged of a failure: driver errors carry statements and parameters too. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? `${error.code}: ${error.message}` : error.message;
}
