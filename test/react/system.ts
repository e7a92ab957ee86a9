/** Components over a client over a whole app, in a document. To be imported before React's DOM: that looks for a document when it is loaded. */
import './dom.ts';
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { act, createElement, type ReactNode, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { expect } from 'vitest';
import { addCapture } from '../../src/capture/add-capture.ts';
import { type Client, type ClientOptions, createClient } from '../../src/client/create-client.ts';
import { liveCollections } from '../../src/http/live-collections.ts';
import type { RealtimeOptions } from '../../src/http/realtime-options.ts';
import { SluiceProvider } from '../../src/react/index.ts';
import { collection } from '../../src/records/collection.ts';
import { everyRow } from '../../src/records/visibility.ts';
import type { Database } from '../../src/store/postgres/database.ts';
import { openPglite } from '../../src/store/postgres/pglite.ts';
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { createLine, READER } from '../client/links.ts';
import { TestApp, tokenOf } from '../http/app.ts';

export { hydrateRoot } from 'react-dom/client';

export interface System {
  readonly app: TestApp;
  readonly client: Client;
  /** Every request of the client: method and path; `(stream)` with those that are answered for as long as they may. */
  readonly requests: string[];
  readonly errors: unknown[];
  make(options?: Partial<ClientOptions>): Client;
  cut(): void;
  restore(): void;
}

const open: { close(): unknown }[] = [];

/** To be called after each test. */
export async function closeAll(): Promise<void> {
  for (const each of open.splice(0).reverse()) await each.close();
}

let users = 0;

export function systemOver(app: TestApp): System {
  open.push({ close: () => app.close() });
  const [requests, errors]: [string[], unknown[]] = [[], []];
  const line = createLine();
  const make = (options: Partial<ClientOptions> = {}): Client => {
    const client = createClient({
      url: 'http://sluice.test',
      // Clients of one user share what they write, and these are to be alone.
      user: `user${users++}`,
      tabs: false,
      token: () => tokenOf({ ...READER, presence: ['**'] }),
      random: () => 0.1,
      onError: (error) => errors.push(error),
      async fetch(input, init = {}) {
        const url = new URL(String(input));
        const isStream = new Headers(init.headers).get('Accept') !== 'application/json';
        requests.push(`${init.method} ${decodeURIComponent(url.pathname)}${isStream ? ' (stream)' : ''}`);
        return line.carry(app, url, init);
      },
      ...options,
    });
    open.push(client);
    return client;
  };
  return {
    app,
    requests,
    errors,
    make,
    client: make(),
    cut: line.cut,
    restore: line.restore,
  };
}

export function system(options?: RealtimeOptions): System {
  return systemOver(new TestApp(options));
}

export type Order = {
  readonly id: number;
  readonly status: string;
  readonly note: string | null;
  readonly version: number;
};

export const orders = pgTable('orders', {
  id: integer('id').primaryKey(),
  status: text('status').notNull().default('open'),
  note: text('note'),
  version: integer('version').notNull().default(1),
});

/** One for the tests of a file: to open one takes longer than any of them. */
let opened: Promise<Database> | undefined;

/** With a table of orders: 1 and 2 are open, 3 is paid. */
export async function systemWithOrders(): Promise<System & { sql(text: string): Promise<unknown> }> {
  opened ??= openPglite();
  const database = await opened;
  const store = await createPostgresStore({ ...database, close: async () => {} });
  await database.query('DROP TABLE IF EXISTS orders');
  await database.query(
    `CREATE TABLE orders (
      id int PRIMARY KEY, status text NOT NULL DEFAULT 'open' CHECK (status <> 'bad'), note text, version int NOT NULL DEFAULT 1)`,
  );
  await addCapture(database, 'orders');
  await database.query(`INSERT INTO orders VALUES (1, 'open', 'one'), (2, 'open', 'two'), (3, 'paid', 'three')`);
  const app = new TestApp({
    store,
    collections: liveCollections([collection('orders', { table: orders, visibility: everyRow() })]),
  });
  await app.realtime.started;
  return { ...systemOver(app), sql: (text) => database.query(text) };
}

/** Does something, and all that React does about it, effects among it. What comes later, React does as in a page. */
export function acting(work: () => void): void {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  act(work);
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: false });
}

export interface Rendered {
  readonly container: HTMLElement;
  /** Shows something else in its place. */
  show(element: ReactNode): void;
  /** Gives another client to what is shown from now on. */
  provide(client: Client): void;
  unmount(): void;
}

/** Renders below a provider, as `StrictMode` does if told so. */
export function render(client: Client, element: ReactNode, { strict = false } = {}): Rendered {
  const container = document.createElement('div');
  const root = createRoot(container);
  let given = client;
  const unmount = () => acting(() => root.unmount());
  const show = (inner: ReactNode) => {
    const below = createElement(SluiceProvider, { client: given }, inner);
    acting(() => root.render(strict ? createElement(StrictMode, null, below) : below));
  };
  open.push({ close: unmount });
  show(element);
  return {
    container,
    show,
    unmount,
    provide(client) {
      given = client;
    },
  };
}

export interface Probe<Shown> {
  readonly element: ReactNode;
  /** What the hook gave, at the last render. */
  readonly shown: Shown;
  /** How often it was rendered. */
  readonly renders: number;
}

/** A component that uses a hook, and shows nothing. */
export function probe<Shown>(hook: () => Shown): Probe<Shown> {
  const seen: Shown[] = [];
  // biome-ignore lint/correctness/noComponentHookFactories: each probe is a component of its own, made outside of components
  function Probing(): ReactNode {
    seen.push(hook());
    return null;
  }
  return {
    get element() {
      return createElement(Probing);
    },
    get shown() {
      return seen.at(-1)!;
    },
    get renders() {
      return seen.length;
    },
  };
}

/** Waits until what has been caused is done: a turn of timers, and a request that the server answers after them. */
export async function settled({ app }: System): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await app.json('/healthz');
    await new Promise((resolve) => setTimeout(resolve));
  }
}

/** Waits until what is read is what is wanted. */
export async function until(read: () => unknown, wanted: unknown, timeout = 10_000): Promise<void> {
  await expect.poll(read, { timeout, interval: 10 }).toEqual(wanted);
}
