/** Several nodes on one database are one system. */
import { describe, expect } from 'vitest';
import { createKit, eventsPath, type Kit, numbers } from './client.ts';
import type { Suite } from './target.ts';

const data = (events: readonly any[]): unknown[] => events.map((event) => event.data);

export function nodes({ it, target }: Suite): void {
  const otherUrl = target.features?.otherUrl;
  if (otherUrl === undefined) return;
  /** A kit that speaks to the other node. */
  const there = (kit: Kit): Kit => createKit({ ...target, url: otherUrl }, kit.run);

  describe('1 several nodes', () => {
    it('deliver each other’s events, gap-free and in one order, while both are written to', async ({ kit }) => {
      const other = there(kit);
      const topic = kit.topic();
      const readers = [await kit.stream(topic), await other.stream(topic)];
      await Promise.all(readers.map((reader) => reader.control('ready')));
      const write = async (via: Kit, name: string) => {
        for (const n of numbers(1, 40)) await via.publish(topic, { data: `${name}${n}` });
      };
      await Promise.all([write(kit, 'a'), write(other, 'b')]);
      const [one, two] = await Promise.all(readers.map((reader) => reader.events(80, 20_000)));
      expect(one).toEqual(two);
      expect(one?.map((event) => Number(event.id.split('-').pop()))).toEqual(numbers(1, 80));
      const of = (name: string) => data(one ?? []).filter((each) => String(each).startsWith(name));
      expect(of('a')).toEqual(numbers(1, 40).map((n) => `a${n}`));
      expect(of('b')).toEqual(numbers(1, 40).map((n) => `b${n}`));
      other.close();
    });

    it('resume each other’s readers, and deliver each other’s ephemeral events', async ({ kit }) => {
      const other = there(kit);
      const topic = kit.topic();
      const ids = await kit.publishNumbers(topic, 1, 10);
      const stream = await other.stream(topic, {}, { headers: { 'last-event-id': ids[4] ?? '' } });
      expect(data(await stream.events(5))).toEqual(numbers(6, 10));
      await stream.control('ready');
      await kit.publish(topic, { data: 'now', ephemeral: true });
      const [event] = await stream.events(1);
      expect(event).toMatchObject({ data: 'now' });
      expect(event).not.toHaveProperty('id');
      other.close();
    });

    it('wake each other’s long polls', async ({ kit }) => {
      const other = there(kit);
      const topic = kit.topic();
      const { cursor } = await other.page(topic);
      const started = Date.now();
      const poll = other.page(topic, { wait: 30, after: cursor });
      await kit.publish(topic, { data: 1 });
      expect(data((await poll).events)).toEqual([1]);
      expect(Date.now() - started).toBeLessThan(10_000);
    });

    it('share idempotency keys', async ({ kit }) => {
      const other = there(kit);
      const topic = kit.topic();
      const token = await kit.owner();
      const write = { headers: { 'idempotency-key': 'shared' }, body: { data: 1 }, token };
      const answers = await Promise.all(
        [kit, other, kit, other].map((via) => via.ask('POST', eventsPath(topic), write)),
      );
      expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
      expect((await kit.page(topic)).events).toHaveLength(1);
    });

    it('end each other’s streams within a second of a revocation', async ({ kit }) => {
      const other = there(kit);
      const sub = `elsewhere-${kit.run}`;
      const token = await kit.token({ sub });
      const stream = await other.stream(kit.topic(), {}, { token });
      await stream.control('ready');
      await kit.ask('POST', '/v1/revocations', { body: { sub } });
      const answered = Date.now();
      expect((await stream.control('close')).data.reason).toBe('revoked');
      expect((await stream.ended()) - answered).toBeLessThan(1000);
      other.close();
    });

    it('list, change, renew and end each other’s streams', async ({ kit }) => {
      const other = there(kit);
      const token = await kit.owner();
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      const stream = await other.stream(a, {}, { token });
      const path = `/v1/streams/${await stream.name()}`;
      await stream.control('ready');
      expect(
        (await kit.ask('GET', '/v1/streams')).json.streams.map((each: any) => `/v1/streams/${each.stream}`),
      ).toContain(path);
      expect((await kit.ask('PATCH', path, { body: { add: [{ topic: b }] } })).status).toBeLessThan(300);
      await kit.publish(b, { data: 'added' });
      expect(data(await stream.events(1))).toEqual(['added']);
      expect((await kit.ask('PUT', `${path}/token`)).status).toBeLessThan(300);
      expect((await kit.ask('DELETE', path)).status).toBeLessThan(300);
      await stream.ended();
      other.close();
    });
  });
}
