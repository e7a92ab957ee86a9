import { dehydrate, hydrate, QueryClient, QueryObserver } from '@tanstack/query-core';
import { QueryClientProvider, useQuery } from '@tanstack/react-query';
import { createElement } from 'react';
import { afterEach, expect, expectTypeOf, it } from 'vitest';
import { recordsQuery } from '../../src/query/index.ts';
import { closeAll, type Order, probe, render, type System, settled, systemWithOrders, until } from '../react/system.ts';

afterEach(closeAll);

const OPEN = { filter: 'status=eq.open' };
const notesOf = (orders: readonly Order[] | undefined) => orders?.map(({ note }) => note);
const listsOf = ({ requests }: System) => requests.filter((request) => request.startsWith('GET /v1/collections'));

/** Components that show orders by `useQuery`. */
function showing(sluice: System, queryClient = new QueryClient(), client = sluice.client) {
  const orders = probe(() => useQuery(recordsQuery<Order>(client.collection('orders'), OPEN)));
  const provider = (...shown: (typeof orders)[]) =>
    createElement(QueryClientProvider, { client: queryClient }, ...shown.map(({ element }) => element));
  const rendered = render(client, provider(orders), { strict: true });
  return { queryClient, orders, provider, ...rendered };
}

it('lists, and stays as the server has it, own writes among it, without another fetch', async () => {
  const sluice = await systemWithOrders();
  const { orders, queryClient } = showing(sluice);
  expect(orders.shown).toMatchObject({ isPending: true, data: undefined });
  await until(() => notesOf(orders.shown.data), ['one', 'two']);
  await until(() => sluice.client.status.state, 'connected');
  await sluice.sql(`UPDATE orders SET status = 'open' WHERE id = 3`);
  await until(() => notesOf(orders.shown.data), ['one', 'two', 'three']);
  const [first] = orders.shown.data!;
  sluice.client.collection('orders').update('2', { note: 'zwei' });
  await until(() => notesOf(orders.shown.data), ['one', 'zwei', 'three']);
  expect(orders.shown.data![0]).toBe(first);
  await until(() => sluice.client.outbox.pending(), []);
  expect(listsOf(sluice)).toHaveLength(1);
  const { queryKey } = recordsQuery<Order>(sluice.client.collection('orders'), OPEN);
  expectTypeOf(queryClient.getQueryData(queryKey)).toEqualTypeOf<readonly Order[] | undefined>();
  await until(() => queryClient.getQueryData(queryKey) === orders.shown.data, true);
});

it('shares what is read with whoever asks for the same, and gives what is known to who comes later', async () => {
  const sluice = await systemWithOrders();
  const { orders, provider, queryClient, show } = showing(sluice);
  await until(() => notesOf(orders.shown.data), ['one', 'two']);
  const later = probe(() => useQuery(recordsQuery<Order>(sluice.client.collection('orders'), OPEN)));
  show(provider(orders, later));
  expect(later.shown.data).toBe(orders.shown.data);
  await until(() => queryClient.isFetching(), 0);
  await sluice.sql(`UPDATE orders SET note = 'uno' WHERE id = 1`);
  await until(() => [notesOf(later.shown.data), notesOf(orders.shown.data)], Array(2).fill(['uno', 'two']));
  expect(listsOf(sluice)).toHaveLength(1);
});

it('is let go of when nobody observes it, and is old then', async () => {
  const sluice = await systemWithOrders();
  const { queryClient, orders, unmount } = showing(sluice);
  await until(() => notesOf(orders.shown.data), ['one', 'two']);
  unmount();
  await until(() => sluice.client.reads('orders'), false, 5000);
  const { queryKey } = recordsQuery<Order>(sluice.client.collection('orders'), OPEN);
  expect(queryClient.getQueryState(queryKey)).toMatchObject({ isInvalidated: true, fetchStatus: 'idle' });
  await sluice.sql(`UPDATE orders SET note = 'uno' WHERE id = 1`);
  expect(notesOf(queryClient.getQueryData(queryKey))).toEqual(['one', 'two']);
  const again = showing(sluice, queryClient);
  expect(notesOf(again.orders.shown.data)).toEqual(['one', 'two']);
  await until(() => notesOf(again.orders.shown.data), ['uno', 'two']);
});

it('that was fetched in advance is let go of, and what comes from a server is followed when it is shown', async () => {
  const sluice = await systemWithOrders();
  const onServer = new QueryClient();
  await onServer.prefetchQuery(recordsQuery<Order>(sluice.client.collection('orders'), OPEN));
  const html = JSON.stringify(dehydrate(onServer));
  await until(() => sluice.client.reads('orders'), false, 5000);
  onServer.clear();
  const inPage = new QueryClient();
  hydrate(inPage, JSON.parse(html));
  const { orders } = showing(sluice, inPage);
  expect(notesOf(orders.shown.data)).toEqual(['one', 'two']);
  await sluice.sql(`UPDATE orders SET note = 'uno' WHERE id = 1`);
  await until(() => notesOf(orders.shown.data), ['uno', 'two']);
});

it('says why it is refused', async () => {
  const sluice = await systemWithOrders();
  const { orders } = showing(sluice, new QueryClient(), sluice.make({ token: undefined }));
  await until(
    () => [orders.shown.isError, orders.shown.error],
    [true, expect.objectContaining({ code: 'token-required' })],
  );
  expect(orders.shown.failureCount).toBe(1);
});

it('is given up when nobody waits for it any more', async () => {
  const sluice = await systemWithOrders();
  const queryClient = new QueryClient();
  const observer = new QueryObserver(queryClient, recordsQuery<Order>(sluice.client.collection('orders'), OPEN));
  observer.subscribe(() => {})();
  await settled(sluice);
  const { queryKey } = recordsQuery(sluice.client.collection('orders'), OPEN);
  expect(queryClient.getQueryState(queryKey)).toMatchObject({ status: 'pending', fetchStatus: 'idle' });
  await until(() => sluice.client.reads('orders'), false, 5000);
});
