import { createElement, type ReactNode, StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  SluiceProvider,
  useConnection,
  useCursors,
  useOutbox,
  usePresence,
  useRecord,
  useRecords,
  useTopic,
  useTopicReducer,
  useTyping,
} from '../../src/react/index.ts';
import { acting, closeAll, hydrateRoot, type Order, settled, systemWithOrders, until } from './system.ts';

afterEach(closeAll);

/** Everything there is, shown as text. */
function Page(): ReactNode {
  const { events, state } = useTopic<number>('t', { last: 5 });
  const sum = useTopicReducer<number, number>('t', (value, { data }) => value + data, 0, { last: 5 });
  const orders = useRecords<Order>('orders');
  const order = useRecord<Order>('orders', '1');
  const { members, membership } = usePresence('room', { member: 'ada', state: { mood: 'fine' } });
  const { typing } = useTyping('room', 'ada');
  const { cursors } = useCursors('room', 'ada');
  const connection = useConnection((status) => status.state);
  const { queued } = useOutbox();
  return JSON.stringify([
    [state.kind, events.map(({ data }) => data), sum.value],
    [orders.state.kind, orders.rows.map(({ id }) => id), order.row?.note ?? null],
    [members.map(({ member }) => member), membership?.kind, typing, [...cursors.keys()]],
    [connection, queued.length],
  ]);
}

const FIRST = [
  ['waiting', [], 0],
  ['loading', [], null],
  [[], 'joining', [], []],
  ['disconnected', 0],
];

describe('a page that a server renders', () => {
  it('shows what is known before anything is, and connects to nothing', async () => {
    const sluice = await systemWithOrders();
    const html = renderToString(createElement(SluiceProvider, { client: sluice.client }, createElement(Page)));
    expect(JSON.parse(html.replaceAll('&quot;', '"'))).toEqual(FIRST);
    await settled(sluice);
    expect(sluice.requests).toEqual([]);
    expect(['t', 'orders', 'room'].map(sluice.client.reads)).toEqual([false, false, false]);
  });

  it('is taken over as it is, also by a client that knows more already, and goes on from there', async () => {
    const sluice = await systemWithOrders();
    const { app, client } = sluice;
    await app.publish('t', 1, 2);
    const html = renderToString(createElement(SluiceProvider, { client: sluice.make() }, createElement(Page)));
    const container = document.createElement('div');
    container.innerHTML = html;
    client
      .collection('orders')
      .query()
      .subscribe(() => {});
    await until(() => client.collection('orders').query().getSnapshot().state.kind, 'live');
    const complaints = vi.spyOn(console, 'error');
    const recovered: unknown[] = [];
    const element = createElement(SluiceProvider, { client }, createElement(Page));
    let root: ReturnType<typeof hydrateRoot>;
    acting(() => {
      root = hydrateRoot(container, createElement(StrictMode, null, element), {
        onRecoverableError: (error) => recovered.push(error),
      });
    });
    await until(
      () => JSON.parse(container.textContent),
      [
        ['live', [1, 2], 3],
        ['live', [1, 2, 3], 'one'],
        [['ada'], 'present', [], []],
        ['connected', 0],
      ],
    );
    expect([recovered, complaints.mock.calls]).toEqual([[], []]);
    complaints.mockRestore();
    acting(() => root.unmount());
  });
});

describe('a hook', () => {
  it('says what is missing where there is no provider', () => {
    expect(() => renderToString(createElement(Page))).toThrow('render this below <SluiceProvider client={client}>');
  });
});
