/** Whatever is sent, it is answered, and never as a fault of the server. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseSeed } from '../../support/random.ts';
import type { Running } from './suite.ts';

const seed = chooseSeed();
const NASTY = [
  "'; drop table orders; --",
  '" or 1=1',
  '\\',
  '$1',
  '%s',
  'NULL',
  '\u0000',
  '\ud800',
  '__proto__',
  'constructor',
  'NaN',
  'Infinity',
  '1e400',
  '9'.repeat(400),
  '{}',
  '(1,2',
  '"',
  '::regclass',
  "E'\\x'",
  '\u202e',
  '😀',
];
const text = fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: 'binary', maxLength: 30 }));
const names = fc.oneof(
  fc.constantFrom('id', 'note', 'stock', 'total', 'meta', 'tags', 'placedAt', 'mood', 'big', 'urgent'),
  text,
);
const value = fc.oneof(
  text,
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(
    null,
    true,
    -0,
    1e308,
    2 ** 53,
    -(2 ** 31) - 1,
    [],
    {},
    [[[]]],
    ['\u0000'],
    { a: '\u0000' },
    { a: '\ud800' },
  ),
);
const record = fc.dictionary(names, value, { maxKeys: 5, noNullPrototype: false });
const encoded = text.map((each) => encodeURIComponent(each.toWellFormed()));
const operator = fc.constantFrom('eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'is', 'like', '');
const query = fc.oneof(
  fc
    .tuple(names, operator, text)
    .map(([name, op, each]) => `filter=${encodeURIComponent(`${name}=${op}.${each}`.toWellFormed())}`),
  fc
    .tuple(names, fc.constantFrom('', '.asc', '.desc', '.x'))
    .map(([name, way]) => `order=${encodeURIComponent((name + way).toWellFormed())}`),
  fc.tuple(fc.constantFrom('page', 'limit', 'filter', 'order', 'x'), encoded).map(([name, each]) => `${name}=${each}`),
);
const header = fc.string({ unit: fc.constantFrom(...'*"W/,1 23abé~'), maxLength: 12 });
const headers = fc.dictionary(fc.constantFrom('If-Match', 'If-None-Match', 'Base-Version', 'Idempotency-Key'), header, {
  noNullPrototype: false,
});

/** @param share of what is tried */
export function badInput(app: Running, share = 1): void {
  describe('bad input', () => {
    const sound = (status: number, what: unknown) => {
      expect(app().faults, `seed ${seed}: ${JSON.stringify(what)}`).toEqual([]);
      expect(status, `seed ${seed}: ${JSON.stringify(what)}`).toBeLessThan(500);
    };
    const forAll = async <T>(runs: number, input: fc.Arbitrary<T>, hold: (each: T) => Promise<void>) =>
      fc.assert(fc.asyncProperty(input, hold), { seed, numRuns: Math.ceil(runs * share) });

    it('in the query of a list is a refusal at most', async () => {
      await app().create('orders', { id: 1, note: 'x' });
      await forAll(400, fc.array(query, { minLength: 1, maxLength: 3 }), async (parts) => {
        const { status } = await app().ask(`orders?${parts.join('&')}`);
        sound(status, parts);
        expect([200, 400]).toContain(status);
      });
    });

    it('in a path is a refusal at most', async () => {
      await forAll(
        200,
        fc.tuple(fc.oneof(fc.constant('orders'), fc.constant('seats'), encoded), encoded),
        async ([name, key]) => {
          for (const method of ['GET', 'PATCH', 'DELETE', 'PUT']) {
            const { status } = await app().ask(`${name}/${key}`, {
              method,
              ...(method === 'GET' || method === 'DELETE' ? {} : { body: {} }),
            });
            sound(status, [method, name, key]);
          }
        },
      );
    });

    it('in a body is a refusal at most', async () => {
      await app().create('orders', { id: 1 });
      await forAll(400, fc.oneof(record, fc.array(record, { maxLength: 3 }), value), async (body) => {
        for (const [method, path] of [
          ['POST', 'orders'],
          ['PUT', 'orders/1'],
          ['PATCH', 'orders/1'],
        ] as const) {
          const { status } = await app().ask(path, { method, body: JSON.stringify(body), type: 'application/json' });
          sound(status, [method, body]);
        }
      });
      expect((await app().ask('orders/1')).status).toBe(200);
    });

    it('in headers is a refusal at most', async () => {
      await app().create('orders', { id: 1 });
      await forAll(200, fc.tuple(headers, fc.constantFrom('GET', 'PUT', 'PATCH')), async ([all, method]) => {
        const { status } = await app().ask('orders/1', {
          method,
          headers: all,
          ...(method !== 'GET' && { body: { stock: 1 } }),
        });
        sound(status, [method, all]);
      });
    });

    it('does not reach the prototypes', async () => {
      const body = '{"id":1,"meta":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}';
      const { text: made } = await app().ask('orders', { body });
      expect(JSON.parse(made).meta).toEqual(JSON.parse(body).meta);
      expect(made).toContain('"__proto__"');
      expect(await app().refusal('orders', { body: '{"__proto__":{"id":3}}' })).toBe('400 invalid');
      expect(({} as { polluted?: number }).polluted).toBeUndefined();
    });
  });
}
