/** The outbox against a real server of this package. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOutbox } from '../../../src/client/outbox/create-outbox.ts';
import { createMemoryStore } from '../../../src/client/outbox/memory-store.ts';
import { outboxName } from '../../../src/client/outbox/outbox.ts';
import { createRequest } from '../../../src/client/request.ts';
import { createToken } from '../../../src/client/token.ts';
import { type Served, serveForTest } from '../../browser/served.ts';

describe('against a real server', () => {
  let served: Served;
  beforeAll(async () => {
    served = await serveForTest('serve');
  });
  afterAll(() => served?.close());

  it('a write whose answers are lost is in the log once, under its own key', async () => {
    const bearer = await served.token({ sub: 'ada', sluice: { publish: ['chat:*'], subscribe: ['chat:*'] } });
    const clock = Date.now;
    const onError = (error: unknown) => {
      throw error;
    };
    let lost = 0;
    const unreliable: typeof fetch = async (...args) => {
      const response = await fetch(...args);
      if (lost === 3 || !String(args[0]).includes('lobby')) return response;
      lost += 1;
      throw new TypeError('the line was cut');
    };
    const outbox = createOutbox({
      name: outboxName(served.url, 'ada'),
      store: Promise.resolve(createMemoryStore()),
      request: createRequest({
        url: served.url,
        fetch: unreliable,
        token: createToken(bearer, onError),
        clock,
      }),
      // Without waits between attempts.
      environment: { clock, random: () => 0, createId: () => crypto.randomUUID() },
      onError,
    });
    const one = outbox.enqueue({ kind: 'publish', topic: 'chat:lobby', events: [{ data: 1 }] });
    const two = outbox.enqueue({ kind: 'publish', topic: 'chat:lobby', events: [{ data: 2 }, { data: 3 }] });
    const forbidden = outbox.enqueue({ kind: 'publish', topic: 'news', events: [{ data: 1 }] });
    expect(await two.confirmed).toMatchObject({ body: { events: [{}, {}] }, merged: false });
    await expect(forbidden.confirmed).rejects.toMatchObject({ code: 'refused', problem: { code: 'forbidden' } });
    const page = await fetch(`${served.url}/v1/topics/chat%3Alobby/events?format=json`, {
      headers: { Authorization: `Bearer ${bearer}` },
    });
    const { events } = (await page.json()) as { events: readonly { data: unknown; mutation: string; actor: string }[] };
    expect(events.map(({ data, mutation, actor }) => [data, mutation, actor])).toEqual([
      [1, one.id, 'ada'],
      [2, two.id, 'ada'],
      [3, two.id, 'ada'],
    ]);
    expect(lost).toBe(3);
    outbox.close();
  });
});
