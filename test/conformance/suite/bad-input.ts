/** Bad input of every kind: a clear 4xx, never a 5xx, never a crash, nothing appended. */
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { type Answer, type Ask, eventsPath, type Kit, numbers } from './client.ts';
import type { Suite } from './target.ts';

const NDJSON = 'application/x-ndjson';

/** Expects a 4xx problem. */
function refused(kit: Kit, answer: Answer, why: string): void {
  expect(answer.status, `${why}: ${answer.text.slice(0, 200)}`).toBeGreaterThanOrEqual(400);
  expect(answer.status, `${why}: ${answer.text.slice(0, 200)}`).toBeLessThan(500);
  kit.refused(answer, answer.status);
}

/** Expects a topic to have stayed empty, and the server to be well. */
async function untouched(kit: Kit, topic: string): Promise<void> {
  expect((await kit.page(topic)).events).toEqual([]);
  expect((await kit.ask('GET', '/readyz', { token: undefined })).status).toBe(200);
}

const notJson = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.json().map((text) => `${text}}`),
    fc.json().map((text) => `{"data":${text}`),
    fc.constantFrom(
      "{'data':1}",
      '{data:1}',
      '{"data":NaN}',
      '{"data":01}',
      '{"data":1,}',
      '{"data":"\n"}',
      '\uFEFF',
      '/**/',
    ),
  )
  .filter((text) => {
    try {
      JSON.parse(text);
      return false;
    } catch {
      return true;
    }
  });

/** A value that is not of the wanted type. */
const notText = fc.oneof(fc.integer(), fc.boolean(), fc.constant(null), fc.array(fc.integer()), fc.object());
const control = fc.constantFrom('\r', '\n', '\r\n', '\0', '\u0007', '\u001b', '\u007f', '\u0085');
const around = (middle: fc.Arbitrary<string>) =>
  fc.tuple(fc.string({ maxLength: 8 }), middle, fc.string({ maxLength: 8 })).map((parts) => parts.join(''));

/** Events that cannot be valid, whatever else is drawn. */
const badEvent: fc.Arbitrary<unknown> = fc.oneof(
  fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null)),
  fc.record({ type: fc.constant('x') }),
  fc.record({ data: fc.jsonValue(), type: notText }),
  fc.record({ data: fc.jsonValue(), key: notText }),
  fc.record({ data: fc.jsonValue(), ephemeral: fc.oneof(fc.string(), fc.integer(), fc.constant(null)) }),
  fc.record({ data: fc.jsonValue(), type: around(control) }),
  fc.record({ data: fc.jsonValue(), key: around(control) }),
  fc.record({ data: fc.jsonValue(), type: fc.string().map((text) => `$${text}`) }),
  fc.record({ data: fc.jsonValue(), version: fc.oneof(fc.string(), fc.constantFrom(-1, 0.5, 1e300)) }),
  fc
    .tuple(fc.string({ minLength: 1 }), fc.jsonValue())
    .filter(([name]) => !['type', 'data', 'key', 'ephemeral', 'version', '__proto__'].includes(name))
    .map(([name, value]) => ({ data: 1, [name]: value })),
);

/** Bytes that are no UTF-8, to be put inside a JSON text. */
const badUtf8 = fc.constantFrom(
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xe2, 0x82],
  [0xf5, 0x80, 0x80, 0x80],
  [0x80],
  [0xfe],
);

export function badInput({ it }: Suite): void {
  describe('bad bodies', { timeout: 60_000 }, () => {
    it('refuses text that is not JSON', async ({ kit }) => {
      const topic = kit.topic();
      await fc.assert(
        fc.asyncProperty(notJson, fc.boolean(), async (body, lines) => {
          const type = lines ? NDJSON : 'application/json';
          if (lines && /[\r\n]/.test(body)) return;
          refused(kit, await kit.ask('POST', eventsPath(topic), { body: body === '' ? '{' : body, type }), 'not JSON');
        }),
        { numRuns: 60 },
      );
      await untouched(kit, topic);
    });

    it('refuses events of the wrong shape, alone, in an array and as lines', async ({ kit }) => {
      const topic = kit.topic();
      await fc.assert(
        fc.asyncProperty(badEvent, fc.constantFrom('one', 'array', 'lines'), async (bad, form) => {
          const body = form === 'one' ? bad : [{ data: 1 }, bad];
          const text = form === 'lines' ? `{"data":1}\n${JSON.stringify(bad)}` : JSON.stringify(body);
          const type = form === 'lines' ? NDJSON : 'application/json';
          refused(kit, await kit.ask('POST', eventsPath(topic), { body: text, type }), text);
        }),
        { numRuns: 120 },
      );
      await untouched(kit, topic);
    });

    it('refuses bytes that are not UTF-8, and never repairs them', async ({ kit }) => {
      const topic = kit.topic();
      await fc.assert(
        fc.asyncProperty(badUtf8, fc.string({ maxLength: 10 }), fc.boolean(), async (bytes, text, lines) => {
          const json = JSON.stringify(text).slice(1, -1);
          const body = Buffer.concat([Buffer.from(`{"data":"${json}`), Buffer.from(bytes), Buffer.from('"}')]);
          const type = lines ? NDJSON : 'application/json';
          refused(kit, await kit.ask('POST', eventsPath(topic), { body, type }), `bytes ${bytes}`);
        }),
        { numRuns: 40 },
      );
      await untouched(kit, topic);
    });

    it.for([1000, 20_000, 200_000])('refuses JSON nested %s deep', async (depth, { kit }) => {
      const topic = kit.topic();
      const list = `{"data":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      const object = `{"data":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`;
      for (const body of [list, object, '['.repeat(depth), '{"a":'.repeat(depth)])
        for (const path of [eventsPath(topic), '/v1/streams', '/v1/tickets', '/v1/revocations'])
          refused(kit, await kit.ask('POST', path, { body }), `depth ${depth}`);
      await untouched(kit, topic);
    });

    it('is not polluted by prototype keys', async ({ kit }) => {
      const topic = kit.topic();
      for (const name of ['__proto__', 'constructor', 'prototype', 'toString']) {
        const bad = `{"type":"x","${name}":{"data":1,"ephemeral":true,"admin":true}}`;
        refused(kit, await kit.ask('POST', eventsPath(topic), { body: bad }), name);
        const path = '/v1/streams';
        refused(kit, await kit.ask('POST', path, { body: `{"${name}":{"topics":[{"topic":"${topic}"}]}}` }), name);
        const query = { [name]: 'x', format: 'json' };
        expect((await kit.ask('GET', eventsPath(topic), { query })).status).toBeLessThan(500);
        refused(kit, await kit.ask('GET', eventsPath(topic), { query: { format: name } }), name);
      }
      await untouched(kit, topic);
      await kit.publish(topic, { data: 1 });
      expect(Object.keys((await kit.page(topic)).events[0]).sort()).toEqual([
        'actor',
        'data',
        'id',
        'time',
        'topic',
        'type',
      ]);
      const token = await kit.token({ subscribe: [], publish: [] });
      kit.refused(await kit.ask('GET', '/v1/topics', { token }), 403);
    });

    it('answers any JSON value on every route that takes JSON without a fault', async ({ kit }) => {
      const routes: [string, string][] = [
        ['POST', '/v1/streams'],
        ['POST', '/v1/tickets'],
        ['POST', '/v1/revocations'],
        ['PATCH', '/v1/streams/x'],
        ['PUT', '/v1/streams/x/token'],
      ];
      const names = fc.constantFrom(
        'topics',
        'topic',
        'add',
        'remove',
        'sub',
        'jti',
        'ttl',
        'format',
        'after',
        '__proto__',
      );
      const value = fc.oneof(fc.jsonValue(), fc.dictionary(names, fc.oneof(fc.jsonValue(), fc.array(fc.jsonValue()))));
      // A revocation that happens to be well formed must hit nobody.
      const harmless = (text: string) => text.replace(/"(sub|jti)":"/g, `"$1":"nobody-${kit.run}-`);
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...routes), value, async ([method, path], body) => {
          const answer = await kit.ask(method, path, { body: harmless(JSON.stringify(body)) });
          expect(answer.status, answer.text).toBeLessThan(500);
          if (answer.status >= 400) kit.refused(answer, answer.status);
        }),
        { numRuns: 120 },
      );
    });
  });

  describe('bad addresses', { timeout: 60_000 }, () => {
    it('answers any query on a read without a fault', async ({ kit }) => {
      const topic = kit.topic();
      const names = [
        'after',
        'lastEventId',
        'since',
        'last',
        'limit',
        'types',
        'filter',
        'conflate',
        'named',
        'ticket',
        'topic',
      ];
      const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), around(control), fc.integer().map(String));
      const query = fc.dictionary(fc.constantFrom(...names), fc.oneof(text, fc.array(text, { maxLength: 3 })));
      await fc.assert(
        fc.asyncProperty(query, fc.boolean(), async (drawn, one) => {
          const path = one ? eventsPath(topic) : '/v1/events';
          const answer = await kit.ask('GET', path, { query: { ...drawn, format: 'json' } });
          expect(answer.status, answer.text).toBeLessThan(500);
          if (answer.status >= 400) kit.refused(answer, answer.status);
        }),
        { numRuns: 150 },
      );
    });

    it('answers any path without a fault', async ({ kit }) => {
      const octet = fc.integer({ min: 0, max: 255 }).map((byte) => `%${byte.toString(16).padStart(2, '0')}`);
      const piece = fc.oneof(
        octet,
        fc.constantFrom('/', '//', '%', '%2', '%2e%2e%2f', ':', '*', '{topic}', 'v1', 'topics'),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { maxLength: 6 }), fc.boolean(), async (pieces, within) => {
          const path = within ? `/v1/topics/${pieces.join('')}/events` : `/${pieces.join('')}`;
          const answer = await kit.ask('GET', path, { query: { format: 'json' } });
          expect(answer.status, `${path}: ${answer.text.slice(0, 200)}`).toBeLessThan(500);
        }),
        { numRuns: 150 },
      );
    });

    it('refuses thousands of topics in one request', async ({ kit }) => {
      const many = numbers(1, 5000).map((n) => `t${n}`);
      const objects = many.map((topic) => ({ topic }));
      const stream = await kit.stream(kit.topic());
      const asks: [string, string, Ask][] = [
        ['GET', '/v1/events', { query: { topic: many.slice(0, 300) } }],
        ['GET', '/v1/events', { query: { topic: many.slice(0, 1000), format: 'json' } }],
        ['POST', '/v1/streams', { body: { topics: objects } }],
        ['POST', '/v1/tickets', { body: { topics: many } }],
        ['PATCH', `/v1/streams/${await stream.name()}`, { body: { add: objects } }],
      ];
      for (const [method, path, ask] of asks) refused(kit, await kit.ask(method, path, ask), `${method} ${path}`);
      // So long a URL may be refused before the application sees it.
      const long = await kit.ask('GET', '/v1/events', { query: { topic: many } });
      expect(long.status).toBeOneOf([400, 413, 414, 431]);
    });
  });
}
