/** What each member is doing at the moment (typing, pointing): told by ephemeral events, and forgotten when nothing more is heard. */
import { createListeners } from '../listeners.ts';
import type { Request } from '../request.ts';
import type { Subscribe } from '../subscription.ts';
import { createThrottle } from './throttle.ts';

export interface Fleeting<Data = unknown> {
  /** What others do, by member, as long as it lasts. The same map as long as nothing has changed. */
  readonly values: ReadonlyMap<string, Data>;
  /** @returns how to stop observing */
  observe(listener: () => void): () => void;
  /** Tells the others. May be lost, and is told not more often than is useful. */
  send(data: Data): void;
  close(): void;
}

export interface FleetingOptions {
  readonly topic: string;
  /** The type of the events. */
  readonly type: string;
  /** Who speaks here. */
  readonly member: string;
  /** ms between two of our events, at least, and for how long one of others' counts. */
  readonly every: number;
  readonly lasts: number;
}

/** The most members whose doings are kept: the one heard longest ago goes first. */
const MOST = 1000;

export interface FleetingContext {
  readonly request: Request;
  readonly subscribe: Subscribe;
  readonly clock: () => number;
  /** Told when it was closed, so that nobody keeps it. */
  readonly onClose: () => void;
  /** Told of what goes wrong where nobody else can be told. */
  readonly onError: (error: unknown) => void;
}

/** Needs the right to publish to the topic, to send. */
export function createFleeting<Data>(
  { topic, type, member, every, lasts }: FleetingOptions,
  { request, subscribe, clock, onClose, onError }: FleetingContext,
): Fleeting<Data> {
  let values: ReadonlyMap<string, Data> = new Map();
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  const listeners = createListeners(onError);
  let isClosed = false;
  let isRefused = false;

  function set(of: string, data: Data | undefined): void {
    clearTimeout(timers.get(of));
    timers.delete(of);
    const next = new Map(values);
    next.delete(of);
    if (data !== undefined) {
      next.set(of, data);
      timers.set(
        of,
        setTimeout(() => set(of, undefined), lasts),
      );
    }
    values = next;
    listeners.tell();
    const [oldest] = values.keys();
    if (values.size > MOST && oldest !== undefined) set(oldest, undefined);
  }

  // By the same parameters as who reads the whole topic, so that it shares their reading.
  const subscription = subscribe<Data>(
    topic,
    {},
    {
      onEvent(event) {
        if (event.type === type && event.id === undefined && event.key !== undefined && event.key !== member)
          set(event.key, event.data);
      },
    },
  );
  const throttle = createThrottle<Data>(every, clock, async (data) => {
    const body = { type, data, key: member, ephemeral: true };
    const answer = await request('POST', `/v1/topics/${encodeURIComponent(topic)}/events`, { body });
    // Said once: without the right to publish, or where the topic's definition has no such events, nobody will ever see them.
    if (answer.kind === 'refused' && !isRefused) onError(new Error(`${type} on ${topic}: ${answer.code}`));
    isRefused = answer.kind === 'refused';
  });

  return {
    get values() {
      return values;
    },
    observe: listeners.add,
    send(data) {
      if (!isClosed) throttle.send(data);
    },
    close() {
      isClosed = true;
      subscription.close();
      throttle.cancel();
      for (const timer of timers.values()) clearTimeout(timer);
      listeners.clear();
      onClose();
    },
  };
}
