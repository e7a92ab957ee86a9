import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { type TestApp, testApps } from './app.ts';

describe('mounted in another app', () => {
  const app = testApps(afterEach);

  function mounted(): TestApp {
    const sluice = app();
    const host = new Hono();
    host.get('/', (c) => c.text('the host'));
    host.route('/realtime', sluice.realtime);
    host.notFound((c) => c.text('the host has no such thing', 404));
    sluice.request = (url, init) => host.request(url, init);
    return sluice;
  }

  it('publishes and streams below its path, and leaves the rest alone', async () => {
    const sluice = mounted();
    const stream = await sluice.stream('/realtime/v1/topics/t/events');
    await stream.told('ready');
    const answer = await sluice.json('/realtime/v1/topics/t/events', { body: { data: 1 } });
    expect(answer.status).toBe(201);
    await expect.poll(() => stream.data()).toEqual([1]);
    expect(await (await sluice.ask('/')).text()).toBe('the host');
    expect(await (await sluice.ask('/v1/topics/t/events')).text()).toBe('the host has no such thing');
  });

  it('keeps its own refusals: 401, 404, 405 and 400 as problems', async () => {
    const sluice = mounted();
    expect(await sluice.refusal('/realtime/v1/nothing')).toBe('404 not-found');
    expect(await sluice.refusal('/realtime/v1/topics/t/events', { as: null })).toBe('401 token-required');
    expect(await sluice.refusal('/realtime/v1/topics/a%20b/events')).toBe('400 invalid-topic');
    const wrong = await sluice.json('/realtime/v1/topics/t/events', { method: 'PUT' });
    expect(`${wrong.status} ${wrong.body.code}`).toBe('405 method-not-allowed');
    expect(wrong.headers.get('Allow')?.split(', ').sort()).toEqual(expect.arrayContaining(['GET', 'POST']));
  });

  it('describes itself as being there', async () => {
    const sluice = mounted();
    const { body } = await sluice.json('/realtime/openapi.json', { as: null });
    expect(body.servers).toEqual([{ url: '/realtime' }]);
    const page = await (await sluice.ask('/realtime/docs', { as: null })).text();
    expect(page).toContain('data-url="/realtime/openapi.json"');
  });
});

describe('at the root', () => {
  const app = testApps(afterEach);

  it('answers what it does not know with problems', async () => {
    const sluice = app();
    expect(await sluice.refusal('/nothing')).toBe('404 not-found');
    expect(await sluice.refusal('/v1/nothing')).toBe('404 not-found');
    expect(await sluice.refusal('/v1/topics/t/events', { method: 'DELETE' })).toBe('405 method-not-allowed');
    expect(await sluice.refusal('/healthz', { method: 'POST' })).toBe('405 method-not-allowed');
  });
});
