/**
 * The bus within one process: a hub that the nodes of a test share.
 *
 * Signals travel as text here too, so that what one node does to an object never shows at another, and nothing that
 * could not travel between processes travels here. They arrive in a later microtask.
 */
import type { Bus } from '../../src/bus/bus.ts';
import { createListeners, type Listeners } from '../../src/bus/listeners.ts';
import { createSendQueue } from '../../src/bus/send-queue.ts';
import { decodeSignal, NODE_NAME } from '../../src/bus/signal.ts';

export interface LocalHub {
  /** A node's end of the hub. Throws `RangeError` when the name is not legal or another open end has it. */
  bus(node: string): LocalBus;
  /** Cuts a node off, as an outage would: it neither sends nor hears, and what was under way is lost. */
  cut(node: string): void;
  /** Ends the cut: the node's listeners are told. */
  mend(node: string): void;
}

export interface LocalBus extends Bus {
  /** How many signals were dropped so far (of `appended`: heads). */
  readonly dropped: number;
}

interface End {
  readonly listeners: Listeners;
  readonly discard: () => void;
  connected: boolean;
}

export function createLocalHub(now: () => number = () => performance.now()): LocalHub {
  const ends = new Map<string, End>();

  function bus(node: string): LocalBus {
    if (!NODE_NAME.test(node) || ends.has(node)) throw new RangeError(`not a free node name: ${node}`);
    const queue = createSendQueue(now);
    let lost = 0;
    let scheduled = false;
    let closed = false;
    const end: End = {
      listeners: createListeners(),
      discard: () => {
        lost += queue.take(Number.POSITIVE_INFINITY).length;
      },
      connected: true,
    };
    ends.set(node, end);

    function deliver(): void {
      scheduled = false;
      for (const { text } of queue.take(Number.POSITIVE_INFINITY)) {
        const signal = end.connected ? decodeSignal(text) : undefined;
        if (signal === undefined) lost += 1;
        else
          for (const [name, other] of ends)
            if (name !== node && other.connected) other.listeners.receive({ from: node, signal });
      }
    }

    return {
      send(signal) {
        if (closed) return;
        queue.push(signal);
        if (scheduled) return;
        scheduled = true;
        queueMicrotask(deliver);
      },
      listen: end.listeners.add,
      get connected() {
        return end.connected;
      },
      get dropped() {
        return queue.dropped + lost;
      },
      async close() {
        if (closed) return;
        closed = true;
        // What was sent before the close is under way in an earlier microtask.
        await undefined;
        ends.delete(node);
        end.connected = false;
      },
    };
  }

  return {
    bus,
    cut(node) {
      const end = ends.get(node);
      if (end === undefined) return;
      end.discard();
      end.connected = false;
    },
    mend(node) {
      const end = ends.get(node);
      if (end === undefined || end.connected) return;
      end.connected = true;
      end.listeners.resumed();
    },
  };
}
