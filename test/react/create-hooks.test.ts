import { afterEach, expect, expectTypeOf, it } from 'vitest';
import type { Row } from '../../src/client/mutation.ts';
import {
  createHooks,
  type LiveRecord,
  type Records,
  type TopicView,
  useRecords,
  useTopic,
} from '../../src/react/index.ts';
import { closeAll, type Order, probe, render, systemWithOrders, until } from './system.ts';

afterEach(closeAll);

interface Said {
  readonly text: string;
}

const hooks = createHooks<{
  topics: { [room: `chat:${string}`]: Said; votes: number };
  collections: { orders: Order };
}>();

it('gives the same hooks, which know what there is', async () => {
  const { app, client } = await systemWithOrders();
  await app.publish('chat:lobby', { text: 'hello' });
  const said = probe(() => hooks.useTopic('chat:lobby', { last: 1 }));
  const votes = probe(() => hooks.useTopicReducer('votes', (sum: number, { data }) => sum + data, 0));
  const orders = probe(() => hooks.useRecords('orders'));
  const order = probe(() => hooks.useRecord('orders', '1'));
  for (const { element } of [said, votes, orders, order]) render(client, element);
  await until(() => said.shown.events[0]?.data.text, 'hello');
  await until(() => [orders.shown.rows[1]?.note, order.shown.row?.note], ['two', 'one']);
  expectTypeOf(said.shown).toEqualTypeOf<TopicView<Said>>();
  expectTypeOf(votes.shown.value).toEqualTypeOf<number>();
  expectTypeOf(orders.shown).toEqualTypeOf<Records<Order>>();
  expectTypeOf(order.shown).toEqualTypeOf<LiveRecord<Order>>();
  expect(hooks.useTopic).toBe(useTopic);
});

it('does not know what there is not', () => {
  // @ts-expect-error: there is no such topic
  void (() => hooks.useTopic('chat'));
  // @ts-expect-error: there is no such collection
  void (() => hooks.useRecords('customers'));
  // @ts-expect-error: an order has no such field
  void (() => hooks.useRecord('orders', '1').update({ colour: 'red' }));
  void (() => {
    expectTypeOf(useRecords('orders').rows).toEqualTypeOf<readonly Row[]>();
    expectTypeOf(useTopic('t').last?.data).toEqualTypeOf<unknown>();
  });
});
