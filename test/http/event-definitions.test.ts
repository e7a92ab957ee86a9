import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { compileEventDefinitions } from '../../src/http/event-definitions.ts';
import { testApps } from './app.ts';

const app = testApps(afterEach);
const events = {
  'chat:lobby': { said: z.object({ text: z.string().trim() }) },
  'chat:*': { message: z.string(), toString: z.number() },
};

const publish = (body: unknown, topic = 'chat:lobby') => {
  const sluice = app({ events });
  return sluice.json(`/v1/topics/${topic}/events`, { body });
};

describe('a topic whose events are defined', () => {
  it('takes what its definition allows, as the schema makes it', async () => {
    const sluice = app({ events });
    const answer = await sluice.json('/v1/topics/chat:lobby/events', {
      body: { type: 'said', data: { text: ' hi ', more: 1 } },
    });
    expect(answer.status).toBe(201);
    const page = await sluice.json('/v1/topics/chat:lobby/events?format=json');
    expect(page.body.events).toMatchObject([{ type: 'said', data: { text: 'hi' } }]);
    expect(page.body.events[0].data).not.toHaveProperty('more');
  });

  it.each<[string, unknown, string]>([
    ['another type', { type: 'sung', data: {} }, 'type'],
    ['no type, where there is none without', { data: {} }, 'type'],
    ['the name of something else', { type: 'constructor', data: {} }, 'type'],
    ['other data', { type: 'said', data: { text: 1 } }, 'data.text'],
    [
      'other data in a list',
      [
        { type: 'said', data: { text: 'a' } },
        { type: 'said', data: [] },
      ],
      '1.data',
    ],
    ['other data that are not kept', { type: 'said', data: 1, ephemeral: true }, 'data'],
  ])('refuses %s, and says where', async (_, body, path) => {
    const answer = await publish(body);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid']);
    expect(answer.body.errors.map((error: { path: string }) => error.path)).toEqual([path]);
  });

  it('is judged by the first pattern that it belongs to', async () => {
    expect((await publish({ data: 'hi' })).status).toBe(400);
    expect((await publish({ data: 'hi' }, 'chat:other')).status).toBe(201);
    expect((await publish({ type: 'anything', data: 1 }, 'elsewhere')).status).toBe(201);
  });

  it('holds for code that embeds the app as well', async () => {
    const { realtime } = app({ events });
    await expect(realtime.publish('chat:lobby', { data: 1 })).rejects.toThrow(/no events of the type message/);
    expect(() => realtime.publishEphemeral('chat:lobby', { type: 'said', data: 1 })).toThrow(TypeError);
  });
});

describe('definitions', () => {
  it('are refused where a pattern is none', () => {
    expect(() => compileEventDefinitions({ 'a b': {} })).toThrow(TypeError);
  });
});
