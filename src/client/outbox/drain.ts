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
import { judge } from './verdict.ts';

/** How many lanes send at the same time. */
const PARALLEL = 4;

/** How long an acknowledged mutation waits for the stream to show it, in ms. A change that changes nothing is never shown. */
export const SETTLE_MS = 60_000;

/** The longest time between two looks while anything waits, in ms: timers of a page that sleeps do not count its time. */
const LOOK_MS = 30_000;

/** What the application decides. */
export interface DrainOptions {
  readonly request: Request;
  readonly environment: { readonly clock: () => number; readonly random: () => number };
  readonly watches?: ((topic: string) => boolean) | undefined;
  readonly resolve?: Resolve | undefined;
}

/** What the outbox is to its drainer. */
export interface DrainContext {
  /** What the outbox holds, as far as this tab knows; in order. */
  readonly mutations: ReadonlyMap<string, Mutation>;
  /** Changes a lane in the store. Once it resolves, `mutations` has it. */
  readonly apply: (lane: string, change: LaneChange) => Promise<readonly MutationChange[]>;
  /** The keys of events that a stream has shown. */
  readonly shown: ReadonlySet<string>;
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

export function createDrain(
  { request, environment: { clock, random }, watches, resolve }: DrainOptions,
  { mutations, apply, shown, onError }: DrainContext,
): Drain {
  const ending = new AbortController();
  const { signal } = ending;
  /** Lanes that are at work. */
  const busy = new Set<string>();
  /** Lanes whose last attempt failed: no more than there are lanes. */
  const failing = new Map<string, Backoff>();
  /** Since when each acknowledged mutation has waited to be shown, as far as this tab has seen it. */
  let unshown = new Map<string, number>();
  /** The server as a whole. */
  const server = createBackoff(random);
  let sending = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function look(): void {
    if (signal.aborted) return;
    clearTimeout(timer);
    const now = clock();
    const readyAt = (lane: string) =>
      busy.has(lane) ? Number.POSITIVE_INFINITY : Math.max(server.until, failing.get(lane)?.until ?? 0);
    const { send, due } = chooseNext(mutations.values(), readyAt, now, PARALLEL - sending);
    for (const mutation of send) void work(mutation);
    const next = Math.min(due, tidy(now));
    if (next < Number.POSITIVE_INFINITY) timer = setTimeout(look, Math.min(LOOK_MS, next - now));
  }

  /** Lets go of what was not shown for too long. @returns when the next one will be */
  function tidy(now: number): number {
    const before = unshown;
    unshown = new Map();
    let due = Number.POSITIVE_INFINITY;
    for (const mutation of mutations.values()) {
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
    try {
      await attempt(mutation);
    } catch (error) {
      // The store failed. Whatever the server has answered, it will answer again.
      postpone(lane);
      if (!signal.aborted) onError(error);
    }
    busy.delete(lane);
    look();
  }

  /** @param after what the server asked for, in ms @param everywhere whether other lanes would fare no better */
  function postpone(lane: string, after?: number, everywhere = false): void {
    const now = clock();
    const backoff = failing.get(lane) ?? createBackoff(random);
    failing.set(lane, backoff);
    backoff.fail(now, after);
    if (everywhere) server.fail(now, after);
  }

  function succeed(lane: string): void {
    failing.delete(lane);
    server.succeed();
  }

  async function attempt(mutation: Mutation): Promise<void> {
    const { lane } = mutation;
    let before: Mutation | undefined;
    sending += 1;
    const sent = await send().finally(() => {
      sending -= 1;
    });
    // Where it was aborted, nothing is known, and another drainer goes on from here.
    if (sent === undefined || signal.aborted) return;
    const { claimed, answer } = sent;
    const { write } = claimed;
    const verdict = judge(write, answer, before?.sent !== undefined);
    if (verdict.kind === 'retry') {
      postpone(lane, verdict.after, verdict.everywhere);
      await apply(lane, release(claimed, verdict.refused));
      return;
    }
    succeed(lane);
    if (verdict.kind === 'acknowledged') {
      const isSettled = !verdict.stored || !watches?.(topicOf(write)) || shown.has(mutationKey(claimed));
      await apply(lane, acknowledge(claimed, verdict.answer, isSettled));
    } else if (verdict.kind === 'dead') await apply(lane, bury(claimed, verdict.refusal));
    else await settleConflict(claimed, verdict.problem);

    async function send() {
      const [change] = await apply(lane, (all) => {
        before = all.find(({ id }) => id === mutation.id);
        return claim(mutation.id, clock())(all);
      });
      // Another tab was faster, and this one is yet to hear of it.
      if (change === undefined) postpone(lane);
      const claimed = change?.mutation;
      if (claimed?.state !== 'in-flight' || signal.aborted) return undefined;
      const [method, path, options] = toRequest(claimed);
      return { claimed, answer: await request(method, path, { ...options, signal }) };
    }
  }

  async function settleConflict(claimed: Mutation, problem: Refusal): Promise<void> {
    const { lane, write } = claimed;
    let resolution: Resolution;
    let version: number | undefined;
    if (resolve !== undefined) {
      const dispute = await findDispute(claimed, problem, request, signal);
      if (signal.aborted) return;
      if (dispute === undefined) {
        postpone(lane);
        await apply(lane, release(claimed, true));
        return;
      }
      version = dispute.version;
      try {
        resolution = await resolve(dispute.conflict);
      } catch (error) {
        onError(error);
      }
      if (signal.aborted) return;
    }
    const change =
      resolution === undefined
        ? bury(claimed, { kind: 'refused', problem })
        : decide(claimed, resolvedWrite(write, resolution, version));
    await apply(lane, change);
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
