/** Tabs of one browser, in this process: they share storage, locks and channels, and can crash. */
import type { Mutation } from '../../../src/client/mutation.ts';
import { createOutbox } from '../../../src/client/outbox/create-outbox.ts';
import { createMemoryStore } from '../../../src/client/outbox/memory-store.ts';
import type { Channel, Locks, Outbox, OutboxOptions } from '../../../src/client/outbox/outbox.ts';
import type { Kept, OutboxStore } from '../../../src/client/outbox/store.ts';
import type { ModelServer } from './model-server.ts';

const NEVER = new Promise<never>(() => {});

export class Browser {
  readonly memory = new Map<number, Kept>();
  /** Whether messages between tabs arrive. */
  talks = true;
  /** What the next steps of the store fail with, one each. */
  readonly faults: Error[] = [];
  readonly #channels = new Set<Channel>();
  readonly #queues = new Map<string, (() => void)[]>();

  open(server: ModelServer, random: () => number, options: Partial<OutboxOptions> & { locks?: boolean } = {}): Tab {
    return new Tab(this, server, random, options);
  }

  store(isAlive: () => boolean): OutboxStore {
    const store = createMemoryStore(this.memory);
    return {
      ...store,
      shared: true,
      transact: async (...args) => {
        if (!isAlive()) return NEVER;
        const fault = this.faults.shift();
        if (fault !== undefined) throw fault;
        await store.transact(...args);
        // What a page that is gone would have heard, nobody hears.
        return isAlive() ? undefined : NEVER;
      },
    };
  }

  /** What the store holds and is not gone, in order. */
  get kept(): readonly Kept[] {
    return [...this.memory.values()].filter(({ gone }) => !gone).toSorted((a, b) => a.order - b.order);
  }

  channel(): Channel {
    const channel: Channel = {
      onmessage: null,
      postMessage: (data) => {
        if (!this.talks) return;
        for (const other of this.#channels)
          if (other !== channel) queueMicrotask(() => other.onmessage?.(new MessageEvent('message', { data })));
      },
      close: () => this.#channels.delete(channel),
    };
    this.#channels.add(channel);
    return channel;
  }

  /** @param onHeld told how the holder's lock is taken from it, when it crashes */
  locks(onHeld: (free: () => void) => void): Locks {
    return {
      request: (name, { signal }, granted) =>
        new Promise((resolve, reject) => {
          const queue = this.#queues.get(name) ?? [];
          this.#queues.set(name, queue);
          const leave = () => {
            const place = queue.indexOf(run);
            if (place === -1) return;
            queue.splice(place, 1);
            if (place === 0) queue[0]?.();
          };
          const run = () => {
            signal.removeEventListener('abort', abort);
            granted().finally(leave).then(resolve, reject);
          };
          const abort = () => {
            leave();
            reject(new DOMException('aborted', 'AbortError'));
          };
          signal.addEventListener('abort', abort);
          onHeld(leave);
          queue.push(run);
          if (queue[0] === run) run();
        }),
    };
  }
}

let tabs = 0;

export class Tab {
  readonly outbox: Outbox;
  readonly changes: Mutation[] = [];
  readonly errors: unknown[] = [];
  #alive = true;
  readonly #free: (() => void)[] = [];
  readonly #channels: Channel[] = [];

  constructor(
    browser: Browser,
    server: ModelServer,
    random: () => number,
    { locks = true, ...options }: Partial<OutboxOptions> & { locks?: boolean },
  ) {
    tabs += 1;
    const prefix = `tab${tabs}`;
    let ids = 0;
    this.outbox = createOutbox({
      name: 'outbox',
      store: Promise.resolve(browser.store(() => this.#alive)),
      request: async (...args) => {
        if (!this.#alive) return NEVER;
        const answer = await server.request(...args);
        return this.#alive ? answer : NEVER;
      },
      environment: {
        clock: Date.now,
        random,
        createId: () => {
          ids += 1;
          return `${prefix}-${ids}`;
        },
        locks: locks ? browser.locks((free) => this.#free.push(free)) : undefined,
        openChannel: () => {
          const channel = browser.channel();
          this.#channels.push(channel);
          return channel;
        },
      },
      onError: (error) => this.errors.push(error),
      ...options,
    });
    this.outbox.observe((mutation) => this.changes.push(mutation));
  }

  /** The page is gone from one moment to the next: whatever it was about to do does not happen. */
  crash(): void {
    this.#alive = false;
    for (const channel of this.#channels) channel.close();
    for (const free of this.#free) free();
    // Its timers are gone with it.
    this.outbox.close();
  }
}

/** What became of a promise. */
export function watch<Value>(promise: Promise<Value>): { value?: Value; error?: any; done: boolean } {
  const seen: { value?: Value; error?: any; done: boolean } = { done: false };
  promise.then(
    (value) => Object.assign(seen, { value, done: true }),
    (error) => Object.assign(seen, { error, done: true }),
  );
  return seen;
}
