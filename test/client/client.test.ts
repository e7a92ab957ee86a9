/** The whole client over a whole app. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Client, type ClientOptions, createClient } from '../../src/client/create-client.ts';
import { TestApp, tokenOf } from '../http/app.ts';
import { createLine, listen, READER, untilLive } from './links.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

function system(options: Partial<ClientOptions> = {}) {
  const app = new TestApp();
  open.push({ close: () => app.realtime.close() });
  const line = createLine();
  const errors: unknown[] = [];
  const make = (): Client => {
    const client = createClient({
      url: 'http://sluice.test',
      token: () => tokenOf({ ...READER, presence: ['**'] }),
      random: () => 0,
      onError: (error) => errors.push(error),
      fetch: async (input, init = {}) => line.carry(app, new URL(String(input)), init),
      ...options,
    });
    open.push(client);
    return client;
  };
  return {
    app,
    errors,
    client: make(),
    make,
    cut: line.cut,
    restore: line.restore,
  };
}

describe('a client', () => {
  it('publishes, and hears what it published', async () => {
    const { client, errors } = system();
    const told = listen(client, 't');
    await untilLive(told);
    const { queued, confirmed, id } = client.publish('t', { data: 'hello' });
    await queued;
    await confirmed;
    await expect.poll(told.data).toEqual(['hello']);
    expect(told.events[0]).toMatchObject({ mutation: id, actor: 'reader' });
    await expect.poll(() => client.outbox.pending()).toEqual([]);
    expect(errors).toEqual([]);
  });

  it('keeps what it writes without a network, in order, and writes it once', async () => {
    const { app, client, cut, restore } = system();
    const told = listen(client, 't');
    await untilLive(told);
    cut();
    const writes = [1, 2, 3].map((data) => client.publish('t', { data }));
    await Promise.all(writes.map(({ queued }) => queued));
    expect(client.status.queued).toBe(3);
    restore();
    await Promise.all(writes.map(({ confirmed }) => confirmed));
    await expect.poll(told.data).toEqual([1, 2, 3]);
    await expect.poll(() => client.status.queued).toBe(0);
    expect((await app.json('/v1/topics/t')).body.events).toBe(3);
  });

  it('says why there is no connection, though it is lists alone that are waited for', async () => {
    const { client, cut, restore } = system();
    cut();
    expect(client.status).toMatchObject({ state: 'disconnected', trouble: undefined });
    const stop = client
      .collection('things')
      .query()
      .subscribe(() => undefined);
    await expect
      .poll(() => client.status)
      .toMatchObject({ state: 'reconnecting', trouble: { kind: 'unreachable', why: 'network' } });
    expect(client.status.attempts).toBeGreaterThan(0);
    restore();
    // This server has no such collection: then there is nothing more to wait for.
    await expect.poll(() => client.status, { timeout: 5000 }).toMatchObject({ state: 'disconnected', attempts: 0 });
    expect(client.collection('things').query().getSnapshot().state).toMatchObject({ kind: 'refused' });
    stop();
  });

  it('keeps what the server refuses, and sends it again when it is mended', async () => {
    const { client } = system();
    const write = client.publish('t', { type: 'a b', data: 1 });
    await expect(write.confirmed).rejects.toMatchObject({ code: 'refused', problem: { code: 'invalid' } });
    expect(client.status).toMatchObject({ queued: 0, dead: 1 });
    const [dead] = client.outbox.deadLetters();
    const again = client.outbox.edit(dead!.id, { kind: 'publish', topic: 't', events: [{ data: 1 }] });
    await again.confirmed;
    expect(client.status.dead).toBe(0);
  });

  it('says how good the connection is while somebody wants to know', async () => {
    const { client } = system();
    expect(client.status).toMatchObject({ state: 'disconnected', quality: 'offline', queued: 0, dead: 0 });
    const told = listen(client, 't');
    await untilLive(told);
    expect(client.status).toMatchObject({ state: 'connected', quality: 'unknown', transport: 'stream' });
    const before = client.status;
    expect(client.status).toBe(before);
    const stop = client.observe(() => undefined);
    await expect.poll(() => client.status.quality).toBe('excellent');
    expect(client.status.roundTrip).toBeLessThan(100);
    stop();
  });

  it('says how good the connection is as soon as there is one, to those who asked before', async () => {
    const { client } = system();
    const stop = client.observe(() => undefined);
    listen(client, 't');
    await expect.poll(() => client.status.quality).toBe('excellent');
    stop();
  });

  it('is present, tells its state, hears of others, and leaves', async () => {
    const { client, make } = system();
    const ada = client.presence('room');
    const bob = make().presence('room');
    const membership = ada.join('ada', { mood: 'fine' });
    await expect.poll(() => membership.state.kind).toBe('present');
    await expect.poll(() => bob.members).toMatchObject([{ member: 'ada', state: { mood: 'fine' } }]);
    membership.update({ mood: 'better' });
    bob.join('bob');
    await expect
      .poll(() => bob.members.map(({ member, state }) => [member, state]))
      .toEqual([
        ['ada', { mood: 'better' }],
        ['bob', null],
      ]);
    await expect.poll(() => ada.members).toEqual(bob.members);
    membership.leave();
    await expect.poll(() => bob.members.map(({ member }) => member)).toEqual(['bob']);
  });

  it('shows who is typing, for as long as they do', async () => {
    const { client, make } = system();
    const ada = client.presence('room').typing('ada');
    const [bob, own] = [make().presence('room'), client.presence('room')];
    const seen = bob.typing('bob');
    await expect.poll(() => [client.status.state, own.state.kind]).toEqual(['connected', 'live']);
    await expect
      .poll(
        () => {
          ada.send(true);
          return [...seen.values];
        },
        { interval: 300, timeout: 5000 },
      )
      .toEqual([['ada', true]]);
    expect([...ada.values]).toEqual([]);
    await expect.poll(() => [...seen.values], { timeout: 8000 }).toEqual([]);
  });

  it('is told why it may not be where it wants to be', async () => {
    const { client } = system({ token: () => tokenOf(READER) });
    const presence = client.presence('room');
    const membership = presence.join('ada');
    await expect.poll(() => membership.state).toEqual({ kind: 'refused', code: 'forbidden' });
    await expect.poll(() => presence.state).toEqual({ kind: 'refused', code: 'forbidden' });
  });
});
