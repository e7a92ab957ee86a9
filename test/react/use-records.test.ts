import { createElement, Fragment } from 'react';
import { afterEach, describe, expect, it } from 'vitest';
import { useRecord, useRecords } from '../../src/react/index.ts';
import { closeAll, type Order, probe, render, type System, settled, systemWithOrders, until } from './system.ts';

afterEach(closeAll);

const OPEN = 'status=eq.open';
const notesOf = ({ rows }: { readonly rows: readonly Order[] }) => rows.map(({ note }) => note);
const listsOf = ({ requests }: System) => requests.filter((request) => request.startsWith('GET /v1/collections'));

describe('useRecords', () => {
  it('gives the rows of a query, and what becomes of them', async () => {
    const { client, sql } = await systemWithOrders();
    const orders = probe(() => useRecords<Order>('orders', { filter: OPEN, order: 'id.desc', limit: 1 }));
    render(client, orders.element);
    expect(orders.shown).toMatchObject({ rows: [], state: { kind: 'loading' }, more: false });
    await until(() => [notesOf(orders.shown), orders.shown.more, orders.shown.state.kind], [['two'], true, 'live']);
    await sql(`INSERT INTO orders VALUES (4, 'open', 'four')`);
    await until(() => notesOf(orders.shown), ['four']);
    await sql(`UPDATE orders SET status = 'paid' WHERE id = 4`);
    await until(() => notesOf(orders.shown), ['two']);
  });

  it('shows what is written at once, and what became of it', async () => {
    const { client, app } = await systemWithOrders();
    const orders = probe(() => useRecords<Order>('orders'));
    render(client, orders.element);
    await until(() => orders.shown.state.kind, 'live');
    const { create, update, replace, remove } = orders.shown;
    create({ id: 5, note: 'five' });
    update('1', { note: 'uno' });
    replace('2', { note: 'dos' });
    remove('3');
    await until(() => notesOf(orders.shown), ['uno', 'dos', 'five']);
    expect(orders.shown.pendingOf('1').length).toBe(1);
    await until(() => client.status.queued, 0);
    await until(() => orders.shown.pendingOf('1'), []);
    const { body } = await app.json('/v1/collections/orders');
    await until(() => orders.shown.rows, body.records);
    update('1', { status: 'bad' });
    await until(() => orders.shown.pendingOf('1')[0]?.state, 'dead');
    expect(orders.shown.update).toBe(update);
  });

  it('goes by what the query says, and not by which object it is', async () => {
    const sluice = await systemWithOrders();
    let status = 'open';
    const orders = probe(() => useRecords<Order>('orders', { filter: [`status=eq.${status}`] }));
    const { show } = render(sluice.client, orders.element);
    await until(() => notesOf(orders.shown), ['one', 'two']);
    await until(() => orders.shown.state.kind, 'live');
    const { shown } = orders;
    show(orders.element);
    await settled(sluice);
    expect(orders.shown).toBe(shown);
    expect(listsOf(sluice)).toHaveLength(1);
    status = 'paid';
    show(orders.element);
    expect(orders.shown.rows).toEqual([]);
    await until(() => notesOf(orders.shown), ['three']);
  });

  it('lists once, however many components ask, however often they mount, and when one comes in the place of another', async () => {
    const sluice = await systemWithOrders();
    const [one, two] = [1, 2].map(() => probe(() => useRecords<Order>('orders', { filter: OPEN })));
    const both = createElement(Fragment, null, one!.element, two!.element);
    const { show, unmount } = render(sluice.client, both, { strict: true });
    await until(() => [one!.shown.state.kind, two!.shown.state.kind], ['live', 'live']);
    const third = probe(() => useRecords<Order>('orders', { filter: OPEN }));
    show(third.element);
    expect(notesOf(third.shown)).toEqual(['one', 'two']);
    await settled(sluice);
    expect(listsOf(sluice)).toHaveLength(1);
    expect(sluice.requests.filter((request) => request.endsWith('(stream)'))).toHaveLength(1);
    unmount();
    await until(() => sluice.client.reads('orders'), false);
    await until(() => sluice.client.status.state, 'disconnected');
  });

  it('is not rendered again for what it does not show', async () => {
    const sluice = await systemWithOrders();
    const orders = probe(() => useRecords<Order>('orders', { order: 'id.asc', limit: 1 }));
    const all = probe(() => useRecords<Order>('orders'));
    render(sluice.client, createElement(Fragment, null, orders.element, all.element));
    await until(() => [orders.shown.state.kind, all.shown.state.kind], ['live', 'live']);
    const [renders, [row]] = [orders.renders, all.shown.rows];
    await sluice.sql(`UPDATE orders SET note = 'drei' WHERE id = 3`);
    await until(() => notesOf(all.shown), ['one', 'two', 'drei']);
    await settled(sluice);
    expect(orders.renders).toBe(renders);
    expect(all.shown.rows[0]).toBe(row);
  });

  it('says why it is refused, and reads again when it is told to', async () => {
    const { make } = await systemWithOrders();
    const client = make({ token: undefined });
    const orders = probe(() => useRecords<Order>('orders'));
    render(client, orders.element);
    await until(() => orders.shown.state, { kind: 'refused', code: 'token-required' });
    orders.shown.refresh();
    await until(() => orders.shown.state.kind, 'refused');
  });
});

describe('useRecord', () => {
  it('gives one record, and changes it', async () => {
    const { client, sql } = await systemWithOrders();
    const order = probe(() => useRecord<Order>('orders', '2'));
    render(client, order.element);
    expect(order.shown).toMatchObject({ row: undefined, state: { kind: 'loading' }, pending: [] });
    await until(() => [order.shown.row?.note, order.shown.state.kind], ['two', 'live']);
    order.shown.update({ note: 'zwei' });
    await until(() => [order.shown.row?.note, order.shown.row?.version, order.shown.pending], ['zwei', 2, []]);
    await sql(`UPDATE orders SET note = 'dos' WHERE id = 2`);
    await until(() => order.shown.row?.note, 'dos');
    order.shown.update({ status: 'bad' });
    await until(() => order.shown.pending.map(({ state }) => state), ['dead']);
    order.shown.remove();
    await until(() => order.shown.row, undefined);
    await until(() => client.status.queued, 0);
    expect(order.shown.state.kind).toBe('live');
  });

  it('is not rendered again for other records, nor for writes of them', async () => {
    const sluice = await systemWithOrders();
    const order = probe(() => useRecord<Order>('orders', '2'));
    const { show } = render(sluice.client, order.element, { strict: true });
    await until(() => order.shown.state.kind, 'live');
    const { renders, shown } = order;
    await sluice.sql(`UPDATE orders SET note = 'uno' WHERE id = 1`);
    await sluice.client.collection('orders').update('3', { note: 'tres' }).confirmed;
    await until(() => sluice.client.outbox.pending(), []);
    await settled(sluice);
    expect(order.renders).toBe(renders);
    show(order.element);
    expect(order.shown).toBe(shown);
    expect(listsOf(sluice)).toHaveLength(1);
  });

  it('reads nothing without a key, and says so to who would change it', async () => {
    const sluice = await systemWithOrders();
    let key: string | undefined;
    const order = probe(() => useRecord<Order>('orders', key));
    const { show } = render(sluice.client, order.element);
    await settled(sluice);
    expect(order.shown).toMatchObject({ row: undefined, state: { kind: 'closed' } });
    expect(sluice.requests).toEqual([]);
    expect(() => order.shown.update({ note: '' })).toThrow(TypeError);
    key = '1';
    show(order.element);
    await until(() => order.shown.row?.note, 'one');
    key = undefined;
    show(order.element);
    expect(order.shown.row).toBeUndefined();
    await until(() => sluice.client.reads('orders'), false);
  });

  it('may be one of many: they share a reading', async () => {
    const { client } = await systemWithOrders();
    const probes = ['1', '2', '3', '4', '5'].map((key) => probe(() => useRecord<Order>('orders', key)));
    render(
      client,
      probes.map(({ element }, key) => createElement(Fragment, { key }, element)),
    );
    const kinds = () => probes.map(({ shown }) => shown.state.kind);
    await until(kinds, ['live', 'live', 'live', 'live', 'live']);
  });
});
