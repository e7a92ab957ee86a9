/** Sections 2 and 4: a token that ends in the middle of a stream, and its renewal. */
import { describe, expect } from 'vitest';
import { eventsPath, numbers } from './client.ts';
import type { Suite } from './target.ts';

/** A clock that differs a little is forgiven: a stream may outlive its token by so much, in milliseconds. */
const TOLERANCE = 10_000;

export function expiry({ it, target }: Suite): void {
  describe.concurrent('4 the end of a token', { timeout: 60_000 }, () => {
    it('is told by $expiring, enforced mid-stream, and told by $close', async ({ kit }) => {
      const topic = kit.topic();
      const exp = Date.now() + 4000;
      const stream = await kit.stream(topic, {}, { token: await kit.token({ exp: 4 }) });
      const expiring = await stream.control('expiring', 4000);
      expect(Math.abs(Date.parse(expiring.data.at) - exp)).toBeLessThan(TOLERANCE);
      const close = await stream.control('close', 4000 + TOLERANCE);
      expect(close.data).toMatchObject({ reason: 'expired', retry: expect.any(Number) });
      const ended = await stream.ended();
      expect(ended).toBeGreaterThan(exp - 2500);
      expect(ended).toBeLessThan(exp + TOLERANCE);
    });

    it.runIf(!target.features?.fast)('is told 60 seconds before, and not earlier', async ({ kit }) => {
      const opened = Date.now();
      const stream = await kit.stream(kit.topic(), {}, { token: await kit.token({ exp: 66 }) });
      await stream.control('expiring', 20_000);
      const waited = Date.now() - opened;
      expect(waited).toBeGreaterThan(3000);
      expect(waited).toBeLessThan(12_000);
    });

    it('ends an NDJSON stream and one by a ticket too', async ({ kit }) => {
      const topic = kit.topic();
      const lines = await kit.stream(topic, { format: 'ndjson' }, { token: await kit.token({ exp: 3 }) });
      const { ticket } = (await kit.ask('POST', '/v1/tickets', { body: { topics: [topic], ttl: 2 } })).json;
      const ticketed = await kit.stream(topic, { ticket }, { token: undefined });
      for (const stream of [lines, ticketed]) {
        expect((await stream.control('close', 3000 + TOLERANCE)).data.reason).toBe('expired');
        await stream.ended();
      }
      const query = { ticket, format: 'json' };
      kit.refused(await kit.ask('GET', eventsPath(topic), { token: undefined, query }), 401);
    });

    it('is put off by PUT …/token with a fresh bearer: no reconnect, no lost position', async ({ kit }) => {
      const topic = kit.topic();
      const sub = `renewer-${kit.run}`;
      const exp = Date.now() + 4000;
      const stream = await kit.stream(topic, {}, { token: await kit.token({ sub, exp: 4 }) });
      const name = await stream.name();
      await stream.control('ready');
      await kit.publishNumbers(topic, 1, 2);
      const answer = await kit.ask('PUT', `/v1/streams/${name}/token`, { token: await kit.token({ sub }) });
      expect(answer.status, answer.text).toBeOneOf([200, 204]);
      await kit.publishNumbers(topic, 3, 4);
      while (Date.now() < exp + TOLERANCE) {
        expect(stream.endedAt).toBeUndefined();
        await new Promise((done) => setTimeout(done, 200));
      }
      await kit.publishNumbers(topic, 5, 6);
      expect((await stream.events(6)).map((event) => event.data)).toEqual(numbers(1, 6));
      expect(stream.frames.some((frame) => frame.control === 'close')).toBe(false);
    });

    it('comes for a renewed stream when the new token ends', async ({ kit }) => {
      const sub = `twice-${kit.run}`;
      const stream = await kit.stream(kit.topic(), {}, { token: await kit.token({ sub }) });
      const name = await stream.name();
      const fresh = await kit.token({ sub, exp: 3 });
      const answer = await kit.ask('PUT', `/v1/streams/${name}/token`, { token: fresh });
      // A token that ends earlier than the one before may be taken at its word or refused, but never extend the stream.
      if (answer.status < 300) expect((await stream.control('close', 3000 + TOLERANCE)).data.reason).toBe('expired');
      else kit.refused(answer, 400, 403, 409, 422);
    });

    it('is not put off by a token of someone else, by none, or by one without the grants', async ({ kit }) => {
      const topic = kit.topic();
      const sub = `victim-${kit.run}`;
      const stream = await kit.stream(topic, {}, { token: await kit.token({ sub }) });
      const path = `/v1/streams/${await stream.name()}/token`;
      kit.refused(await kit.ask('PUT', path, { token: await kit.token() }), 403, 404);
      kit.refused(await kit.ask('PUT', path, { token: undefined }), 401);
      kit.refused(await kit.ask('PUT', path, { token: await kit.token({ sub, exp: -60 }) }), 401);
      const without = await kit.ask('PUT', path, { token: await kit.token({ sub, subscribe: [] }) });
      if (without.status < 300) await stream.control('close');
      else {
        kit.refused(without, 403);
        await kit.publish(topic, { data: 'still here' });
        expect((await stream.events(1))[0].data).toBe('still here');
      }
    });

    it('answers 401 to what comes after it', async ({ kit }) => {
      const token = await kit.token({ exp: -60 });
      const answer = await kit.ask('GET', eventsPath(kit.topic()), { token });
      expect(kit.refused(answer, 401).code).toBe('token-expired');
    });
  });
}
