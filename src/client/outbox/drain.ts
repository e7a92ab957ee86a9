/**
 * Sends what an outbox holds. One tab does so for all, so that the order of each lane holds; where two do, because there are no locks, each
 * write is still applied once: both send it under the same key.
 */
import { backoff, LONGEST_ASKED_MS } from '../connection/backoff.ts';
import type { Request } from '../request.ts';
import { type Resolve, resolveConflict } from './conflict.ts';
import { isWaiting, topicOf } from './lanes.ts';
import { type Ledger, SETTLE_MS } from './ledger.ts';
import type { Kept } from './store.ts';
import { toRequest } from './to-request.ts';
import { claim, conclude } from './transitions.ts';
import { judge } from './verdict.ts';

/** How many lanes send at the same time. */
const PARALLEL = 4;

/** The server as a whole: no lane's name. */
const SERVER = '';

/** What the application decides. */
export interface DrainOptions {
  readonly request: Request;
  readonly environment: { readonly clock: () => number; readonly random: () => number };
  readonly watches?: ((topic: string) => boolean) | undefined;
  readonly resolve?: Resolve | undefined;
  readonly onError: (error: unknown) => void;
}

export interface Drain {
  /**
   * Sends what may be sent: of each lane the first, which is not sent before the outcome of the one before is known. What is acknowledged or
   * dead holds up nobody: the writes after a dead letter go on, also where they were meant to build on it.
   *
   * @returns how long until it is to look again, in ms; infinity when nobody waits for a time
   */
  look(): number;
  /** Lets what waits to be tried again be tried at once, unless the server has asked to wait. */
  hurry(): void;
}

/**
 * @param signal ends it: the next drainer sends again what is on its way
 * @param look called whenever there may be something to send
 */
export function createDrain(
  { request, environment: { clock, random }, watches, resolve, onError }: DrainOptions,
  { all, step }: Ledger,
  signal: AbortSignal,
  look: () => void,
): Drain {
  /** Lanes that are at work. */
  const busy = new Set<string>();
  /** Until when lanes wait whose last attempt failed, and the {@link SERVER} as a whole. */
  const waits = new Map<string, number>();
  /** Until when the server has asked to wait. */
  let asked = 0;
  /** How often in a row something has failed. */
  let failures = 0;
  /** How many of the lanes wait for somebody to decide a conflict, and send nothing. */
  let deciding = 0;

  const waitOf = (key: string) => waits.get(key) ?? 0;

  function fail(...keys: readonly string[]): void {
    const now = clock();
    // What fails while we wait had begun before, and counts no more.
    if (now >= waitOf(SERVER)) failures += 1;
    for (const key of keys) waits.set(key, now + backoff(failures, random));
  }

  async function attempt({ id, lane }: Kept): Promise<void> {
    let doubt = false;
    const claimed = await step(id, (found, each) => {
      doubt = found?.sent !== undefined;
      return claim(found, each, clock());
    });
    // Another tab was faster, or the key is too old.
    if (claimed?.state !== 'in-flight' || signal.aborted) return;
    const answer = await request(...toRequest(claimed, signal));
    // Where it was aborted, nothing is known, and another drainer goes on from here.
    if (signal.aborted) return;
    let members = judge(claimed, answer, doubt, watches?.(topicOf(claimed.write)) === true);
    if (members.state === 'pending') {
      // A fault (500) may be of this one write alone, and so may be a body that is too slow (408). All else would meet other lanes as well.
      const isAlone = answer.kind === 'refused' && [408, 500].includes(answer.status);
      fail(...(isAlone ? [lane] : [lane, SERVER]));
      asked = Math.max(asked, clock() + Math.min(LONGEST_ASKED_MS, answer.retryAfter ?? 0));
    } else {
      failures = 0;
      waits.delete(lane);
      waits.delete(SERVER);
    }
    const problem = members.refusal?.problem;
    if (resolve && problem) {
      deciding += 1;
      const decided = await resolveConflict(claimed, problem, resolve).catch(onError);
      deciding -= 1;
      members = { ...members, ...decided };
    }
    await step(id, conclude(claimed, members));
  }

  return {
    look() {
      const now = clock();
      const seen = new Set(busy);
      let due = Number.POSITIVE_INFINITY;
      for (const mutation of all()) {
        const { lane, seq } = mutation;
        if (mutation.answer) due = Math.min(due, seq + SETTLE_MS);
        if (!isWaiting(mutation) || seen.has(lane)) continue;
        seen.add(lane);
        const ready = Math.max(asked, waitOf(lane), waitOf(SERVER));
        if (ready > now) due = Math.min(due, ready);
        else if (busy.size - deciding < PARALLEL) {
          busy.add(lane);
          void attempt(mutation)
            .catch((error: unknown) => {
              // The store failed. Whatever the server has answered, it will answer again.
              fail(lane);
              if (!signal.aborted) onError(error);
            })
            .then(() => {
              busy.delete(lane);
              look();
            });
        }
      }
      // Lanes that hold nothing any more wait for nothing.
      for (const key of waits.keys()) if (key !== SERVER && !seen.has(key)) waits.delete(key);
      return due - now;
    },
    hurry: () => waits.clear(),
  };
}
