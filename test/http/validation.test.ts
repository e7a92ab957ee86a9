import { afterEach, describe, expect, it } from 'vitest';
import { testApps } from './app.ts';

describe('what is not valid is refused with a code of its own', () => {
  const app = testApps(afterEach);
  const long = 'x'.repeat(513);

  it.each([
    ['a topic with white space', '/v1/topics/a%20b/events', 'invalid-topic'],
    ['a topic with a star', '/v1/topics/a*/events', 'invalid-topic'],
    ['a topic that is too long', `/v1/topics/${long}/events`, 'invalid-topic'],
    ['a path that is no UTF-8', '/v1/topics/%FF/events', 'invalid-topic'],
    ['one bad topic among several', '/v1/events?topic=a&topic=b%0Ac', 'invalid-topic'],
    ['no topic at all', '/v1/events', 'invalid-topic'],
    ['more topics than a stream has', `/v1/events?${'topic=a&'.repeat(3)}${manyTopics(51)}`, 'too-many-topics'],
    ['a cursor that is none', '/v1/topics/t/events?after=yesterday', 'invalid-cursor'],
    ['a lastEventId that is no cursor', '/v1/topics/t/events?lastEventId=1', 'invalid-cursor'],
    ['a filter that is none', '/v1/topics/t/events?filter=price', 'invalid-filter'],
    ['too many filters', `/v1/topics/t/events?${'filter=a%3Deq.1&'.repeat(17)}`, 'invalid-filter'],
    ['a format that does not exist', '/v1/topics/t/events?format=xml', 'invalid'],
    ['a wait that is too long', '/v1/topics/t/events?format=json&wait=61', 'invalid'],
    ['a limit of nothing', '/v1/topics/t/events?format=json&limit=0', 'invalid'],
    ['a limit that is no number', '/v1/topics/t/events?format=json&limit=1e3', 'invalid'],
    ['a time that is none', '/v1/topics/t/events?since=yesterday', 'invalid'],
    ['a type that begins with $', '/v1/topics/t/events?types=$open', 'invalid'],
    ['a conflation that is too quick', '/v1/topics/t/events?conflate=1', 'invalid'],
    ['a limit of topics that is too large', '/v1/topics?limit=1001', 'invalid'],
  ] as const)('%s', async (_, path, code) => {
    expect(await app().refusal(path)).toBe(`400 ${code}`);
  });

  it('a Last-Event-ID that is no cursor', async () => {
    const headers = { 'Last-Event-ID': 'not a cursor' };
    expect(await app().refusal('/v1/topics/t/events', { headers })).toBe('400 invalid-cursor');
  });

  it.each([
    ['an unknown member', { data: 1, tpye: 'a' }, 'invalid', ''],
    ['no data', { type: 'a' }, 'invalid', 'data'],
    ['a type that begins with $', { type: '$close', data: 1 }, 'invalid', 'type'],
    ['a type with a line break', { type: 'a\nb', data: 1 }, 'invalid', 'type'],
    ['a key with a control character', { key: 'a\0', data: 1 }, 'invalid', 'key'],
    ['a key that is no text', { key: 7, data: 1 }, 'invalid', 'key'],
    ['a version that is no whole number', { version: 1.5, data: 1 }, 'invalid', 'version'],
    ['one mistake in a list', [{ data: 1 }, { data: 2, key: '' }], 'invalid', '1.key'],
    ['an empty list', [], 'invalid', ''],
    ['what is no event', 'text', 'invalid', ''],
    ['null', null, 'invalid', ''],
  ])('an event with %s, and says where', async (_, body, code, path) => {
    const sluice = app();
    const answer = await sluice.json('/v1/topics/t/events', { body: JSON.stringify(body) });
    expect(`${answer.status} ${answer.body.code}`).toBe(`400 ${code}`);
    expect(answer.body.errors.map((error: { path: string }) => error.path)).toContain(path);
    expect((await sluice.json('/v1/topics')).body.topics).toEqual([]);
  });

  it.each([
    ['no topics', { topics: [] }, 'invalid-topic'],
    ['a bad topic', { topics: [{ topic: 'a b' }] }, 'invalid-topic'],
    ['a bad cursor', { topics: [{ topic: 'a', after: 'x' }] }, 'invalid-cursor'],
    ['a bad filter', { topics: [{ topic: 'a', filter: 'x' }] }, 'invalid-filter'],
    ['an unknown member', { topics: [{ topic: 'a', from: 'x' }] }, 'invalid'],
    ['a format that there is none of', { topics: [{ topic: 'a' }], format: 'xml' }, 'invalid'],
    ['too long a wait', { topics: [{ topic: 'a' }], format: 'json', wait: 61 }, 'invalid'],
    ['too many topics', { topics: Array.from({ length: 51 }, (_, n) => ({ topic: `t${n}` })) }, 'too-many-topics'],
  ])('a stream with %s', async (_, body, code) => {
    expect(await app().refusal('/v1/streams', { body })).toBe(`400 ${code}`);
  });

  it('names several mistakes, and no more than twenty', async () => {
    const body = Array.from({ length: 100 }, () => ({ type: '$', data: 1 }));
    const { body: problem } = await app().json('/v1/topics/t/events', { body });
    expect(problem.errors.length).toBeGreaterThan(1);
    expect(problem.errors.length).toBeLessThanOrEqual(20);
  });
});

function manyTopics(count: number): string {
  return Array.from({ length: count }, (_, n) => `topic=t${n}`).join('&');
}
