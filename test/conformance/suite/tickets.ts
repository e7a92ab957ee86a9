/** Section 4: tickets. */
import { describe, expect } from 'vitest';
import { type Ask, eventsPath, type Kit, numbers } from './client.ts';
import type { Suite } from './target.ts';

async function ticketFor(kit: Kit, topics: readonly string[], token?: string, ttl?: number): Promise<any> {
  const answer = await kit.ask('POST', '/v1/tickets', { body: { topics, ttl }, token: token ?? (await kit.owner()) });
  expect(answer.status, answer.text).toBeOneOf([200, 201]);
  expect(answer.json.ticket).toEqual(expect.any(String));
  return answer.json;
}

/** A request with nothing but the ticket. */
const by = (ticket: string, query: Ask['query'] = {}): Ask => ({ token: undefined, query: { ticket, ...query } });

export function tickets({ it }: Suite): void {
  describe('4 tickets', () => {
    it('open a stream and a page without any header', async ({ kit }) => {
      const topic = kit.topic();
      await kit.publishNumbers(topic, 1, 2);
      const { ticket } = await ticketFor(kit, [topic]);
      const stream = await kit.stream(topic, { ticket, after: 'earliest' }, { token: undefined });
      expect(await stream.events(2)).toHaveLength(2);
      const page = await kit.ask('GET', eventsPath(topic), by(ticket, { format: 'json' }));
      expect(page.json.events).toHaveLength(2);
    });

    it('carry only their topics, on one connection or alone', async ({ kit }) => {
      const [a, b, other] = [kit.topic('a'), kit.topic('b'), kit.topic('other')];
      const { ticket } = await ticketFor(kit, [a, b]);
      const both = await kit.streams([a, b], { ticket }, { token: undefined });
      await both.control('ready');
      kit.refused(await kit.ask('GET', eventsPath(other), by(ticket, { format: 'json' })), 403);
      kit.refused(await kit.ask('GET', eventsPath(other), by(ticket)), 403);
      kit.refused(await kit.ask('GET', '/v1/events', by(ticket, { topic: [a, other] })), 403);
    });

    it('only read: they publish nothing, make no ticket and administer nothing', async ({ kit }) => {
      const topic = kit.topic();
      const { ticket } = await ticketFor(kit, [topic]);
      kit.refused(await kit.ask('POST', eventsPath(topic), { ...by(ticket), body: { data: 1 } }), 401, 403);
      kit.refused(await kit.ask('POST', '/v1/tickets', { ...by(ticket), body: { topics: [topic] } }), 401, 403);
      kit.refused(await kit.ask('POST', '/v1/revocations', { ...by(ticket), body: { sub: 'x' } }), 401, 403);
      kit.refused(await kit.ask('GET', '/v1/topics', by(ticket)), 401, 403);
      expect((await kit.page(topic)).events).toEqual([]);
    });

    it('are given only for what the token may read', async ({ kit }) => {
      const topic = kit.topic();
      const token = await kit.token({ subscribe: [topic] });
      await ticketFor(kit, [topic], token);
      kit.refused(await kit.ask('POST', '/v1/tickets', { body: { topics: [kit.topic()] }, token }), 403);
      kit.refused(await kit.ask('POST', '/v1/tickets', { body: { topics: [topic] }, token: undefined }), 401);
    });

    it('survive reconnects', async ({ kit }) => {
      const topic = kit.topic();
      const { ticket } = await ticketFor(kit, [topic]);
      let id: string | undefined;
      for (const n of numbers(1, 3)) {
        const headers: Record<string, string> = id === undefined ? {} : { 'last-event-id': id };
        const stream = await kit.stream(topic, { ticket }, { token: undefined, headers });
        await stream.control('ready');
        await kit.publish(topic, { data: n });
        const frame = await stream.take((each) => each.data.data === n, `event ${n}`);
        id = frame.id;
        stream.close();
      }
    });

    it('end no later than the token that made them', async ({ kit }) => {
      const topic = kit.topic();
      const exp = Date.now() + 120_000;
      const { expires } = await ticketFor(kit, [topic], await kit.token({ exp: 120 }), 3600);
      expect(Date.parse(expires)).toBeLessThanOrEqual(exp + 1000);
      const short = await ticketFor(kit, [topic], undefined, 60);
      expect(Date.parse(short.expires) - Date.now()).toBeLessThan(70_000);
    });

    it('are refused with 401 when changed, cut, or made up', async ({ kit }) => {
      const topic = kit.topic();
      const { ticket } = (await ticketFor(kit, [topic])) as { ticket: string };
      const at = (index: number) =>
        `${ticket.slice(0, index)}${ticket[index] === 'A' ? 'B' : 'A'}${ticket.slice(index + 1)}`;
      const bad = [
        ...numbers(0, 5).map((n) => at(Math.floor((n * (ticket.length - 2)) / 5))),
        ticket.slice(0, -4),
        'x',
      ];
      for (const each of bad) kit.refused(await kit.ask('GET', eventsPath(topic), by(each, { format: 'json' })), 401);
    });

    it('refuse a topic that is none, no topics, thousands of them, and a ttl that is no positive number', async ({
      kit,
    }) => {
      const topic = kit.topic();
      for (const body of [{}, { topics: [] }, { topics: topic }, { topics: [7] }, [], null, 'x'])
        kit.refused(await kit.ask('POST', '/v1/tickets', { body: JSON.stringify(body) }), 400);
      for (const ttl of [0, -1, 1.5, 'long', null])
        kit.refused(await kit.ask('POST', '/v1/tickets', { body: { topics: [topic], ttl } }), 400);
      const topics = numbers(1, 5000).map((n) => `t${n}`);
      kit.refused(await kit.ask('POST', '/v1/tickets', { body: { topics } }), 400, 413);
    });

    it('are revoked by their own id, by their maker’s token and by its sub', { timeout: 60_000 }, async ({ kit }) => {
      const topic = kit.topic();
      const sub = `maker-${kit.run}`;
      const jti = `jti-${kit.run}`;
      const token = await kit.token({ sub, jti });
      const other = await kit.token({ sub });
      const own = await ticketFor(kit, [topic], token);
      for (const [revocation, ticket] of [
        [{ jti: own.id }, own.ticket],
        [{ jti }, (await ticketFor(kit, [topic], token)).ticket],
        [{ sub }, (await ticketFor(kit, [topic], other)).ticket],
      ]) {
        const stream = await kit.stream(topic, { ticket }, { token: undefined });
        await stream.control('ready');
        const answer = await kit.ask('POST', '/v1/revocations', { body: revocation });
        expect(answer.status, answer.text).toBeLessThan(300);
        const answered = Date.now();
        expect((await stream.control('close')).data.reason).toBe('revoked');
        expect((await stream.ended()) - answered).toBeLessThan(1000);
        kit.refused(await kit.ask('GET', eventsPath(topic), by(ticket, { format: 'json' })), 401);
      }
    });
  });
}
