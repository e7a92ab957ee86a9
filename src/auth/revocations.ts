/**
 * A node's view of what has been revoked (protocol section 4).
 *
 * The store keeps the revocations; this keeps all of them in memory, so that asking is synchronous and needs no store: one
 * number for each revoked subject and one entry for each revoked id, about 150 bytes either way. There is no bound but
 * the store's own, on purpose: to forget a revocation would be to take it back.
 *
 * Fresh revocations come by {@link Revocations.refresh}: when the bus says so, and from time to time in case it could not.
 */
import type { Revocation, RevocationStore } from '../store/store.ts';
import type { Principal } from './principal.ts';

export interface Revocations {
  /**
   * Reads all that was ever revoked. Until this has resolved nothing counts as revoked, so a node serves nobody before.
   * @throws StoreUnavailable
   */
  load(): Promise<void>;

  /**
   * Reads what was revoked since the last reading. Calls while one is under way share it, and it then looks once more, so that
   * whoever calls has seen everything that was stored before the call.
   * @throws StoreUnavailable
   */
  refresh(): Promise<void>;

  /**
   * Revokes, durably and on this node at once; the other nodes are the caller's to wake.
   * @param revocation `at` (ms since 1970) is now unless given
   * @throws StoreUnavailable when it may not have been stored; revoking again is harmless
   */
  revoke(revocation: {
    readonly kind: Revocation['kind'];
    readonly value: string;
    readonly at?: number | undefined;
  }): Promise<void>;

  /** Whether this principal's credential, or the token that it was made from, has been revoked. */
  isRevoked(principal: Principal): boolean;
}

export interface RevocationsOptions {
  readonly store: RevocationStore;
  /** ms since 1970 */
  readonly clock?: (() => number) | undefined;
  /** Called with a test for the principals that fresh revocations concern, so that their streams can be ended. Must not throw. */
  readonly onRevoked: (matches: (principal: Principal) => boolean) => void;
}

export function createRevocations(options: RevocationsOptions): Revocations {
  const { store, onRevoked } = options;
  const clock = options.clock ?? Date.now;
  const all = new RevokedSet();
  let position = 0;
  let reading: Promise<void> | undefined;
  let again = false;

  function learn(revocations: readonly Revocation[]): void {
    const fresh = new RevokedSet();
    for (const revocation of revocations) if (all.add(revocation)) fresh.add(revocation);
    if (fresh.size > 0) onRevoked((principal) => fresh.covers(principal));
  }

  async function read(): Promise<void> {
    try {
      do {
        again = false;
        let more = true;
        while (more) {
          const page = await store.since(position);
          learn(page.revocations);
          position = page.position;
          more = page.more;
        }
      } while (again);
    } finally {
      reading = undefined;
    }
  }

  function refresh(): Promise<void> {
    if (reading !== undefined) again = true;
    else reading = read();
    return reading;
  }

  return {
    load: refresh,
    refresh,
    async revoke({ kind, value, at = clock() }) {
      const revocation: Revocation = { kind, value, at };
      await store.add(revocation);
      learn([revocation]);
    },
    isRevoked: (principal) => all.covers(principal),
  };
}

/**
 * Revocations by what they name.
 *
 * A `sub` covers every credential issued in or before the second of its `at`. `iat` has whole seconds, so within that second
 * nobody can tell before from after, and the doubt goes against the token: who signs in again at once may have to do it
 * a second later. A credential that does not say when it was issued counts as issued long ago.
 */
class RevokedSet {
  /** The second of the latest revocation, by subject. */
  readonly #subjects = new Map<string, number>();
  readonly #ids = new Set<string>();

  get size(): number {
    return this.#subjects.size + this.#ids.size;
  }

  /** @returns whether this covers more than before */
  add(revocation: Revocation): boolean {
    if (revocation.kind === 'jti') {
      if (this.#ids.has(revocation.value)) return false;
      this.#ids.add(revocation.value);
      return true;
    }
    const second = Math.floor(revocation.at / 1000);
    const known = this.#subjects.get(revocation.value);
    if (known !== undefined && known >= second) return false;
    this.#subjects.set(revocation.value, second);
    return true;
  }

  covers(principal: Principal): boolean {
    if (principal.sub !== undefined && this.#subjects.size > 0) {
      const second = this.#subjects.get(principal.sub);
      if (second !== undefined && Math.floor(principal.issued / 1000) <= second) return true;
    }
    return this.#ids.size > 0 && principal.ids.some((id) => this.#ids.has(id));
  }
}
