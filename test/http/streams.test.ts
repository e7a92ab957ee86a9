import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../src/store/memory.ts';
import { createLocalHub } from '../support/local-hub.ts';
import { type Streaming, type TestApp, testApps } from './app.ts';
import { fallibleStore } from './fallible-store.ts';

const A = { sub: 'a', subscribe: ['**'] };

describe('streams as resources', () => {
  const app = testApps(afterEach);

  /** One node, or two on one store. The stream is always on the first. */
  const systems: readonly [string, () => { readonly holder: TestApp; readonly other: TestApp }][] = [
    [
      'on the node that holds the stream',
      () => {
        const holder = app();
        return { holder, other: holder };
      },
    ],
    [
      'from another node',
      () => {
        const store = createMemoryStore();
        const hub = createLocalHub();
        const [holder, other] = ['node0001', 'node0002'].map((node) => {
          // Each closes its own; the memory store does not mind being closed twice.
          return app({ store, node, bus: hub.bus(node), tailCheckMs: 50 });
        });
        return { holder: holder!, other: other! };
      },
    ],
  ];

  const open = async (holder: TestApp, as = A, topics = [{ topic: 't' }]): Promise<Streaming & { id: string }> => {
    const stream = await holder.stream('/v1/streams', { as, body: { topics } });
    await stream.told('ready');
    return Object.assign(stream, { id: stream.control('open')[0].stream as string });
  };

  describe.each(systems)('%s', (_, system) => {
    it('PATCH adds and removes topics without losing a position', async () => {
      const { holder, other } = system();
      const [before] = await holder.publish('u', 'before');
      const stream = await open(holder);
      const answer = await other.json(`/v1/streams/${stream.id}`, {
        method: 'PATCH',
        as: A,
        body: { add: [{ topic: 'u', after: 'earliest' }], remove: [] },
      });
      expect(answer.body).toEqual({ stream: stream.id, topics: ['t', 'u'] });
      await expect.poll(() => stream.data()).toEqual(['before']);
      await holder.publish('t', 'both');
      await expect.poll(() => stream.data()).toEqual(['before', 'both']);
      expect(stream.blocks.at(-1)!.id?.split('.')).toEqual([expect.any(String), before]);
      const removal = { method: 'PATCH', as: A, body: { remove: ['t', 'never-there'] } };
      const removed = await other.json(`/v1/streams/${stream.id}`, removal);
      expect(removed.body.topics).toEqual(['u']);
      await holder.publish('t', 'unheard');
      await holder.publish('u', 'heard');
      await expect.poll(() => stream.data()).toEqual(['before', 'both', 'heard']);
    });

    it('PATCH with a topic that is there already changes nothing', async () => {
      const { holder, other } = system();
      const stream = await open(holder);
      const body = { add: [{ topic: 't', after: 'earliest' }, { topic: 't' }] };
      const answer = await other.json(`/v1/streams/${stream.id}`, { method: 'PATCH', as: A, body });
      expect(answer.body.topics).toEqual(['t']);
      await holder.publish('t', 1);
      await expect.poll(() => stream.data()).toEqual([1]);
    });

    it('PATCH is refused: of somebody else’s stream, without the right, beyond the limit, of none', async () => {
      const { holder, other } = system();
      const stream = await open(holder);
      const patch = (path: string, as: object | null, body: unknown) =>
        other.refusal(path, { method: 'PATCH', as, body });
      const mine = `/v1/streams/${stream.id}`;
      expect(await patch(mine, { ...A, sub: 'b' }, { add: [{ topic: 'u' }] })).toBe('403 forbidden');
      expect(await patch(mine, { sub: 'a', subscribe: ['t'] }, { add: [{ topic: 'u' }] })).toBe('403 forbidden');
      const many = { add: Array.from({ length: 50 }, (_, n) => ({ topic: `u${n}` })) };
      expect(await patch(mine, A, many)).toBe('400 too-many-topics');
      expect(await patch(mine, A, {})).toBe('400 invalid');
      const none = `/v1/streams/${stream.id.slice(0, 8)}${'0'.repeat(32)}`;
      expect(await patch(none, A, { add: [{ topic: 'u' }] })).toBe('404 not-found');
      expect((await other.json('/v1/streams')).body.streams).toMatchObject([{ stream: stream.id, topics: ['t'] }]);
    });

    it('PUT of a token puts the stream under it', async () => {
      const { holder, other } = system();
      const stream = await open(holder, { ...A, expiresIn: 40 } as typeof A);
      const path = `/v1/streams/${stream.id}/token`;
      const answer = await other.json(path, { method: 'PUT', as: { ...A, expiresIn: 7200 } });
      expect(answer.status).toBe(200);
      const { streams } = (await other.json('/v1/streams')).body;
      expect(Date.parse(streams[0].expires) - Date.now()).toBeGreaterThan(7_000_000);
      expect(await other.refusal(path, { method: 'PUT', as: { ...A, sub: 'b' } })).toBe('403 forbidden');
      expect(await other.refusal(path, { method: 'PUT', as: { sub: 'a', subscribe: ['u'] } })).toBe('403 forbidden');
      expect(await other.refusal(path, { method: 'PUT', as: null })).toBe('401 token-required');
    });

    it('GET lists the streams of all nodes, and DELETE ends one', async () => {
      const { holder, other } = system();
      const stream = await open(holder);
      const local = await open(other, { ...A, sub: 'b' });
      const { streams } = (await other.json('/v1/streams')).body;
      expect(streams).toHaveLength(2);
      expect(streams).toContainEqual({
        stream: stream.id,
        node: stream.id.slice(0, 8),
        format: 'sse',
        topics: ['t'],
        sub: 'a',
        address: null,
        since: expect.any(String),
        expires: expect.any(String),
      });
      const path = `/v1/streams/${stream.id}`;
      expect(await other.refusal(path, { method: 'DELETE', as: A })).toBe('403 forbidden');
      const answer = await other.ask(path, { method: 'DELETE' });
      expect([answer.status, await answer.text()]).toEqual([204, '']);
      expect(await stream.told('close')).toMatchObject({ reason: 'limit' });
      await expect.poll(() => stream.ended()).toBe(true);
      expect(await other.refusal(path, { method: 'DELETE' })).toBe('404 not-found');
      expect(local.ended()).toBe(false);
    });

    it('a revocation ends the stream', async () => {
      const { holder, other } = system();
      const stream = await open(holder);
      expect((await other.ask('/v1/revocations', { body: { sub: 'a' } })).status).toBe(204);
      expect(await stream.told('close')).toMatchObject({ reason: 'revoked' });
      expect(await holder.refusal('/v1/topics/t/events', { as: A })).toBe('401 token-invalid');
    });

    it('what is published there arrives here, ephemeral or not', async () => {
      const { holder, other } = system();
      const stream = await open(holder);
      await other.publish('t', 1);
      await expect.poll(() => stream.data()).toEqual([1]);
      await other.json('/v1/topics/t/events', { body: { data: 2, ephemeral: true } });
      await expect.poll(() => stream.data()).toEqual([1, 2]);
    });
  });

  it.each([`gonegone${'0'.repeat(32)}`, 'short', `${'x'.repeat(39)}%20`])(
    '%s, a stream that is not there, is not found',
    async (stream) => {
      expect(await app().refusal(`/v1/streams/${stream}`, { method: 'DELETE' })).toBe('404 not-found');
    },
  );

  describe('while the positions of its topics are still looked up', () => {
    const opening = async () => {
      const state = fallibleStore();
      const sluice = app({ store: state.store });
      await sluice.realtime.started;
      state.away = true;
      const stream = await sluice.stream('/v1/streams', { as: A, body: { topics: [{ topic: 't' }, { topic: 'u' }] } });
      const { stream: id } = await stream.told('open');
      return { sluice, state, stream, path: `/v1/streams/${id}` };
    };

    it('is not put under a token that does not cover them', async () => {
      const { sluice, path } = await opening();
      const put = (subscribe: string[]) =>
        sluice.refusal(`${path}/token`, { method: 'PUT', as: { sub: 'a', subscribe } });
      expect(await put(['t'])).toBe('403 forbidden');
      expect(await put(['t', 'u'])).toBe('200 application/json');
    });

    it('loses those that are taken off, and holds none twice', async () => {
      const { sluice, state, stream, path } = await opening();
      const patch = (body: unknown) => sluice.json(path, { method: 'PATCH', as: A, body });
      expect((await patch({ add: [{ topic: 'u' }] })).body.topics).toEqual(['t', 'u']);
      expect((await patch({ remove: ['t'] })).body.topics).toEqual(['u']);
      state.away = false;
      await stream.told('ready');
      await sluice.publish('t', 'unheard');
      await sluice.publish('u', 'heard');
      await expect.poll(() => stream.data()).toEqual(['heard']);
      expect(stream.control('ready')).toHaveLength(1);
    });
  });

  it('opened with a body has for each topic its own start, filter, types and conflation', async () => {
    const sluice = app();
    await sluice.json('/v1/topics/a/events', { body: [1, 2, 3].map((n) => ({ type: 'x', data: { n } })) });
    await sluice.json('/v1/topics/b/events', {
      body: [4, 5, 6].map((n) => ({ type: n === 5 ? 'y' : 'x', data: { n } })),
    });
    const stream = await sluice.stream('/v1/streams', {
      body: {
        topics: [
          { topic: 'a', after: 'earliest', filter: 'n=gt.1' },
          { topic: 'b', last: 2, types: ['y'] },
          { topic: 'c' },
        ],
      },
    });
    await stream.told('ready');
    expect(stream.data().map(({ n }) => n)).toEqual([2, 3, 5]);
  });

  it('can be lines of JSON, by the body or by Accept', async () => {
    const sluice = app();
    const body = { topics: [{ topic: 't' }] };
    for (const ask of [
      { body: { ...body, format: 'ndjson' } },
      { body, headers: { Accept: 'application/x-ndjson' } },
    ]) {
      const response = await sluice.ask('/v1/streams', ask);
      expect(response.headers.get('Content-Type')).toBe('application/x-ndjson');
      await response.body?.cancel();
    }
  });

  it('is not renewed by a ticket', async () => {
    const sluice = app();
    const stream = await open(sluice);
    const { ticket } = (await sluice.json('/v1/tickets', { as: A, body: { topics: ['t'] } })).body;
    const path = `/v1/streams/${stream.id}/token?ticket=${ticket}`;
    expect(await sluice.refusal(path, { method: 'PUT', as: null })).toBe('401 token-required');
  });
});
