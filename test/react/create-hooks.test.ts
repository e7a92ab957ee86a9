import { createElement } from 'react';
import { afterEach, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { type Client, createClient } from '../../src/client/index.ts';
import { liveCollections } from '../../src/http/live-collections.ts';
import { createRealtime } from '../../src/http/realtime.ts';
import type { Event } from '../../src/protocol/event.ts';
import { bridgeQueries, recordsQuery } from '../../src/query/index.ts';
import { createHooks, SluiceProvider, useRecords, useTopic } from '../../src/react/index.ts';
import { collection } from '../../src/records/collection.ts';
import { everyRow } from '../../src/records/visibility.ts';
import { closeAll, type Order, orders, probe, render, systemWithOrders, until } from './system.ts';

afterEach(closeAll);

/** Never called: what it would answer is what counts. */
const realtime = () =>
  createRealtime({
    events: { 'chat:*': { said: z.object({ text: z.string() }), left: z.null() }, votes: { cast: z.number() } },
    collections: liveCollections([collection('orders', { table: orders, visibility: everyRow() })]),
  });
type App = ReturnType<typeof realtime>;

const hooks = createHooks<App>();

it('gives the same hooks, which know what the app has', async () => {
  const { app, client } = await systemWithOrders();
  await app.json('/v1/topics/chat:lobby/events', { body: { type: 'said', data: { text: 'hello' } } });
  const said = probe(() => hooks.useTopic('chat:lobby', { last: 1 }));
  const votes = probe(() => hooks.useTopicReducer('votes', (sum: number, { data }) => sum + data, 0));
  const all = probe(() => hooks.useRecords('orders'));
  const one = probe(() => hooks.useRecord('orders', '1'));
  for (const { element } of [said, votes, all, one]) render(client, element);
  await until(() => {
    const [event] = said.shown.events;
    return event?.type === 'said' && event.data.text;
  }, 'hello');
  await until(() => [all.shown.rows[1]?.note, one.shown.row?.note], ['two', 'one']);
  expectTypeOf(said.shown.last?.type).toEqualTypeOf<'said' | 'left' | undefined>();
  expectTypeOf(votes.shown.value).toEqualTypeOf<number>();
  expectTypeOf(all.shown.rows).toEqualTypeOf<readonly Order[]>();
  expectTypeOf(one.shown.row).toEqualTypeOf<Order | undefined>();
  expect(hooks.useTopic).toBe(useTopic);
});

it('lets nothing be asked for that the app does not have', () => {
  const never = () => {
    expectTypeOf(hooks.useClient()).toEqualTypeOf<Client<App>>();
    expectTypeOf(hooks.useTopic('elsewhere')).toHaveProperty('events').toEqualTypeOf<readonly Event[]>();
    hooks.useRecords('orders').create({ id: 5 });
    // @ts-expect-error: there is no such collection
    hooks.useRecords('customers');
    // @ts-expect-error: an order has no such field
    hooks.useRecord('orders', '1').update({ colour: 'red' });
    // @ts-expect-error: an order has an id
    hooks.useRecords('orders').create({ note: '' });
  };
  expectTypeOf(never).toBeFunction();
});

it('takes anything where nothing is known, and the client of any app', () => {
  const never = () => {
    expectTypeOf(useRecords('any').rows[0]?.['field']).toEqualTypeOf<unknown>();
    expectTypeOf(useRecords<Order>('any').rows).toEqualTypeOf<readonly Order[]>();
    expectTypeOf(useTopic('t').last?.data).toEqualTypeOf<unknown>();
    expectTypeOf(useTopic<number>('t').last?.data).toEqualTypeOf<number | undefined>();
    const client = createClient<App>({ url: '' });
    createElement(SluiceProvider, { client });
    const queryClient: Parameters<typeof bridgeQueries>[0]['queryClient'] = null!;
    bridgeQueries({ client, queryClient, rules: [] });
    const { queryKey } = recordsQuery(client.collection('orders'));
    expectTypeOf(queryClient.getQueryData(queryKey)).toEqualTypeOf<readonly Order[] | undefined>();
  };
  expectTypeOf(never).toBeFunction();
});
