/**
 * Requests and answers between nodes, over the bus.
 *
 * A call may be lost, and so may its answer: both look like a node that is slow, and end at the time-out. What a call
 * does should therefore bear being done twice. A node can call itself: that never leaves the process. A gathering asks
 * the *other* nodes.
 *
 * **Bounds.** {@link MAX_OUTSTANDING} calls and gatherings wait at once (one more is refused as `busy`), a gathering
 * takes {@link MAX_REPLIES} answers, and a node works on {@link MAX_SERVING} calls of others at once (one more goes
 * unanswered).
 */
import type { Bus, Envelope } from './bus.ts';

export const MAX_OUTSTANDING = 1_000;
export const MAX_REPLIES = 1_000;
export const MAX_SERVING = 256;

export type CallResult =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly reason: 'timeout' | 'busy' };

export interface Reply {
  /** The node that answered. */
  readonly from: string;
  readonly body: unknown;
}

export interface Calls {
  /**
   * Answers an operation's calls. Throws `RangeError` when it is served already.
   * @param answer its value (JSON) goes back; when it rejects, nothing does, and `onFault` hears of it
   * @returns how to stop
   */
  serve(operation: string, answer: (body: unknown, from: string) => Promise<unknown>): () => void;
  /** Asks one node, for at most so many milliseconds. */
  call(node: string, operation: string, body: unknown, timeoutMs: number): Promise<CallResult>;
  /**
   * Asks all other nodes and gathers their answers, one of each, until the time-out.
   * @param expected answer as soon as so many have come
   */
  gather(operation: string, body: unknown, timeoutMs: number, expected?: number): Promise<readonly Reply[]>;
  /** Stops listening; whoever waits gets what there is. */
  close(): void;
}

export interface CallsOptions {
  readonly bus: Bus;
  /** This node's name, as on the bus. */
  readonly node: string;
  readonly onFault?: ((error: unknown, operation: string) => void) | undefined;
}

interface Outstanding {
  /** The only node whose answer counts; `undefined` for any. */
  readonly to: string | undefined;
  readonly answered: (reply: Reply) => void;
  readonly settle: () => void;
}

export function createCalls({ bus, node, onFault }: CallsOptions): Calls {
  const outstanding = new Map<string, Outstanding>();
  const served = new Map<string, (body: unknown, from: string) => Promise<unknown>>();
  let number = 0;
  let serving = 0;

  /** `undefined` when there is no answer to give. */
  async function answer(operation: string, body: unknown, from: string): Promise<Reply | undefined> {
    const serve = served.get(operation);
    if (serve === undefined || serving >= MAX_SERVING) return undefined;
    serving += 1;
    try {
      return { from: node, body: await serve(body, from) };
    } catch (error) {
      onFault?.(error, operation);
      return undefined;
    } finally {
      serving -= 1;
    }
  }

  async function answerCall(call: string, operation: string, body: unknown, from: string): Promise<void> {
    const reply = await answer(operation, body, from);
    if (reply !== undefined) bus.send({ kind: 'reply', call, to: from, body: reply.body });
  }

  async function answerSelf(operation: string, body: unknown, answered: (reply: Reply) => void): Promise<void> {
    const reply = await answer(operation, body, node);
    if (reply !== undefined) answered(reply);
  }

  function receive({ from, signal }: Envelope): void {
    if (signal.kind === 'call' && (signal.to === undefined || signal.to === node))
      void answerCall(signal.call, signal.operation, signal.body, from);
    else if (signal.kind === 'unheard') outstanding.get(signal.call)?.settle();
    else if (signal.kind === 'reply' && signal.to === node) {
      const waiting = outstanding.get(signal.call);
      if (waiting !== undefined && (waiting.to ?? from) === from) waiting.answered({ from, body: signal.body });
    }
  }

  /** Sends a call and collects, until the time-out or until `enough`. */
  function collect(
    to: string | undefined,
    operation: string,
    body: unknown,
    timeoutMs: number,
    enough: number,
  ): Promise<readonly Reply[]> {
    return new Promise((resolve) => {
      number += 1;
      const call = `${node}-${number}`;
      const replies = new Map<string, Reply>();
      const settle = () => {
        clearTimeout(timer);
        outstanding.delete(call);
        resolve([...replies.values()]);
      };
      const timer = setTimeout(settle, timeoutMs);
      const answered = (reply: Reply) => {
        if (!replies.has(reply.from)) replies.set(reply.from, reply);
        if (replies.size >= enough) settle();
      };
      outstanding.set(call, { to, answered, settle });
      if (to === node) void answerSelf(operation, body, answered);
      else bus.send({ kind: 'call', call, to, operation, body });
    });
  }

  const stop = bus.listen(receive, () => {});

  return {
    serve(operation, handle) {
      if (served.has(operation)) throw new RangeError(`served already: ${operation}`);
      served.set(operation, handle);
      return () => {
        served.delete(operation);
      };
    },
    async call(to, operation, body, timeoutMs) {
      if (outstanding.size >= MAX_OUTSTANDING) return { ok: false, reason: 'busy' };
      const [reply] = await collect(to, operation, body, timeoutMs, 1);
      return reply === undefined ? { ok: false, reason: 'timeout' } : { ok: true, body: reply.body };
    },
    async gather(operation, body, timeoutMs, expected = MAX_REPLIES) {
      if (outstanding.size >= MAX_OUTSTANDING || expected <= 0) return [];
      return collect(undefined, operation, body, timeoutMs, Math.min(expected, MAX_REPLIES));
    },
    close() {
      stop();
      for (const { settle } of [...outstanding.values()]) settle();
    },
  };
}
