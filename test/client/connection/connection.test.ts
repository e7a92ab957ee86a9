import { afterEach, describe, expect, it, vi } from 'vitest';
import { longPoll } from '../../../src/client/connection/fallback.ts';
import { tokenOf } from '../../http/app.ts';
import { listen, READER, type System, systems, untilLive } from '../links.ts';

const system = systems(afterEach);

/** Streams that never begin, as behind a proxy that buffers; other requests are answered. */
function holdStreamsBack({ intercept }: System): void {
  intercept((_, init) => (String(init.body).includes('"ndjson"') ? new Promise<Response>(() => undefined) : undefined));
}

describe('a connection', () => {
  it('is put under a fresh token before the one that it has ends, and stays', async () => {
    let made = 0;
    const { app, link, requests } = system({
      token: () => {
        made += 1;
        // The server says a minute before the end that it is near: at once, for the first.
        return tokenOf({ ...READER, expiresIn: made === 1 ? 61 : 3600 });
      },
    });
    const told = listen(link, 't');
    await untilLive(told);
    await expect.poll(() => requests.some((request) => /^PUT .*token$/.test(request)), { timeout: 5000 }).toBe(true);
    await expect
      .poll(async () => Date.parse((await app.json('/v1/streams')).body.streams[0]?.expires) - Date.now())
      .toBeGreaterThan(3_000_000);
    await app.publish('t', 1);
    await expect.poll(told.data).toEqual([1]);
    expect(requests.filter((request) => request === 'POST /v1/streams')).toHaveLength(1);
  });

  it('that loses its token gets another one and goes on', async () => {
    let made = 0;
    const { app, link } = system({
      random: () => 0,
      token: () => {
        made += 1;
        return tokenOf({ ...READER, jti: `token-${made}` });
      },
    });
    const told = listen(link, 't');
    await untilLive(told);
    await app.json('/v1/revocations', { body: { jti: 'token-1' } });
    await expect.poll(() => made, { timeout: 5000 }).toBe(2);
    await untilLive(told);
    await app.publish('t', 1);
    await expect.poll(told.data).toEqual([1]);
  });

  it('whose only token is refused is not tried again, until it is asked for', async () => {
    const { link, requests } = system({ token: 'nonsense' });
    listen(link, 't');
    await expect.poll(() => link.status.trouble).toMatchObject({ kind: 'refused', code: 'token-invalid' });
    expect(link.status.state).toBe('disconnected');
    expect(requests).toHaveLength(1);
    await link.renewToken();
    await expect.poll(() => requests.length).toBe(2);
  });

  it('whose token cannot be had is tried again, and the reason is told', async () => {
    let fails = true;
    const { link, errors } = system({
      random: () => 0,
      token: () => {
        if (fails) throw new Error('the sign-in is away');
        return tokenOf(READER);
      },
    });
    const told = listen(link, 't');
    await expect.poll(() => link.status.trouble).toEqual({ kind: 'unreachable', why: 'token' });
    fails = false;
    await untilLive(told);
    expect(errors[0]).toMatchObject({ message: 'the sign-in is away' });
  });

  it('is found dead within 45 s when nothing is heard of it', async () => {
    const { app, link, intercept } = system({ clock: () => Date.now() });
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
    try {
      const told = listen(link, 't');
      await untilLive(told);
      // The server says nothing any more: its own timers stand still, the client's run.
      intercept(() => new Promise<Response>(() => undefined));
      const began = Date.now();
      while (link.status.state === 'connected' && Date.now() - began < 60_000) await vi.advanceTimersByTimeAsync(1000);
      expect(link.status.trouble).toEqual({ kind: 'lost', why: 'silent' });
      expect(Date.now() - began).toBeLessThanOrEqual(45_000);
      expect(app.realtime.gauges().streams).toEqual({});
    } finally {
      vi.useRealTimers();
    }
  });

  it('is opened again at once when the network is back', async () => {
    const { link, cut, restore, signals } = system({ random: () => 0.99 });
    const told = listen(link, 't');
    await untilLive(told);
    cut();
    await expect.poll(() => link.status.state).toBe('reconnecting');
    restore();
    const began = Date.now();
    signals.network();
    await untilLive(told);
    expect(Date.now() - began).toBeLessThan(300);
  });

  it('through a network that was gone is opened anew, though nothing has told that it is dead', async () => {
    const { link, requests, signals } = system();
    const told = listen(link, 't');
    await untilLive(told);
    signals.offline();
    await expect.poll(() => requests).toContain('GET /healthz');
    expect(link.status.state).toBe('connected');
    signals.network();
    await untilLive(told);
    expect(requests.filter((request) => request === 'POST /v1/streams')).toHaveLength(2);
  });

  it('is looked at when the page is shown again, and opened anew when the server does not answer', async () => {
    const { app, link, intercept, signals } = system({ random: () => 0 });
    const told = listen(link, 't');
    await untilLive(told);
    intercept((url) => (url.pathname === '/healthz' ? Response.error() : undefined));
    signals.wake();
    await expect.poll(() => told.states).toEqual(['live', 'waiting', 'live']);
    await app.publish('t', 1);
    await expect.poll(told.data).toEqual([1]);
  });
});

describe('where streams do not come through', () => {
  const fallenBack = async () => {
    const fallback = longPoll();
    const made = { ...system({ fallback, random: () => 0 }), fallback };
    const { app, link } = made;
    await app.publish('a', 'before');
    holdStreamsBack(made);
    const told = listen(link, 'a');
    await expect.poll(() => link.status.transport, { timeout: 8000 }).toBe('poll');
    await untilLive(told);
    return { ...made, told };
  };

  it('polls take over, and everything goes on as by a stream', async () => {
    const { app, link, told, cut, restore, fallback } = await fallenBack();
    expect([link.status.state, fallback.obstacle()]).toEqual(['connected', 'first-bytes-late']);
    await app.publish('a', 1);
    await expect.poll(told.data).toEqual([1]);
    const filtered = listen(link, 'b', { filter: 'n=gt.1', after: 'earliest' });
    await untilLive(filtered);
    await app.publish('b', { n: 1 }, { n: 2 });
    await app.publish('a', 2);
    await expect.poll(() => [told.data(), filtered.data()]).toEqual([[1, 2], [{ n: 2 }]]);
    cut();
    await app.publish('a', 3);
    restore();
    await expect.poll(told.data, { timeout: 5000 }).toEqual([1, 2, 3]);
    told.subscription.close();
    await app.publish('b', { n: 3 });
    await expect.poll(filtered.data).toEqual([{ n: 2 }, { n: 3 }]);
  });

  it('a stream is tried again on another network, and no place is lost on the way', async () => {
    const { app, link, told, intercept, signals } = await fallenBack();
    await app.publish('a', 1);
    await expect.poll(told.data).toEqual([1]);
    intercept(undefined);
    signals.network();
    await app.publish('a', 2);
    await expect.poll(() => link.status).toMatchObject({ state: 'connected', transport: 'stream' });
    await app.publish('a', 3);
    await expect.poll(told.data).toEqual([1, 2, 3]);
  });

  it('polls go on when it is tried again in vain', async () => {
    const { app, link, told, signals } = await fallenBack();
    signals.network();
    expect(link.status.transport).toBe('stream');
    await app.publish('a', 1);
    await expect.poll(() => link.status.transport, { timeout: 8000 }).toBe('poll');
    await expect.poll(told.data).toEqual([1]);
  });

  it('and nothing else does either, it is the network', async () => {
    const fallback = longPoll();
    const { link, intercept } = system({ fallback, random: () => 0.99 });
    intercept(() => new Promise<Response>(() => undefined));
    listen(link, 'a');
    await expect.poll(() => link.status.trouble, { timeout: 12_000 }).toEqual({ kind: 'unreachable', why: 'timeout' });
    expect(fallback.obstacle()).toBeUndefined();
  });

  it('a poll that a proxy cuts waits less long', async () => {
    const waits: number[] = [];
    const { link, intercept } = system({ fallback: longPoll(), random: () => 0 });
    intercept((_, init) => {
      const body = String(init.body);
      if (body.includes('"ndjson"')) return new Promise<Response>(() => undefined);
      const { wait } = JSON.parse(body.startsWith('{') ? body : '{}');
      if (wait === undefined || wait === 0) return undefined;
      waits.push(wait);
      return wait > 5 ? new Response('cut', { status: 504, headers: { 'Content-Type': 'text/html' } }) : undefined;
    });
    const told = listen(link, 'a');
    await expect.poll(() => waits, { timeout: 10_000 }).toEqual([25, 12, 6, 5]);
    await untilLive(told);
  });
});
