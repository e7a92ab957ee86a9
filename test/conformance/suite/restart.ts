/** What outlives a restart, and how a server says goodbye. */
import { describe, expect } from 'vitest';
import { eventsPath, numbers } from './client.ts';
import type { Suite } from './target.ts';

const data = (events: readonly any[]): unknown[] => events.map((event) => event.data);

export function restart({ it, target }: Suite): void {
  if (target.features?.restart === undefined) return;
  const { run, durable } = target.features.restart;
  if (durable) outlived({ it, target }, run);
  else wiped({ it, target }, run);
}

function outlived({ it }: Suite, run: () => Promise<void>): void {
  describe('1 a restart', { timeout: 60_000 }, () => {
    it('loses no event that was acknowledged, and every reader continues where it was', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      const ids = await kit.publishNumbers(a, 1, 20);
      await kit.publishNumbers(b, 1, 3);
      const stream = await kit.streams([a, b], { after: 'earliest' });
      await stream.events(20);
      const id = stream.frames.at(-1)?.id ?? '';
      const seen = stream.frames.filter((frame) => frame.control === undefined).map((frame) => frame.data);
      const before = await kit.page(a);
      await run();
      expect((await kit.page(a)).events).toEqual(before.events);
      const [next] = await kit.publishNumbers(a, 21, 21);
      expect(next).toBe(ids[0]?.replace(/-1$/, '-21'));
      const again = await kit.streams([a, b], {}, { headers: { 'last-event-id': id } });
      await again.control('ready');
      const rest = again.frames.filter((frame) => frame.control === undefined).map((frame) => frame.data);
      const all = [...seen, ...rest];
      expect(data(all.filter((event) => event.topic === a))).toEqual(numbers(1, 21));
      expect(data(all.filter((event) => event.topic === b))).toEqual(numbers(1, 3));
      expect(again.frames.some((frame) => frame.control === 'gap')).toBe(false);
    });

    it('forgets no idempotency key, no revocation and no ticket', async ({ kit }) => {
      const topic = kit.topic();
      const token = await kit.token({ sub: `gone-${kit.run}` });
      const bearer = await kit.owner();
      const write = { headers: { 'idempotency-key': 'before' }, body: { data: 1 }, token: bearer };
      const first = await kit.ask('POST', eventsPath(topic), write);
      await kit.ask('POST', '/v1/revocations', { body: { sub: `gone-${kit.run}` } });
      const { ticket } = (await kit.ask('POST', '/v1/tickets', { body: { topics: [topic] } })).json;
      await run();
      const again = await kit.ask('POST', eventsPath(topic), write);
      expect([again.status, again.text]).toEqual([first.status, first.text]);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      kit.refused(await kit.ask('GET', eventsPath(topic), { token }), 401);
      const query = { ticket, format: 'json' };
      expect((await kit.ask('GET', eventsPath(topic), { token: undefined, query })).json.events).toHaveLength(1);
    });
  });
}

function wiped({ it }: Suite, run: () => Promise<void>): void {
  describe('1 a log that was wiped', { timeout: 60_000 }, () => {
    it('is recognised by its epoch: an old cursor gets $gap, not silence', async ({ kit }) => {
      const topic = kit.topic();
      const [id = ''] = (await kit.publishNumbers(topic, 1, 3)).slice(-1);
      await run();
      await kit.publishNumbers(topic, 101, 105);
      const stream = await kit.stream(topic, {}, { headers: { 'last-event-id': id } });
      expect((await stream.control('gap')).data).toMatchObject({ topic, requested: id, reason: 'unknown-epoch' });
      expect(data(await stream.events(5))).toEqual(numbers(101, 105));
    });
  });
}

/** A server that stops on purpose. The last test there is: nothing answers after it. */
export function stop({ it, target }: Suite): void {
  const run = target.features?.stop;
  if (run === undefined) return;
  describe('2 draining', { timeout: 60_000 }, () => {
    it('tells every stream $close draining, with a retry that does not bring all back at once', async ({ kit }) => {
      const topic = kit.topic();
      const streams = await Promise.all(
        numbers(1, 12).map((n) => kit.stream(topic, { format: n % 2 ? 'sse' : 'ndjson' })),
      );
      await Promise.all(streams.map((stream) => stream.control('ready')));
      const started = Date.now();
      const stopped = run();
      const retries: number[] = [];
      for (const stream of streams) {
        const close = await stream.control('close');
        expect(close.data.reason).toBe('draining');
        retries.push(close.data.retry);
        await stream.ended();
      }
      expect(new Set(retries).size).toBeGreaterThan(1);
      for (const retry of retries) expect(retry).toBeGreaterThan(0);
      await stopped;
      expect(Date.now() - started).toBeLessThan(11_000);
      await expect(fetch(kit.url('/healthz'))).rejects.toThrow();
    });
  });
}
