/** Section 5: `$presence` on streams, and leases that streams keep alive. */
import { describe, expect } from 'vitest';
import { createKit, type Kit, numbers } from './client.ts';
import { join, memberPath, namesOf } from './presence.ts';
import type { Stream } from './stream.ts';
import { goneMsOf, type Suite } from './target.ts';

/** What was told of a topic so far, in short. */
function told(stream: Stream, topic: string): string[] {
  return stream.frames
    .filter(({ control, data }) => control === 'presence' && data.topic === topic)
    .map(({ data }) =>
      data.change === 'sync'
        ? `sync ${data.members.map((each: any) => each.member).join()}`
        : `${data.change} ${data.member}`,
    );
}

const leave = (kit: Kit, topic: string, member: string) => kit.ask('DELETE', memberPath(topic, member));

export function presenceStreams({ it, target }: Suite): void {
  const otherUrl = target.features?.otherUrl;
  /** The other node, where there is one, else the same. */
  const there = (kit: Kit): Kit => createKit({ ...target, ...(otherUrl && { url: otherUrl }) }, kit.run);

  describe('5 $presence', () => {
    it.for(['sse', 'ndjson'] as const)('is a sync and then each change, in %s', async (format, { kit }) => {
      const topic = kit.topic();
      const { since } = await join(kit, topic, 'ada', { state: 1 });
      const stream = await kit.stream(topic, { presence: 1, format });
      const first = await stream.control('presence');
      expect(first.id).toBeUndefined();
      const own = format === 'ndjson' ? { control: 'presence' } : {};
      expect(first.data).toEqual({ ...own, topic, change: 'sync', members: [{ member: 'ada', state: 1, since }] });
      const bob = await join(kit, topic, 'bob', { state: 'hi' });
      const next = async () => (await stream.control('presence')).data;
      expect(await next()).toEqual({ ...own, topic, change: 'join', member: 'bob', state: 'hi', since: bob.since });
      await join(kit, topic, 'bob', { state: ['busy'] });
      expect(await next()).toEqual({ ...own, topic, change: 'update', member: 'bob', state: ['busy'] });
      await join(kit, topic, 'bob');
      await join(kit, topic, 'bob', { state: ['busy'], ttl: 60 });
      await leave(kit, topic, 'bob');
      expect(await next()).toEqual({ ...own, topic, change: 'leave', member: 'bob', state: ['busy'] });
    });

    it('comes only to who asks, topic by topic, and moves no cursor', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      const stream = await kit.openStream({ topics: [{ topic: a, presence: true }, { topic: b }] });
      const plain = await kit.stream(a);
      const { data } = await stream.control('ready');
      await plain.control('ready');
      for (const topic of [a, b]) await join(kit, topic, 'ada');
      await expect.poll(() => told(stream, a), { timeout: 10_000 }).toEqual(['sync ', 'join ada']);
      await kit.publish(b, { data: 'mark' });
      await kit.publish(a, { data: 'mark' });
      await stream.eventsUntil('mark');
      await plain.eventsUntil('mark');
      expect(told(stream, b)).toEqual([]);
      expect(told(plain, a)).toEqual([]);
      const again = await kit.streams([a, b], { presence: 1 }, { headers: { 'last-event-id': data.cursor } });
      expect((await again.events(2)).map((event) => event.data)).toEqual(['mark', 'mark']);
      await expect.poll(() => told(again, b), { timeout: 10_000 }).toEqual(['sync ada']);
    });

    it('loses and repeats nothing between the sync and the changes, whichever node is written to', async ({ kit }) => {
      const other = there(kit);
      const topic = kit.topic();
      const token = await kit.owner();
      const expected = new Map<string, number>();
      let writing = true;
      const write = async (via: Kit, name: string) => {
        for (let n = 1; writing || n < 30; n += 1) {
          const member = `${name}${n % 5}`;
          if (n % 4 === 0) {
            await via.ask('DELETE', memberPath(topic, member), { token });
            expected.delete(member);
          } else {
            await join(via, topic, member, { state: n }, token);
            expected.set(member, n);
          }
        }
      };
      const writers = [write(kit, 'a'), write(other, 'b')];
      const streams: Stream[] = [];
      for (const via of [kit, other, kit, other]) streams.push(await via.stream(topic, { presence: 1 }, { token }));
      writing = false;
      await Promise.all(writers);
      await join(kit, topic, 'last', { state: 0 });
      expected.set('last', 0);
      for (const stream of streams) {
        await expect.poll(() => told(stream, topic).at(-1), { timeout: 10_000 }).toMatch(/last$/);
        const believed = new Map<string, unknown>();
        for (const { control, data } of stream.frames) {
          if (control !== 'presence') continue;
          if (data.change === 'sync') for (const { member, state } of data.members) believed.set(member, state);
          else {
            expect(believed.has(data.member), `${data.change} ${data.member}`).toBe(data.change !== 'join');
            if (data.change === 'leave') believed.delete(data.member);
            else believed.set(data.member, data.state);
          }
        }
        expect(believed).toEqual(expected);
      }
      other.close();
    });

    it('begins with a topic that is added, or that was there, and ends with one that is removed', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      await join(kit, a, 'ada');
      const stream = await kit.stream(a);
      const path = `/v1/streams/${await stream.name()}`;
      const add = [a, b].map((topic) => ({ topic, presence: true }));
      expect((await there(kit).ask('PATCH', path, { body: { add }, token: await kit.owner() })).status).toBe(200);
      await expect.poll(() => told(stream, a), { timeout: 10_000 }).toEqual(['sync ada']);
      await expect.poll(() => told(stream, b), { timeout: 10_000 }).toEqual(['sync ']);
      expect((await kit.ask('PATCH', path, { body: { remove: [b] } })).status).toBe(200);
      await join(kit, b, 'ada');
      await leave(kit, a, 'ada');
      await expect.poll(() => told(stream, a), { timeout: 10_000 }).toEqual(['sync ada', 'leave ada']);
      expect(told(stream, b)).toEqual(['sync ']);
    });

    it('is refused to who has not the right, also by a token that comes later', async ({ kit }) => {
      const [mine, other] = [kit.topic('mine'), kit.topic('other')];
      const sub = `sub-${kit.run}`;
      const token = await kit.token({ sub, presence: [mine] });
      const stream = await kit.stream(mine, { presence: 1 }, { token });
      const path = `/v1/streams/${await stream.name()}`;
      const watch = { topics: [{ topic: mine }, { topic: other, presence: true }] };
      kit.refused(await kit.ask('GET', `/v1/topics/${other}/events`, { query: { presence: 1 }, token }), 403);
      kit.refused(await kit.ask('POST', '/v1/streams', { body: watch, token }), 403);
      kit.refused(await kit.ask('PATCH', path, { body: { add: watch.topics }, token }), 403);
      const less = await kit.token({ sub, presence: [] });
      kit.refused(await there(kit).ask('PUT', `${path}/token`, { token: less }), 403);
      await join(kit, mine, 'ada');
      await expect.poll(() => told(stream, mine), { timeout: 10_000 }).toEqual(['sync ', 'join ada']);
      const page = await kit.ask('GET', `/v1/topics/${other}/events`, {
        query: { presence: 1, format: 'json' },
        token,
      });
      expect(page.status, 'a page tells nobody').toBe(200);
    });

    it('tells within a second that a lease has ended', { timeout: 20_000 }, async ({ kit }) => {
      const topic = kit.topic();
      const stream = await there(kit).stream(topic, { presence: 1 }, { token: await kit.owner() });
      await Promise.all(numbers(1, 20).map((n) => join(kit, topic, `m${n}`, { ttl: 5 })));
      const joined = Date.now();
      await expect.poll(() => told(stream, topic).length, { timeout: 10_000, interval: 20 }).toBe(41);
      expect(Date.now() - joined).toBeLessThan(6000);
      expect(Date.now() - joined).toBeGreaterThan(4000);
      expect(await namesOf(kit, topic)).toEqual([]);
      stream.close();
    });
  });

  describe('5 a lease that names a stream', () => {
    it('goes on with it and ends soon after it, wherever the stream is', {
      timeout: 30_000 + goneMsOf(target),
    }, async ({ kit }) => {
      const other = there(kit);
      const [topic, elsewhere] = [kit.topic(), kit.topic()];
      const token = await kit.owner();
      const held = await other.stream(kit.topic(), {}, { token });
      const second = await kit.stream(kit.topic());
      const stream = await held.name();
      const { seen } = await join(kit, topic, 'ends', { stream, ttl: 6 });
      await join(kit, topic, 'moves', { stream, ttl: 300 });
      await join(kit, topic, 'stays', { stream, ttl: 300 });
      await expect
        .poll(async () => (await kit.ask('GET', memberPath(topic))).json.members[0].seen, { timeout: 15_000 })
        .toSatisfy((later: string) => Date.parse(later) - Date.parse(seen) > 7000);
      held.close();
      let asked = 0;
      await expect
        .poll(
          async () => {
            asked = Date.now();
            return (await kit.ask('PUT', memberPath(elsewhere, 'ada'), { body: { stream } })).status;
          },
          { timeout: goneMsOf(target) },
        )
        .toBe(404);
      await join(kit, topic, 'moves', { stream: await second.name() });
      await join(kit, topic, 'stays');
      expect(await namesOf(kit, topic), 'within the grace').toHaveLength(3);
      await expect.poll(() => namesOf(kit, topic), { timeout: 10_000 }).toEqual(['moves', 'stays']);
      expect(Date.now() - asked).toBeGreaterThan(3000);
      await new Promise((done) => setTimeout(done, 1500));
      expect(await namesOf(kit, topic)).toEqual(['moves', 'stays']);
      other.close();
    });

    it('must be the caller’s own', async ({ kit }) => {
      const topic = kit.topic();
      const held = await there(kit).stream(topic, {}, { token: await kit.token() });
      const stream = await held.name();
      const token = await kit.token();
      for (const name of [stream, 'nonsense', stream.replace(/.$/, (last) => (last === '0' ? '1' : '0'))])
        kit.refused(await kit.ask('PUT', memberPath(topic, 'ada'), { body: { stream: name }, token }), 404);
      expect(await namesOf(kit, topic)).toEqual([]);
      held.close();
    });
  });
}
