/**
 * Which log this is: the text from which all epochs are made.
 *
 * A log that was restored from a backup holds the same rows as it once did, and would go on to give the same seqs to other
 * events. So beside the identity the log keeps the place it lives in: the cluster, its timeline, the database and the table. A
 * restored copy finds itself in another place, and takes a new identity, by which every older cursor is recognised. (A copy of
 * the files of a stopped cluster, put back later, is in the same place: `docs/guides/deployment.md` says what to do then.)
 *
 * A database can only be put back while nobody is connected, so the place is looked at when connecting, and again after a
 * connection was lost. Behind a pool that hides lost connections it is looked at again and again instead. A new identity that another node
 * gave is noticed by `refresh`.
 */
import { StoreUnavailable } from '../store.ts';
import type { Database } from './database.ts';

/** Where the log lives, from the widest to the narrowest. The current timeline is the first part of a WAL file's name. */
const DATABASE = `(SELECT oid FROM pg_database WHERE datname = current_database()), 'sluice.meta'::regclass::oid`;
const PLACE = `concat_ws('/',
  (SELECT system_identifier FROM pg_control_system()), substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), ${DATABASE})`;
/** For roles that may not ask about the cluster. */
const NARROW_PLACE = `concat_ws('/', ${DATABASE})`;

const NAME = 'log';
const READ = 'SELECT value FROM sluice.meta WHERE name = $1';
const BEGIN = 'INSERT INTO sluice.meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING';
const RENEW = 'UPDATE sluice.meta SET value = $2 WHERE name = $1 AND value = $3';

/** An identity as it is remembered beyond a connection. */
export interface RememberedIdentity {
  id: string;
  /** When it was confirmed, ms since 1970; 0 when it never was. */
  confirmed: number;
}

/** How long an identity is believed without another look, where nobody would hear of a lost connection, in ms. */
const BELIEVED_MS = 5000;

export class LogIdentity {
  readonly #database: Database;
  readonly #remembered: RememberedIdentity | undefined;
  #id = '';
  #suspect = true;
  #losses = 0;
  #looking: Promise<void> | undefined;

  private constructor(database: Database, remembered?: RememberedIdentity) {
    this.#database = database;
    this.#remembered = remembered;
  }

  /** @throws StoreUnavailable */
  static async of(database: Database): Promise<LogIdentity> {
    const identity = new LogIdentity(database);
    await identity.#confirm();
    return identity;
  }

  /**
   * An identity that is confirmed with the first statement, unless it was confirmed shortly before, and from then on every few seconds: for
   * a database behind a pool that hides lost connections.
   * @param remembered brought up to date with each look
   */
  static remembered(database: Database, remembered: RememberedIdentity): LogIdentity {
    return new LogIdentity(database, remembered);
  }

  /** The identity as it was when it was last confirmed. */
  get id(): string {
    // Another that shares it may have looked since.
    return this.#remembered?.id ?? this.#id;
  }

  /** The database, such that a failure to reach it makes the identity doubtful, and no statement runs before the doubt is gone. */
  get database(): Database {
    const { lanes, query, transaction, tidy, losses, close } = this.#database;
    const certain = async <Result>(ask: () => Promise<Result>): Promise<Result> => {
      try {
        const believed = this.#remembered;
        if (believed !== undefined) this.#suspect = Date.now() - believed.confirmed >= BELIEVED_MS;
        else if (losses !== undefined && losses() !== this.#losses) this.#suspect = true;
        if (this.#suspect || this.#looking !== undefined) await this.#confirm();
        return await ask();
      } catch (error) {
        if (error instanceof StoreUnavailable) {
          this.#suspect = true;
          if (this.#remembered !== undefined) this.#remembered.confirmed = 0;
        }
        throw error;
      }
    };
    return {
      lanes,
      close,
      ...(tidy && { tidy }),
      query: (text, parameters, options) => certain(() => query(text, parameters, options)),
      transaction: (work, options) => certain(() => transaction(work, options)),
    };
  }

  #confirm(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Takes over the identity if another node gave the log a new one. @throws StoreUnavailable */
  async refresh(): Promise<void> {
    const [row] = await this.#database.query<{ readonly value: string }>(READ, [NAME]);
    const [id] = row?.value.split(' ') ?? [];
    if (id !== undefined && id !== this.#id) await this.#confirm();
  }

  async #look(): Promise<void> {
    this.#suspect = false;
    this.#losses = this.#database.losses?.() ?? 0;
    try {
      const place = await this.#place();
      for (;;) {
        const [row] = await this.#database.query<{ readonly value: string }>(READ, [NAME]);
        const fresh = `${crypto.randomUUID()} ${place}`;
        if (row === undefined) await this.#database.query(BEGIN, [NAME, fresh]);
        else {
          const [id = '', kept = ''] = row.value.split(' ');
          this.#id = id;
          if (isSamePlace(kept, place)) {
            if (this.#remembered !== undefined) Object.assign(this.#remembered, { id, confirmed: Date.now() });
            return;
          }
          await this.#database.query(RENEW, [NAME, fresh, row.value]);
        }
      }
    } catch (error) {
      this.#suspect = true;
      throw error;
    }
  }

  async #place(): Promise<string> {
    const ask = async (expression: string) => {
      const [row] = await this.#database.query<{ readonly place: string }>(`SELECT ${expression} AS place`);
      return row?.place ?? '';
    };
    try {
      return await ask(PLACE);
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      return ask(NARROW_PLACE);
    }
  }
}

/** A role that may ask less knows a part of the same place. */
function isSamePlace(a: string, b: string): boolean {
  return a === b || a.endsWith(`/${b}`) || b.endsWith(`/${a}`);
}
