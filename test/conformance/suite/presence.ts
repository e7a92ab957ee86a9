/** Section 5: joining, renewing, leaving, listing. */
import { describe, expect } from 'vitest';
import { createKit, type Kit, numbers } from './client.ts';
import type { Suite } from './target.ts';

export const memberPath = (topic: string, member?: string): string =>
  `/v1/presence/${encodeURIComponent(topic)}${member === undefined ? '' : `/${encodeURIComponent(member)}`}`;

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

/** Joins, and expects it to be accepted. */
export async function join(kit: Kit, topic: string, member: string, body: unknown = {}, token?: string): Promise<any> {
  const as = token ?? (await kit.owner());
  const answer = await kit.ask('PUT', memberPath(topic, member), { body, token: as });
  expect(answer.status, answer.text).toBe(200);
  return answer.json;
}

export async function namesOf(kit: Kit, topic: string): Promise<string[]> {
  const answer = await kit.ask('GET', memberPath(topic));
  expect(answer.status, answer.text).toBe(200);
  return answer.json.members.map((each: any) => each.member);
}

export function presence({ it, target }: Suite): void {
  describe('5 members', () => {
    it('join, renew and leave', async ({ kit }) => {
      const topic = kit.topic();
      const joined = await join(kit, topic, 'ada', { state: { mood: 'fine' }, ttl: 60 });
      expect(joined).toEqual({ member: 'ada', state: { mood: 'fine' }, since: TIME, seen: TIME, expires: TIME });
      expect(Date.parse(joined.expires) - Date.parse(joined.seen)).toBe(60_000);
      const renewed = await join(kit, topic, 'ada');
      expect(renewed).toMatchObject({ state: { mood: 'fine' }, since: joined.since });
      expect(Date.parse(renewed.expires) - Date.parse(renewed.seen)).toBe(60_000);
      const list = await kit.ask('GET', memberPath(topic));
      expect(list.headers.get('cache-control')).toBe('no-store');
      expect(list.json).toEqual({
        members: [{ member: 'ada', state: { mood: 'fine' }, since: joined.since, seen: renewed.seen }],
      });
      for (const _ of numbers(1, 2))
        expect((await kit.ask('DELETE', memberPath(topic, 'ada'))).status, 'as often as one likes').toBe(204);
      expect(await namesOf(kit, topic)).toEqual([]);
    });

    it('have no state and 45 seconds unless told, also without a body', async ({ kit }) => {
      const topic = kit.topic();
      const answer = await kit.ask('PUT', memberPath(topic, 'ada'));
      expect(answer.json).toMatchObject({ member: 'ada', state: null });
      expect(Date.parse(answer.json.expires) - Date.parse(answer.json.seen)).toBe(45_000);
    });

    it('keep any state and any name as they were given', async ({ kit }) => {
      const topic = kit.topic('a/b %2F');
      const state = '{"a":1e400,"b":[12345678901234567890,"\\u0000é🎈"]}';
      const member = `m/'"\\ é🎈%2e?#`;
      const answer = await kit.ask('PUT', memberPath(topic.replace(/ /g, ''), member), { body: `{"state":${state}}` });
      expect(answer.status, answer.text).toBe(200);
      expect(answer.json.member).toBe(member);
      expect(answer.text).toContain(`"state":${state}`);
    });

    it('are listed in the order of joining', async ({ kit }) => {
      const topic = kit.topic();
      for (const member of ['c', 'a', 'b']) {
        await join(kit, topic, member);
        await new Promise((done) => setTimeout(done, 5));
      }
      await join(kit, topic, 'c', { state: 1 });
      expect(await namesOf(kit, topic)).toEqual(['c', 'a', 'b']);
    });

    it('end at the very millisecond, if nobody renews them', { timeout: 20_000 }, async ({ kit }) => {
      const topic = kit.topic();
      const { expires } = await join(kit, topic, 'ada', { ttl: 5 });
      await join(kit, topic, 'bob', { ttl: 60 });
      // By the server's own clock, which is told in an answer; the names of those who are there say the rest.
      await expect
        .poll(async () => (await join(kit, topic, 'bob')).seen >= expires, { timeout: 10_000, interval: 20 })
        .toBe(true);
      expect(await namesOf(kit, topic)).toEqual(['bob']);
      await join(kit, topic, 'ada', {}, await kit.token());
    });

    it('belong to the subject that made them, while they are live', async ({ kit }) => {
      const topic = kit.topic();
      const [ada, eve] = [await kit.token(), await kit.token()];
      await join(kit, topic, 'ada', {}, ada);
      const path = memberPath(topic, 'ada');
      expect(kit.refused(await kit.ask('PUT', path, { body: {}, token: eve }), 403).code).toBe('forbidden');
      expect(kit.refused(await kit.ask('DELETE', path, { token: eve }), 403).code).toBe('forbidden');
      expect(await namesOf(kit, topic)).toEqual(['ada']);
      expect((await kit.ask('DELETE', path)).status, 'an administrator').toBe(204);
      await join(kit, topic, 'ada', {}, eve);
    });

    it('need a right of its own', async ({ kit }) => {
      const [mine, other] = [kit.topic('mine'), kit.topic('other')];
      const token = await kit.token({ presence: [mine] });
      await join(kit, mine, 'ada', {}, token);
      for (const [method, path] of [
        ['PUT', memberPath(other, 'ada')],
        ['DELETE', memberPath(other, 'ada')],
        ['GET', memberPath(other)],
      ] as const) {
        expect(kit.refused(await kit.ask(method, path, { token }), 403).code).toBe('forbidden');
        expect(kit.refused(await kit.ask(method, path, { token: undefined }), 401).code).toBe('token-required');
      }
    });

    it('are seen with a ticket that was made for it, and never made with one', async ({ kit }) => {
      const topic = kit.topic();
      await join(kit, topic, 'ada');
      const { ticket } = (await kit.ask('POST', '/v1/tickets', { body: { topics: [topic], presence: true } })).json;
      const { ticket: plain } = (await kit.ask('POST', '/v1/tickets', { body: { topics: [topic] } })).json;
      const list = await kit.ask('GET', memberPath(topic), { query: { ticket }, token: undefined });
      expect(list.json.members).toHaveLength(1);
      kit.refused(await kit.ask('GET', memberPath(topic), { query: { ticket: plain }, token: undefined }), 403);
      for (const method of ['PUT', 'DELETE'])
        kit.refused(await kit.ask(method, memberPath(topic, 'ada'), { query: { ticket }, token: undefined }), 403);
      const token = await kit.token({ presence: [] });
      const asked = await kit.ask('POST', '/v1/tickets', { body: { topics: [topic], presence: true }, token });
      kit.refused(asked, 403);
    });

    it('are refused when they are not of their form', async ({ kit }) => {
      const topic = kit.topic();
      const ask = (member: string, body: unknown, type?: string) =>
        kit.ask('PUT', memberPath(topic, member), { body, ...(type && { type }) });
      for (const body of [
        { ttl: 4 },
        { ttl: 301 },
        { ttl: 5.5 },
        { ttl: null },
        { stream: 7 },
        { colour: 1 },
        [],
        null,
      ])
        kit.refused(await ask('ada', JSON.stringify(body)), 400);
      for (const member of ['x'.repeat(129), 'a\u0000b']) kit.refused(await ask(member, {}), 400);
      kit.refused(await ask('ada', '{'), 400);
      kit.refused(await ask('ada', '{}', 'text/plain'), 415);
      expect(kit.refused(await ask('ada', { state: 'é'.repeat(2048) }), 413).code).toBe('too-large');
      expect((await ask('x'.repeat(128), { state: 'x'.repeat(4094) })).status).toBe(200);
      kit.refused(await kit.ask('GET', '/v1/presence/a%20b'), 400);
      kit.refused(await kit.ask('POST', memberPath(topic, 'ada'), { body: {} }), 405);
    });

    it('are no more than a topic may have, and their writers are metered', { timeout: 60_000 }, async ({ kit }) => {
      const topic = kit.topic();
      const answers: number[] = [];
      for (let start = 0; start < 1000; start += 100)
        answers.push(
          ...(await Promise.all(
            numbers(start, start + 99).map(async (n) => (await kit.ask('PUT', memberPath(topic, `m${n}`))).status),
          )),
        );
      expect(answers.filter((status) => status !== 200)).toEqual([]);
      const full = await kit.ask('PUT', memberPath(topic, 'one more'));
      expect(kit.refused(full, 429).code).toBe('too-many-members');
      expect(full.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      await join(kit, topic, 'm7', { state: 'renewed' });
      await kit.ask('DELETE', memberPath(topic, 'm8'));
      await join(kit, topic, 'one more');
      const rate = target.features?.limits?.writesPerSecond;
      if (rate === undefined) return;
      const token = await kit.token();
      const path = memberPath(kit.topic(), 'ada');
      const many = await Promise.all(numbers(1, rate * 3).map(() => kit.ask('PUT', path, { body: {}, token })));
      const limited = many.filter(({ status }) => status === 429);
      expect(limited.length).toBeGreaterThan(0);
      expect(kit.refused(limited[0]!, 429).code).toBe('rate-limited');
    });
  });

  const otherUrl = target.features?.otherUrl;
  if (otherUrl === undefined) return;
  describe('5 members of several nodes', () => {
    it('are the same on all of them', async ({ kit }) => {
      const other = createKit({ ...target, url: otherUrl }, kit.run);
      const topic = kit.topic();
      const token = await kit.owner();
      await join(kit, topic, 'a');
      await join(other, topic, 'b', {}, token);
      expect(await namesOf(kit, topic)).toEqual(['a', 'b']);
      await other.ask('DELETE', memberPath(topic, 'a'), { token });
      expect(await namesOf(kit, topic)).toEqual(['b']);
      const taken = await Promise.all(
        [kit, other].map(async (via) => {
          const answer = await via.ask('PUT', memberPath(topic, 'c'), { body: {}, token: await kit.token() });
          return answer.status;
        }),
      );
      expect(taken.sort()).toEqual([200, 403]);
      other.close();
    });
  });
}
