/**
 * Delivering one batch: it is sent under one `Idempotency-Key` until the server has said yes or no, so that whatever happens
 * on the way it is appended exactly once (protocol section 3).
 */
import { publishedSchema } from '../protocol/schemas.ts';
import { createBackoff } from './backoff.ts';
import { pause } from './pause.ts';
import { ask, laterOf, type Reply, type Server } from './server.ts';

export interface Delivery {
  readonly fetch: typeof fetch;
  readonly server: Server;
  readonly topic: string;
  readonly random: () => number;
  /** Milliseconds. */
  readonly now: () => number;
  /** How long to go on trying when nothing comes back, in milliseconds. */
  readonly patience: (answered: boolean) => number;
  /** Called once when an outage begins, and once when it is over. */
  readonly onOutage: (text: string | undefined) => void;
  /** Gives up on everything. */
  readonly signal: AbortSignal;
}

export type Delivered =
  /** `cursor` is absent when all events were ephemeral. */
  | { readonly kind: 'delivered'; readonly cursor: string | undefined }
  /** After `done` events of the batch were appended, the next `size` were refused together. */
  | { readonly kind: 'refused'; readonly text: string; readonly done: number; readonly size: number }
  | { readonly kind: 'gave-up'; readonly text: string; readonly done: number };

type Attempt = Exclude<Reply, { readonly kind: 'ok' }> | { readonly kind: 'done'; readonly cursor: string | undefined };

/** Milliseconds for one attempt. */
const ATTEMPT_MS = 30_000;

/** Returns how to deliver batches, one at a time, in order. */
export function createDelivery(delivery: Delivery): (bodies: readonly string[], key: string) => Promise<Delivered> {
  const { server, signal } = delivery;
  const path = `/v1/topics/${encodeURIComponent(delivery.topic)}/events`;
  let answered = false;

  async function attempt(body: string, key: string): Promise<Attempt> {
    const timer = AbortSignal.timeout(ATTEMPT_MS);
    try {
      const reply = await ask(delivery.fetch, server, path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-ndjson', 'Idempotency-Key': key },
        body,
        signal: AbortSignal.any([timer, signal]),
      });
      if (reply.kind !== 'ok') return reply;
      const published = publishedSchema.safeParse(await reply.response.json());
      if (published.success) return { kind: 'done', cursor: published.data.cursor };
      return { kind: 'refused', status: reply.response.status, text: 'the answer is not that of a Sluice server' };
    } catch (error) {
      if (!timer.aborted) return laterOf(error, server);
      const text = `${server.url} did not answer within ${ATTEMPT_MS / 1000} s`;
      return { kind: 'later', text, answered: false, afterMs: undefined };
    }
  }

  async function deliver(bodies: readonly string[], key: string): Promise<Delivered> {
    const body = `${bodies.join('\n')}\n`;
    const backoff = createBackoff(delivery.random);
    let since: number | undefined;
    for (;;) {
      const reply = await attempt(body, key);
      answered ||= reply.kind !== 'later' || reply.answered;
      if (reply.kind !== 'later' && since !== undefined) delivery.onOutage(undefined);
      if (reply.kind === 'done') return { kind: 'delivered', cursor: reply.cursor };
      if (reply.kind === 'refused') {
        if (reply.status === 413 && bodies.length > 1) return halves(bodies, key);
        return { kind: 'refused', text: reply.text, done: 0, size: bodies.length };
      }
      const begun = since ?? delivery.now();
      const ms = backoff.next(reply.afterMs);
      const givesUp = signal.aborted || delivery.now() + ms > begun + delivery.patience(answered);
      if (givesUp) return { kind: 'gave-up', text: reply.text, done: 0 };
      if (since === undefined) delivery.onOutage(reply.text);
      since = begun;
      await pause(ms, signal);
      if (signal.aborted) return { kind: 'gave-up', text: reply.text, done: 0 };
    }
  }

  /** A server with a smaller limit than ours said that nothing of it was taken: each half goes under a key of its own. */
  async function halves(bodies: readonly string[], key: string): Promise<Delivered> {
    const middle = Math.ceil(bodies.length / 2);
    const left = await deliver(bodies.slice(0, middle), `${key}0`);
    if (left.kind !== 'delivered') return left;
    const right = await deliver(bodies.slice(middle), `${key}1`);
    return right.kind === 'delivered' ? right : { ...right, done: middle + right.done };
  }

  return deliver;
}
