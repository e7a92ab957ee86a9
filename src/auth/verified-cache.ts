/** Credentials that have been verified, by their text, so that the next request with the same one needs no cryptography. */
import type { Authentication, Principal } from './principal.ts';

/** The most credentials remembered. */
export const MAX_CACHED = 10_000;

/** The most characters of credentials remembered; their claims take about as much again. */
export const MAX_CACHED_CHARACTERS = 16 * 1024 * 1024;

/**
 * How long a verification is believed, in ms, if the credential does not end before. Bounded so that a signing key which has
 * been withdrawn stops working within this time even for tokens that have been seen.
 */
export const MAX_CACHED_MS = 5 * 60 * 1000;

interface Entry {
  readonly answer: Authentication;
  /** ms since 1970 */
  readonly until: number;
}

/**
 * A bounded map in which only verified credentials are kept: nobody can fill it with inventions. When it is full the oldest
 * entry goes, and its credential is verified again when it comes back. Revocation is not its business: it is checked on
 * every request, after this.
 */
export class VerifiedCache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxEntries: number;
  #characters = 0;

  constructor(maxEntries = MAX_CACHED) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The verified answer, or `undefined` when the credential is unknown, has ended, or must be verified again. */
  get(credential: string, now: number): Authentication | undefined {
    const entry = this.#entries.get(credential);
    if (entry === undefined) return undefined;
    if (now < entry.until) return entry.answer;
    this.#delete(credential);
    return undefined;
  }

  /** Remembers a verified credential and answers as {@link get} will. */
  add(credential: string, principal: Principal, now: number): Authentication {
    const answer: Authentication = { ok: true, principal };
    this.#delete(credential);
    this.#entries.set(credential, {
      answer,
      until: Math.min(principal.expires ?? Number.POSITIVE_INFINITY, now + MAX_CACHED_MS),
    });
    this.#characters += credential.length;
    while (this.#entries.size > this.#maxEntries || this.#characters > MAX_CACHED_CHARACTERS) {
      const [oldest] = this.#entries.keys();
      if (oldest === undefined) break;
      this.#delete(oldest);
    }
    return answer;
  }

  #delete(credential: string): void {
    if (this.#entries.delete(credential)) this.#characters -= credential.length;
  }
}
