/** Connections to a Postgres server, over postgres.js. */
import postgres from 'postgres';
import { StoreUnavailable } from '../store.ts';
import {
  classify,
  type Database,
  type Parameter,
  type QueryOptions,
  type Transaction,
  type TransactionOptions,
  within,
} from './database.ts';

export interface PoolOptions {
  readonly url: string;
  /** Connections at most; at least 2. 10 unless told. */
  readonly connections?: number;
  /** Milliseconds that a statement may take before its caller is told that the database is unavailable. 5,000 unless told. */
  readonly timeoutMs?: number;
  /** Seconds after which a connection that nobody uses is closed. 60 unless told. */
  readonly idleSeconds?: number;
  /**
   * Whether statements are kept prepared by their connection, where they do not vary, and may follow each other on it without waiting for
   * answers. They are unless told: behind a pool that gives out connections by transaction, neither may be.
   */
  readonly prepare?: boolean;
  /** Dials, in place of postgres.js: see its option `socket`. */
  readonly socket?: ((address: never) => unknown) | undefined;
}

/** A database over connections that are opened as they are needed, and the driver itself. */
export interface PostgresPool extends Database {
  readonly sql: () => postgres.Sql;
}

/** Milliseconds that a pool which is given up has to answer what it was asked before. */
const RETIRE_MS = 5000;

/** Arrays of the types that are used here, by the numbers that Postgres gives to them. */
const ARRAYS = Object.fromEntries(
  Object.entries({
    bool: 1000,
    char: 1002,
    name: 1003,
    int2: 1005,
    int4: 1007,
    text: 1009,
    varchar: 1015,
    int8: 1016,
    oid: 1028,
  }).map(([name, oid]) => [`${name}_array`, { to: oid, from: [oid], serialize: writeArray, parse: readArray(name) }]),
);

function writeArray(values: readonly (string | number | null)[]): string {
  const elements = values.map((value) => (value === null ? 'NULL' : `"${String(value).replace(/["\\]/g, '\\$&')}"`));
  return `{${elements.join(',')}}`;
}

/** Reads arrays of one dimension. */
function readArray(type: string): (text: string) => readonly unknown[] {
  const read = /^(?:int|oid)/.test(type)
    ? Number
    : type === 'bool'
      ? (text: string) => text === 't'
      : (text: string) => text;
  return (text) =>
    Array.from(text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/gs), ([, quoted, plain]) =>
      plain === 'NULL' ? null : read(plain ?? quoted?.replace(/\\(.)/gs, '$1') ?? ''),
    );
}

/**
 * Has a statement be alone on its connection until it is answered: the driver asks this of what it has written, as it does for its own `begin`. It
 * would send the question of the next statement after it at once, and ask for the answer without ending its turn; a pool that sees the
 * first one's turn end gives the connection to another, who then gets that answer.
 */
const ALONE: object = { onexecute: () => false };

/**
 * The rows of an answer. The driver counts on from those that came before a connection was lost in the middle of an answer, so that the first
 * answer on its successor begins with holes.
 */
function whole<Row>(rows: readonly Row[]): readonly Row[] {
  return rows.length > 0 && !(0 in rows) ? rows.filter(() => true) : rows;
}

interface Pool {
  readonly sql: postgres.Sql;
  /** When it last answered, on the monotonic clock; `undefined` before the first answer. */
  answered: number | undefined;
}

/**
 * Makes the pool. Nothing is dialled before the first statement.
 *
 * A line that has died without a word (a database that was moved, a firewall that forgot) takes the kernel a quarter of an
 * hour to notice. So when a pool that has answered before leaves a statement without an answer for `timeoutMs`, and no other
 * was answered meanwhile, it is given up and its successor connects anew.
 */
export function openPostgresPool(options: PoolOptions): PostgresPool {
  const { timeoutMs = 5000, prepare = true } = options;
  let losses = 0;
  const onLoss = () => {
    losses += 1;
  };
  let pool = openPool(options, onLoss);
  const retiring = new Set<Promise<void>>();

  async function query<Row>(
    text: string,
    parameters: readonly Parameter[] = [],
    { varies = false }: QueryOptions = {},
  ): Promise<readonly Row[]> {
    const used = pool;
    const begun = performance.now();
    try {
      const rows = used.sql.unsafe(text, parameters as postgres.ParameterOrJSON<never>[], {
        prepare: prepare && !varies,
        ...(!prepare && ALONE),
      });
      const answer = (await within(timeoutMs, rows)) as unknown as readonly Row[];
      used.answered = performance.now();
      return whole(answer);
    } catch (error) {
      // The driver's own errors are of other classes: this one is the time-out.
      if (error instanceof StoreUnavailable && used.answered !== undefined && used.answered <= begun) retire(used);
      throw classify(error);
    }
  }

  // When a connection is lost, nothing more may be sent on it, not even the rollback: the driver would write to a socket that is no
  // longer there, from a callback where nobody can catch it. A transaction that never ends sends none.
  function transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    { isolation = 'read committed' }: TransactionOptions = {},
  ): Promise<Result> {
    const used = pool;
    let lost = false;
    let late: ReturnType<typeof setTimeout> | undefined;
    return new Promise<Result>((resolve, reject) => {
      const fail = (error: unknown) => {
        clearTimeout(late);
        lost = true;
        reject(classify(error));
      };
      // The driver's own statements are to be answered in time, too: that it begins, and that it is committed.
      const expectAnswer = () => {
        const since = performance.now();
        late = setTimeout(() => {
          if (used.answered !== undefined && used.answered <= since) retire(used);
          fail(new StoreUnavailable('the database did not answer in time'));
        }, timeoutMs);
      };
      expectAnswer();
      used.sql
        .begin(`isolation level ${isolation}`, async (sql) => {
          clearTimeout(late);
          // Nobody waits for it any more, and it has just been answered: it can be undone.
          if (lost) throw new StoreUnavailable('the transaction has begun too late');
          try {
            const result = await work({
              async query(text, parameters = [], { varies = false } = {}) {
                if (lost) throw new StoreUnavailable('the connection of the transaction was lost');
                const begun = performance.now();
                try {
                  const rows = sql.unsafe(text, parameters as postgres.ParameterOrJSON<never>[], {
                    prepare: prepare && !varies,
                  });
                  const answer = await within(timeoutMs, rows);
                  used.answered = performance.now();
                  return whole(answer as never);
                } catch (error) {
                  if (isConnectionLoss(error)) fail(error);
                  if (error instanceof StoreUnavailable && used.answered !== undefined && used.answered <= begun)
                    retire(used);
                  throw error;
                }
              },
            });
            if (!lost) {
              expectAnswer();
              return result;
            }
          } catch (error) {
            if (!lost) {
              expectAnswer();
              throw error;
            }
          }
          return new Promise<never>(() => {});
        })
        .then((result) => {
          clearTimeout(late);
          resolve(result as Result);
        }, fail);
    });
  }

  function retire(silent: Pool): void {
    if (silent !== pool) return;
    pool = openPool(options, onLoss);
    const retired = silent.sql.end({ timeout: RETIRE_MS / 1000 }).finally(() => retiring.delete(retired));
    retiring.add(retired);
  }

  async function close(): Promise<void> {
    await Promise.all([pool.sql.end({ timeout: 2 }), ...retiring]);
  }

  return { lanes: 4, query, transaction, losses: () => losses, close, sql: () => pool.sql };
}

/** The codes of postgres.js, and of the socket, for a connection that is gone. */
function isConnectionLoss(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return code.startsWith('CONNECTION_') || code === 'ECONNRESET' || code === 'EPIPE' || /^57P0|^25P03/.test(code);
}

function openPool(
  { url, connections = 10, idleSeconds = 60, prepare = true, socket }: PoolOptions,
  onLoss: () => void,
): Pool {
  const sql = postgres(url, {
    // Bringing the schema up to date takes two.
    max: Math.max(2, connections),
    connect_timeout: 3,
    // A database that comes back is found within a second, however long it was away.
    backoff: (attempt: number) => Math.min(0.1 * 2 ** attempt, 1),
    idle_timeout: idleSeconds,
    // The driver's own statements, such as `commit`, go by this.
    prepare,
    onnotice: () => undefined,
    onclose: onLoss,
    connection: { application_name: 'sluice' },
    // int8 holds seqs and milliseconds, all below 2^53.
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number }, ...ARRAYS },
    // The driver would ask each new connection for these, and nobody could catch it when the connection is lost meanwhile.
    fetch_types: false,
    // The driver takes this option, but its types do not name it.
    ...(socket && ({ socket } as object)),
  });
  return { sql, answered: undefined };
}
