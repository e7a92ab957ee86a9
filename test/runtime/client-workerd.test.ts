/** The client on workerd, the runtime of Cloudflare Workers. */
import { fileURLToPath } from 'node:url';
import { Miniflare } from 'miniflare';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Served, serveForTest } from '../browser/served.ts';

describe('the client on workerd', () => {
  let served: Served;
  let worker: Miniflare;
  let url: string;

  beforeAll(async () => {
    served = await serveForTest('serve');
    const input = fileURLToPath(new URL('./client-worker.ts', import.meta.url));
    const build = await rolldown({ input, platform: 'neutral' });
    const { output } = await build.generate({ format: 'esm', codeSplitting: false });
    await build.close();
    worker = new Miniflare({
      modules: [{ type: 'ESModule', path: 'worker.mjs', contents: output[0].code }],
      compatibilityDate: '2026-01-01',
      host: '127.0.0.1',
      port: 0,
    });
    url = (await worker.ready).href;
  });

  afterAll(async () => {
    await worker?.dispose();
    await served?.close();
  });

  it('subscribes and publishes', async () => {
    const token = await served.token({ sub: 'worker', sluice: { subscribe: ['**'], publish: ['**'] } });
    const body = JSON.stringify({ url: served.url, token, topic: 'from:worker' });
    const response = await fetch(url, { method: 'POST', body });
    const text = await response.text();
    expect(response.status, text).toBe(200);
    expect(JSON.parse(text)).toEqual({ told: [1, 2, 3], transport: 'stream', errors: [] });
  });
});
