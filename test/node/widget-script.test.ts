import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Served, serveForTest } from '../browser/served.ts';

describe.each(['dev', 'serve'] as const)('the widget as served by %s', (mode) => {
  let served: Served;

  beforeAll(async () => {
    served = await serveForTest(mode, { CORS_ORIGINS: 'https://named.example' });
  });

  afterAll(() => served?.close());

  const get = (headers: Record<string, string> = {}) => fetch(`${served.url}/widget.js`, { headers });

  it('is a script for pages of any origin', async () => {
    const response = await get(mode === 'dev' ? {} : { Origin: 'https://other.example' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('cross-origin-resource-policy')).toBe('cross-origin');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await response.text()).toContain('sluice-feed');
  });

  it('is compressed for who can take it, and the same for who cannot', async () => {
    const plain = await get({ 'Accept-Encoding': 'identity' });
    expect(plain.headers.get('content-encoding')).toBeNull();
    const small = await get({ 'Accept-Encoding': 'br, gzip' });
    expect(small.headers.get('content-encoding')).toBe('gzip');
    expect(small.headers.get('vary')).toContain('Accept-Encoding');
    expect(await small.text()).toBe(await plain.text());
  });

  it('may be kept, and is asked for again by its tag', async () => {
    const first = await get();
    const etag = first.headers.get('etag') ?? '';
    expect(first.headers.get('cache-control')).toBe(mode === 'dev' ? 'no-cache' : 'public, max-age=3600');
    expect(etag).not.toBe('');
    const again = await get({ 'If-None-Match': etag });
    expect([again.status, again.headers.get('access-control-allow-origin')]).toEqual([304, '*']);
    expect((await get({ 'If-None-Match': '"other"' })).status).toBe(200);
  });

  it('answers HEAD, and refuses what is no reading', async () => {
    const head = await fetch(`${served.url}/widget.js`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const post = await fetch(`${served.url}/widget.js`, { method: 'POST' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});
