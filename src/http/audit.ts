/**
 * Noting who reads what, beside the requests and never in their way: a reading costs them an object in a queue.
 *
 * The queue is written about once a second, or when 500 entries wait, one batch at a time. While the store is away it is kept and
 * written later. It holds at most 10,000 entries and ends; beyond that the oldest go, and an entry `lost` says how many and
 * from when to when. A crash loses what waits, at most about a second of it while the store is there.
 */
import type { Principal } from '../auth/principal.ts';
import type { Access, AccessEnd, AccessKind, AuditStore } from '../store/audit-store.ts';
import { StoreUnavailable } from '../store/store.ts';

/** What is noted: nothing, readings of collections, or those of all topics. */
export const AUDIT_SCOPES = ['none', 'collections', 'all'] as const;
export type AuditScope = (typeof AUDIT_SCOPES)[number];

/** Who reads, and by which request. */
export interface AuditReader {
  readonly principal: Principal;
  readonly address: string | undefined;
  readonly request: string | undefined;
}

/** What is read. */
export interface AuditedAccess {
  readonly kind: Exclude<AccessKind, 'lost'>;
  readonly name: string;
  readonly key?: string | undefined;
}

export interface Audit {
  /**
   * Notes that a reading begins.
   * @returns says that it has ended; may be called again, and changes nothing then. `undefined` where nothing is noted
   */
  begin(reader: AuditReader, access: AuditedAccess): (() => void) | undefined;
  /** Notes a reading that has ended. @param since when it began, ms since 1970; now unless told */
  note(reader: AuditReader, access: AuditedAccess, since?: number): void;
  /** Forgets what is older than 90 days. @throws StoreUnavailable */
  prune(): Promise<void>;
  /** Writes what waits, if the store is there, and nothing more after that. */
  close(): Promise<void>;
}

export interface AuditOptions {
  /** Absent where the store keeps none: then nothing is noted. */
  readonly store: AuditStore | undefined;
  readonly scope: AuditScope;
  readonly isCollection: (name: string) => boolean;
  /** This node's name. */
  readonly node: string;
  /** ms since 1970 */
  readonly clock: () => number;
  readonly onFault: (error: unknown) => void;
  /** How long an entry waits for others, in ms: 1,000 unless told. */
  readonly intervalMs?: number;
  /** The most entries and ends that wait: 10,000 unless told. */
  readonly queue?: number;
}

const RETENTION_MS = 90 * 86_400_000;
const INTERVAL_MS = 1000;
/** How long the last writing may take, in ms. */
const CLOSE_MS = 2000;
const QUEUE = 10_000;
const BATCH = 500;

interface Waiting extends Access {
  until: number | null;
}

interface Loss {
  count: number;
  since: number;
  until: number;
}

export function createAudit(options: AuditOptions): Audit {
  const { store, scope, isCollection, node, clock, onFault, intervalMs = INTERVAL_MS, queue = QUEUE } = options;
  const entries: Waiting[] = [];
  /** Ends of entries that were taken from the queue. */
  const ends: AccessEnd[] = [];
  let loss: Loss | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing: Promise<void> | undefined;
  /** What was taken from the queue to be written, if only tried. */
  const taken = new WeakSet<Access | AccessEnd>();
  /** Whether the store was away when it was last asked. */
  let away = false;
  let closed = false;

  function add({ principal, address, request }: AuditReader, access: AuditedAccess, since: number): Waiting {
    const entry: Waiting = {
      ref: crypto.randomUUID(),
      node,
      kind: access.kind,
      name: access.name,
      key: access.key ?? null,
      sub: principal.sub ?? null,
      role: principal.role,
      address: address ?? null,
      request: request ?? null,
      since,
      until: null,
      count: null,
    };
    entries.push(entry);
    return entry;
  }

  function wants(name: string): boolean {
    return store !== undefined && !closed && (scope === 'all' || (scope === 'collections' && isCollection(name)));
  }

  /** Keeps the queue within its bound, and has it written. */
  function plan(): void {
    // A batch at a time, so that a full queue does not pay for every entry.
    if (entries.length + ends.length > queue)
      lose(entries.length > 0 ? entries.splice(0, BATCH) : ends.splice(0, BATCH));
    if (closed || writing !== undefined) return;
    if (entries.length + ends.length >= BATCH && !away) void write();
    else timer ??= setTimeout(() => void write(), intervalMs);
  }

  function lose(lost: readonly (Access | AccessEnd)[]): void {
    const [first] = lost;
    if (first === undefined) return;
    const now = clock();
    tellOf({ count: lost.length, since: 'since' in first ? first.since : first.until, until: now });
  }

  function tellOf({ count, since, until }: Loss): void {
    loss = {
      count: count + (loss?.count ?? 0),
      since: Math.min(since, loss?.since ?? since),
      until: Math.max(until, loss?.until ?? until),
    };
  }

  function write(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    writing ??= writeAll().finally(() => {
      writing = undefined;
      if (entries.length + ends.length > 0 || loss !== undefined) plan();
    });
    return writing;
  }

  /** Writes what waits now; what comes meanwhile waits for the next turn. Ends early when the store is away. */
  async function writeAll(): Promise<void> {
    if (store === undefined) return;
    for (let left = entries.length; left > 0; left -= BATCH)
      if (!(await writeBatch(entries, (batch) => store.begin(batch)))) return;
    while (ends.length > 0) if (!(await writeBatch(ends, (batch) => store.end(batch)))) return;
    if (loss === undefined) return;
    const told = loss;
    loss = undefined;
    try {
      await store.begin([lossEntry(node, told)]);
    } catch (error) {
      // That something was lost must not be lost, whatever the reason.
      tellOf(told);
      if (!(error instanceof StoreUnavailable)) onFault(error);
    }
  }

  /** @returns whether the store is there. What it refuses for another reason is lost: it would refuse it for ever. */
  async function writeBatch<Item extends Access | AccessEnd>(
    items: Item[],
    write: (batch: readonly Item[]) => Promise<void>,
  ): Promise<boolean> {
    const batch = items.splice(0, BATCH);
    for (const item of batch) taken.add(item);
    try {
      await write(batch);
      away = false;
      return true;
    } catch (error) {
      if (error instanceof StoreUnavailable) {
        away = true;
        items.unshift(...batch);
        return false;
      }
      onFault(error);
      lose(batch);
      return true;
    }
  }

  return {
    begin(reader, access) {
      if (!wants(access.name)) return undefined;
      const entry = add(reader, access, clock());
      plan();
      let open = true;
      return () => {
        if (!open) return;
        open = false;
        const until = clock();
        if (!taken.has(entry)) {
          entry.until = until;
          return;
        }
        ends.push({ ref: entry.ref, until });
        plan();
      };
    },
    note(reader, access, since = clock()) {
      if (!wants(access.name)) return;
      add(reader, access, since).until = clock();
      plan();
    },
    async prune() {
      await store?.prune(clock() - RETENTION_MS);
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      // What is on its way may have left entries behind.
      await writing;
      if (entries.length + ends.length === 0 && loss === undefined) return;
      let late: ReturnType<typeof setTimeout> | undefined;
      const patience = new Promise<void>((resolve) => {
        late = setTimeout(resolve, CLOSE_MS);
      });
      await Promise.race([write(), patience]);
      clearTimeout(late);
    },
  };
}

function lossEntry(node: string, { count, since, until }: Loss): Access {
  const nobody = { name: null, key: null, sub: null, role: null, address: null, request: null };
  return { ref: crypto.randomUUID(), node, kind: 'lost', ...nobody, since, until, count };
}
