import { afterEach, describe, expect, it } from 'vitest';
import { negotiate } from '../../src/http/negotiate.ts';
import { testApps } from './app.ts';

describe('negotiation', () => {
  it.each([
    [undefined, 'sse'],
    ['', 'sse'],
    ['*/*', 'sse'],
    ['text/event-stream', 'sse'],
    ['TEXT/Event-Stream', 'sse'],
    ['text/*', 'sse'],
    ['application/json', 'json'],
    ['application/x-ndjson', 'ndjson'],
    ['application/*', 'ndjson'],
    ['application/json, text/event-stream', 'sse'],
    ['application/json, text/event-stream;q=0.5', 'json'],
    ['text/event-stream;q=0, */*', 'ndjson'],
    ['text/event-stream;q=0, application/x-ndjson;q=0.1, application/json;q=0.2', 'json'],
    ['text/html, */*;q=0.1', 'sse'],
    ['text/html', undefined],
    ['image/*', undefined],
    ['text/event-stream;q=0', undefined],
  ])('%s gives %s', (accept, format) => {
    expect(negotiate(accept)).toBe(format);
  });
});

describe('a read', () => {
  const app = testApps(afterEach);

  it.each([
    [{}, '', 'text/event-stream'],
    [{ Accept: 'application/x-ndjson' }, '', 'application/x-ndjson'],
    [{ Accept: 'application/json' }, '', 'application/json'],
    [{ Accept: 'text/html' }, '?format=ndjson', 'application/x-ndjson'],
    [{ Accept: 'text/event-stream' }, '?format=json', 'application/json'],
  ])('with %o%s is %s, and says on what that depends', async (headers: Record<string, string>, query, type) => {
    const response = await app().ask(`/v1/topics/t/events${query}`, { headers });
    expect(response.status).toBe(200);
    expect(response.headers.get('Content-Type')).toBe(type);
    expect(response.headers.get('Vary')).toMatch(/\bAccept\b/);
    await response.body?.cancel();
  });

  it('that accepts none of them is refused', async () => {
    expect(await app().refusal('/v1/topics/t/events', { headers: { Accept: 'text/html' } })).toBe('406 not-acceptable');
  });

  it('as a stream asks proxies neither to buffer nor to transform, and is not compressed', async () => {
    const stream = await app().stream('/v1/topics/t/events', { headers: { 'Accept-Encoding': 'gzip' } });
    expect(stream.response.headers.get('Cache-Control')).toBe('no-cache, no-transform');
    expect(stream.response.headers.get('X-Accel-Buffering')).toBe('no');
    expect(stream.response.headers.get('Content-Encoding')).toBeNull();
    await stream.told('ready');
  });

  it('as a page is compressed when it is worth while and the reader can take it', async () => {
    const sluice = app();
    await sluice.publish('t', ...Array.from({ length: 50 }, (_, n) => ({ n, text: 'the same again' })));
    const path = '/v1/topics/t/events?format=json';
    const plain = await sluice.ask(path);
    expect(plain.headers.get('Content-Encoding')).toBeNull();
    const zipped = await sluice.ask(path, { headers: { 'Accept-Encoding': 'gzip' } });
    expect(zipped.headers.get('Content-Encoding')).toBe('gzip');
    const text = await new Response(zipped.body!.pipeThrough(new DecompressionStream('gzip'))).text();
    expect(text).toBe(await plain.text());
    const little = await sluice.ask('/v1/topics/empty/events?format=json', { headers: { 'Accept-Encoding': 'gzip' } });
    expect(little.headers.get('Content-Encoding')).toBeNull();
  });

  it.each(['sse', 'ndjson', 'json'])('by HEAD has the headers of %s and no body, and opens nothing', async (format) => {
    const sluice = app();
    const response = await sluice.ask(`/v1/topics/t/events?format=${format}`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('Content-Type')).toMatch(/event-stream|ndjson|json/);
    expect(await response.text()).toBe('');
    expect(sluice.realtime.gauges()).toMatchObject({ streams: {}, subscriptions: 0 });
  });
});
