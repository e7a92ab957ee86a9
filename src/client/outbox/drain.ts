/**
 * Sends what an outbox holds. One tab does so for all, so that the order of each lane holds; where two do, because there are no locks, each
 * write is still applied once: both send it under the same key.
 */
import { type Mutation, type MutationChange, mutationKey } from '../mutation.ts';
import type { Refusal, Request } from '../request.ts';
import { type Backoff, createBackoff } from './backoff.ts';
import { findDispute, type Resolution, type Resolve, resolvedWrite } from './conflict.ts';
import { chooseNext, topicOf } from './lanes.ts';
import type { LaneChange } from './store.ts';
import { toRequest } from './to-request.ts';
import { acknowledge, bury, claim, decide, release, settle } from './transitions.ts';
import { judge, type Verdict } from './verdict.ts';

/** How many lanes send at the same time. */
const PARALLEL = 4;

/** How long an acknowledged mutation waits for the stream to show it, in ms. A change that changes nothing is never shown. */
export const SETTLE_MS = 60_000;

/** The longest time between two looks while anything waits, in ms: timers of a page that sleeps do not count its time. */
const LOOK_MS = 30_000;

export interface DrainContext {
  /** What the outbox holds, as far as this tab knows; in order. */
  readonly mutations: () => Iterable<Mutation>;
  /** Changes a lane in the store. Once it resolves, `mutations` shows it. */
  readonly apply: (lane: string, change: LaneChange) => Promise<readonly MutationChange[]>;
  readonly request: Request;
  readonly clock: () => number;
  readonly random: () => number;
  readonly watches: (topic: string) => boolean;
  /** Whether a stream has shown the event of a key already. */
  readonly isShown: (key: string) => boolean;
  readonly resolve: Resolve | undefined;
  readonly onError: (error: unknown) => void;
}

export interface Drain {
  /** To be called whenever something may have changed. */
  look(): void;
  /** Tries at once what waits to be tried again, unless the server has asked to wait. */
  wake(): void;
  /** Ends everything. What is on its way is sent again by the next drainer. */
  stop(): void;
}

/** Why an attempt has to be made again: how long the server asked to wait, and whether other lanes would fare no better. */
type Again = Pick<Extract<Verdict, { readonly kind: 'retry' }>, 'after' | 'everywhere'>;

const LATER: Again = { after: undefined, everywhere: false };

export function createDrain(context: DrainContext): Drain {
  const { mutations, apply, request, clock, random, watches, isShown, resolve, onError } = context;
  const ending = new AbortController();
  const { signal } = ending;
  /** Lanes that are at work. */
  const busy = new Set<string>();
  /** Lanes whose last attempt failed: no more than there are lanes. */
  const failing = new Map<string, Backoff>();
  /** Since when each acknowledged mutation has waited to be shown, as far as this tab has seen it. */
  let unshown = new Map<string, number>();
  let server = createBackoff(random);
  let sending = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function look(): void {
    if (signal.aborted) return;
    clearTimeout(timer);
    const now = clock();
    const readyAt = (lane: string) =>
      busy.has(lane) ? Number.POSITIVE_INFINITY : Math.max(server.until, failing.get(lane)?.until ?? 0);
    const { send, due } = chooseNext(mutations(), readyAt, now, PARALLEL - sending);
    for (const mutation of send) void work(mutation);
    const next = Math.min(due, tidy(now));
    if (next < Number.POSITIVE_INFINITY) timer = setTimeout(look, Math.min(LOOK_MS, next - now));
  }

  /** Lets go of what was not shown for too long. @returns when the next one will be */
  function tidy(now: number): number {
    const before = unshown;
    unshown = new Map();
    let due = Number.POSITIVE_INFINITY;
    for (const mutation of mutations()) {
      const { id, lane, state } = mutation;
      if (state !== 'acknowledged') continue;
      let since = before.get(id) ?? now;
      if (since + SETTLE_MS <= now) {
        // If that fails, there will be another time.
        since = now;
        apply(lane, settle(mutationKey(mutation))).catch(onError);
      }
      unshown.set(id, since);
      due = Math.min(due, since + SETTLE_MS);
    }
    return due;
  }

  async function work(mutation: Mutation): Promise<void> {
    const { lane } = mutation;
    busy.add(lane);
    let again: Again | undefined = LATER;
    try {
      again = await attempt(mutation);
    } catch (error) {
      // The store failed. Whatever the server has answered, it will answer again.
      onError(error);
    }
    busy.delete(lane);
    const now = clock();
    if (again === undefined) {
      failing.delete(lane);
      if (server.until <= now) server = createBackoff(random);
    } else {
      const backoff = failing.get(lane) ?? createBackoff(random);
      failing.set(lane, backoff);
      backoff.fail(now, again.after);
      if (again.everywhere) server.fail(now, again.after);
    }
    look();
  }

  /** @returns `undefined` when it has come to an end, whichever */
  async function attempt({ id, lane }: Mutation): Promise<Again | undefined> {
    let doubt = false;
    sending += 1;
    const sent = await send().finally(() => {
      sending -= 1;
    });
    if (sent === undefined) return LATER;
    const { claimed, answer } = sent;
    // Aborted: nothing is known, and another drainer goes on from here.
    if (answer === undefined || signal.aborted) return undefined;
    const verdict = judge(claimed.write, answer, doubt);
    if (verdict.kind === 'acknowledged') {
      const isSettled = !verdict.stored || !watches(topicOf(claimed.write)) || isShown(mutationKey(claimed));
      await apply(lane, acknowledge(claimed, verdict.answer, isSettled));
    } else if (verdict.kind === 'dead') await apply(lane, bury(claimed, verdict.refusal));
    else if (verdict.kind === 'conflict') return settleConflict(claimed, verdict.problem);
    else {
      await apply(lane, release(claimed, verdict.refused));
      return verdict;
    }
    return undefined;

    async function send() {
      const [change] = await apply(lane, (all) => {
        doubt = all.find((mutation) => mutation.id === id)?.sent !== undefined;
        return claim(id, clock())(all);
      });
      if (change === undefined) return undefined;
      const claimed = change.mutation;
      if (claimed.state !== 'in-flight' || signal.aborted) return { claimed };
      const [method, path, options] = toRequest(claimed);
      return { claimed, answer: await request(method, path, { ...options, signal }) };
    }
  }

  async function settleConflict(claimed: Mutation, problem: Refusal): Promise<Again | undefined> {
    const { lane, write } = claimed;
    let decided: Resolution;
    let version: number | undefined;
    if (resolve !== undefined) {
      const dispute = await findDispute(claimed, problem, request, signal);
      if (signal.aborted) return undefined;
      if (dispute === undefined) {
        await apply(lane, release(claimed, true));
        return LATER;
      }
      version = dispute.version;
      try {
        decided = await resolve(dispute.conflict);
      } catch (error) {
        onError(error);
      }
      if (signal.aborted) return undefined;
    }
    await apply(
      lane,
      decided === undefined
        ? bury(claimed, { kind: 'refused', problem })
        : decide(claimed, resolvedWrite(write, decided, version)),
    );
    return undefined;
  }

  return {
    look,
    wake() {
      server.hurry();
      for (const backoff of failing.values()) backoff.hurry();
      look();
    },
    stop() {
      clearTimeout(timer);
      ending.abort();
    },
  };
}
