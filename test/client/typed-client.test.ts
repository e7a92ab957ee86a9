/** What the compiler knows of an app's topics and collections by `createClient<typeof app>`: the check is `tsc`. */
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { afterAll, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { type Client, createClient } from '../../src/client/index.ts';
import type { edgeCollections as EdgeCollections } from '../../src/cloudflare/collections/edge-collections.ts';
import type { createWorker as CreateWorker } from '../../src/cloudflare/worker.ts';
import { liveCollections } from '../../src/http/live-collections.ts';
import { createRealtime } from '../../src/http/realtime.ts';
import type { DefinitionOf } from '../../src/protocol/definition.ts';
import type { Event } from '../../src/protocol/event.ts';
import { collection } from '../../src/records/collection.ts';
import { everyRow } from '../../src/records/visibility.ts';

const table = pgTable('orders', {
  id: text('id').primaryKey(),
  amount: integer('amount').notNull(),
  note: text('note'),
  version: integer('version').notNull().default(1),
});

const events = {
  'chat:*': { said: z.object({ text: z.string() }), left: z.null() },
  news: { message: z.string() },
};

/** Never called: what they would answer is what counts. */
const withRecords = () =>
  createRealtime({ events, collections: liveCollections([collection('orders', { table, visibility: everyRow() })]) });
type App = ReturnType<typeof withRecords>;
const onWorkers = (edgeCollections: typeof EdgeCollections, createWorker: typeof CreateWorker) =>
  createWorker({ events, collections: edgeCollections([collection('orders', { table, visibility: everyRow() })]) });
type WorkerApp = ReturnType<typeof onWorkers>;

const app = createRealtime({ events });
afterAll(() => app.close());

const open = <Of>(): Client<Of> =>
  createClient<Of>({ url: 'http://sluice.test', fetch: async () => Response.error(), onError: () => undefined });

describe('a typed client', () => {
  it('knows of a Worker what it knows of a server', () => {
    expectTypeOf<DefinitionOf<WorkerApp>>().toEqualTypeOf<DefinitionOf<App>>();
    expectTypeOf<keyof DefinitionOf<WorkerApp>['collections']>().toEqualTypeOf<'orders'>();
  });

  it('knows the events of topics, told apart by their types', () => {
    const client = open<typeof app>();
    const subscription = client.subscribe(
      'chat:lobby',
      {},
      {
        onEvent(event) {
          expectTypeOf(event.type).toEqualTypeOf<'said' | 'left'>();
          if (event.type === 'said') expectTypeOf(event.data).toEqualTypeOf<{ text: string }>();
          else expectTypeOf(event.data).toEqualTypeOf<null>();
        },
      },
    );
    expectTypeOf<typeof subscription extends AsyncIterable<infer Each> ? Each : never>().toHaveProperty('topic');
    client.subscribe('news', {}, { onEvent: ({ data }) => expectTypeOf(data).toEqualTypeOf<string>() });
    client.subscribe('elsewhere', {}, { onEvent: (event) => expectTypeOf(event).toEqualTypeOf<Event>() });
    client.subscribe<{ n: number }>(
      'elsewhere',
      {},
      { onEvent: ({ data }) => expectTypeOf(data.n).toEqualTypeOf<number>() },
    );
    client.close();
  });

  it('lets only what is defined be published', () => {
    const client = open<typeof app>();
    const publish = () => {
      client.publish('chat:lobby', { type: 'said', data: { text: 'Hello' } });
      client.publish('elsewhere', { data: 1 });
      // @ts-expect-error there are no such events
      client.publish('chat:lobby', { type: 'sung', data: { text: 'Hello' } });
      // @ts-expect-error data of another type
      client.publish('chat:lobby', { type: 'said', data: { text: 1 } });
    };
    expectTypeOf(publish).toBeFunction();
    client.close();
  });

  it('knows the collections, their records, and what may be written', () => {
    const client = open<App>();
    const use = () => {
      const orders = client.collection('orders');
      const { rows } = orders.query().getSnapshot();
      expectTypeOf(rows[0]!).toEqualTypeOf<{
        readonly id: string;
        readonly amount: number;
        readonly note: string | null;
        readonly version: number;
      }>();
      orders.create({ id: '1', amount: 2 });
      orders.update('1', { note: null });
      // @ts-expect-error no such collection
      client.collection('customers');
      // @ts-expect-error an order has an amount
      orders.create({ id: '1' });
      // @ts-expect-error which is a number
      orders.update('1', { amount: 'two' });
      client.subscribe(
        'orders',
        {},
        {
          onEvent(event) {
            if (event.type === 'insert') expectTypeOf(event.data.new.amount).toEqualTypeOf<number>();
          },
        },
      );
    };
    expectTypeOf(use).toBeFunction();
    client.close();
  });

  it('takes anything where nothing is known', () => {
    const client = open();
    const use = () => {
      client
        .collection('any')
        .query()
        .getSnapshot()
        .rows.map((row) => row['any']);
      client.publish('any', { data: 1 });
    };
    expectTypeOf(use).toBeFunction();
    client.close();
    expect(client.status.state).toBe('disconnected');
  });
});
