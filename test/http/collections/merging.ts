/** `Base-Version`, and idempotency keys. */
import { describe, expect, it } from 'vitest';
import { chooseSeed, seededRandom } from '../../support/random.ts';
import { CollectionsApp } from './app.ts';
import { caller } from './principals.ts';
import type { Running } from './suite.ts';

/** An app that remembers every version of the orders that were read through it. */
function remembering(app: CollectionsApp): { app: CollectionsApp; remember: () => Promise<void> } {
  const versions = new Map<string, any>();
  return {
    app: new CollectionsApp(app.database, {
      versionAt: async (_, key, version) => versions.get(`${key}/${version}`),
    }),
    async remember() {
      for (const record of (await app.ask('orders')).body.records)
        versions.set(`${record.id}/${record.version}`, record);
    },
  };
}

/** An app that remembers every version of a record that was answered. */
function recording(app: CollectionsApp) {
  const versions = new Map<number, any>();
  return {
    app: new CollectionsApp(app.database, { versionAt: async (_, __, version) => versions.get(version) }),
    async versionOf({ body }: { readonly body: any }): Promise<void> {
      versions.set(body.version, body);
    },
  };
}

const seed = chooseSeed();

export function merging(app: Running): void {
  const base = (version: number) => ({ 'Base-Version': String(version) });

  describe('a three-way merge', () => {
    const start = async () => {
      const { app: merged, remember } = remembering(app());
      await merged.create('orders', { id: 1, note: 'a', stock: 10, tags: ['x', 'y'], code: 'c', meta: { a: 1, b: 2 } });
      await remember();
      return merged;
    };

    it('brings disjoint edits together, and says so', async () => {
      const merged = await start();
      await merged.patch('orders/1', { code: 'theirs' });
      const { status, body, headers } = await merged.patch('orders/1', { status: 'paid' }, base(1));
      expect([status, headers.get('Merged'), headers.get('ETag')]).toEqual([200, 'true', '"3"']);
      expect(body).toMatchObject({ code: 'theirs', status: 'paid' });
    });

    it('is an ordinary patch where nobody came between', async () => {
      const merged = await start();
      const { status, headers } = await merged.patch('orders/1', { status: 'paid' }, base(1));
      expect([status, headers.get('Merged')]).toEqual([200, null]);
    });

    it('answers what nobody can decide with all three sides', async () => {
      const merged = await start();
      await merged.patch('orders/1', { code: 'theirs', status: 'paid' });
      const { status, body, headers } = await merged.patch('orders/1', { code: 'mine', urgent: true }, base(1));
      expect([status, headers.get('Content-Type')]).toEqual([409, 'application/problem+json']);
      expect(body).toMatchObject({
        code: 'conflict',
        status: 409,
        base: { id: 1, code: 'c', version: 1 },
        current: { id: 1, code: 'theirs', version: 2 },
        yours: { code: 'mine', urgent: true },
        fields: ['code'],
      });
      expect((await merged.ask('orders/1')).body).toMatchObject({ code: 'theirs', urgent: null, version: 2 });
    });

    it('follows the policies of the fields', async () => {
      const merged = await start();
      await merged.patch('orders/1', { note: 'theirs', total: '5', stock: 7, tags: ['x', 'z'] });
      const { body } = await merged.patch(
        'orders/1',
        { note: 'mine', total: '9', stock: 12, tags: ['y', 'w'] },
        base(1),
      );
      expect(body).toMatchObject({ note: 'mine', total: '5.00', stock: 9 });
      expect(body.tags.toSorted()).toEqual(['w', 'z']);
    });

    it('finds no conflict where both did the same', async () => {
      const merged = await start();
      await merged.patch('orders/1', { code: 'same' });
      const { status, headers } = await merged.patch('orders/1', { code: 'same' }, base(1));
      expect([status, headers.get('ETag')]).toEqual([200, '"2"']);
    });

    it('without the base is a conflict, unless it is so already', async () => {
      const merged = await start();
      await merged.patch('orders/1', { code: 'theirs' });
      for (const unknown of [0, 9, 9007199254740991]) {
        const { status, body } = await merged.patch('orders/1', { code: 'mine', stock: 10 }, base(unknown));
        expect([status, body.base, body.fields]).toEqual([409, undefined, ['code']]);
        expect((await merged.patch('orders/1', { code: 'theirs' }, base(unknown))).status).toBe(200);
      }
    });

    it.each(['', 'x', '-1', '1.5', '"1"', '9007199254740993', '1e3'])('refuses the base %s', async (value) => {
      const merged = await start();
      expect((await merged.patch('orders/1', { code: 'm' }, { 'Base-Version': value })).status).toBe(400);
    });

    it('loses no update of many clients who add to a counter at once', async () => {
      const merged = await start();
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, at) => merged.patch('orders/1', { stock: 10 + at + 1 }, base(1))),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
      expect((await merged.ask('orders/1')).body).toMatchObject({ stock: 10 + 55, version: 11 });
    });
  });

  it('clients who edit different fields of one record lose nothing, however stale what they know is', async () => {
    const { app: merged, versionOf } = recording(app());
    await merged.create('orders', { id: 1, stock: 0, tags: [] });
    await versionOf(await merged.ask('orders/1'));
    const last = new Map<string, unknown>();
    let stock = 0;
    const random = seededRandom(seed);
    const client = async (field: 'code' | 'status' | 'urgent' | 'stock') => {
      let known = (await merged.ask('orders/1')).body;
      for (let step = 0; step < 12; step += 1) {
        const added = Math.floor(random() * 9);
        const value = {
          code: `c${step}`,
          status: step % 2 === 0 ? 'paid' : 'void',
          urgent: step % 3 === 0,
          stock: known.stock + added,
        }[field];
        const answer = await merged.patch('orders/1', { [field]: value }, { 'Base-Version': String(known.version) });
        expect(answer.status, `seed ${seed}: ${field} ${answer.text}`).toBe(200);
        await versionOf(answer);
        last.set(field, value);
        if (field === 'stock') stock += added;
        // Mostly, the client goes on from something old; what it writes next is against that.
        if (random() < 0.5 || field !== 'stock') known = answer.body;
      }
    };
    await Promise.all((['code', 'status', 'urgent', 'stock', 'stock'] as const).map(client));
    const { body } = await merged.ask('orders/1');
    expect(body, `seed ${seed}`).toMatchObject({
      code: last.get('code'),
      status: last.get('status'),
      urgent: last.get('urgent'),
      stock,
    });
  });

  describe('an idempotency key', () => {
    const key = (value: string) => ({ 'Idempotency-Key': value });

    it.each([
      ['POST', 'orders', { note: 'x' }],
      ['POST', 'orders', [{ note: 'x' }, { note: 'y' }]],
      ['PUT', 'orders/5', { note: 'x' }],
      ['PATCH', 'orders/1', { stock: 5 }],
      ['DELETE', 'orders/1', undefined],
    ] as const)('answers a repeated %s %s as the first', async (method, path, body) => {
      await app().create('orders', { id: 1 });
      const { kicks } = app();
      const first = await app().ask(path, { method, body, headers: key('k') });
      const again = await app().ask(path, { method, body, headers: key('k') });
      expect(first.status).toBeLessThan(300);
      for (const name of ['ETag', 'Location']) expect(again.headers.get(name)).toBe(first.headers.get(name));
      expect([again.status, again.text]).toEqual([first.status, first.text]);
      expect([first, again].map(({ headers }) => headers.get('Idempotent-Replayed'))).toEqual([null, 'true']);
      // The word of the first may have been lost with its answer.
      expect(app().kicks).toBe(kicks + 2);
      expect((await app().ask('orders')).body.records.every(({ version }: { version: number }) => version < 3)).toBe(
        true,
      );
    });

    it('is refused for another body, path or precondition', async () => {
      await app().ask('orders/1', { method: 'PUT', body: {}, headers: key('k') });
      for (const [path, body, more] of [
        ['orders/1', { note: 'x' }, {}],
        ['orders/2', {}, {}],
        ['orders/1', {}, { 'If-Match': '*' }],
      ] as const) {
        const asking = { method: 'PUT', body, headers: { ...key('k'), ...more } };
        expect(await app().refusal(path, asking)).toBe('422 idempotency-mismatch');
      }
    });

    it('is not used up by a write that was refused', async () => {
      await app().create('orders', { id: 1, code: 'a' });
      const asking = { body: { code: 'a' }, headers: key('k') };
      expect(await app().refusal('orders', asking)).toBe('409 unique');
      await app().ask('orders/1', { method: 'DELETE' });
      expect((await app().ask('orders', asking)).status).toBe(201);
    });

    it('belongs to its caller', async () => {
      const grants = { publish: ['**'], subscribe: ['**'] };
      const ids = new Set();
      for (const as of [caller('a', grants), caller('b', grants)])
        ids.add((await app().ask('orders', { as, body: {}, headers: key('k') })).body.id);
      expect(ids.size).toBe(2);
    });

    it('lets one of many that are sent at once write', async () => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => app().ask('orders', { body: { stock: 1 }, headers: key('k') })),
      );
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
      expect(await app().ids('orders')).toHaveLength(1);
    });

    it('is forgotten after a day', async () => {
      await app().ask('orders', { body: {}, headers: key('k') });
      await app().database.query('update sluice.writes set time = time - 86400001');
      expect(
        (await app().ask('orders', { body: {}, headers: key('k') })).headers.get('Idempotent-Replayed'),
      ).toBeNull();
      expect(await app().ids('orders')).toHaveLength(2);
    });

    it.each(['', 'x'.repeat(201), 'é'])('that is none is refused: %s', async (value) => {
      expect(await app().refusal('orders', { body: {}, headers: key(value) })).toBe('400 invalid');
    });

    it('works under the caller’s own role too', async () => {
      const ada = caller('ada');
      const asking = { as: ada, body: { id: 1, owner: 'ada' }, headers: key('k') };
      const first = await app().ask('docs', asking);
      const again = await app().ask('docs', asking);
      expect([first.status, again.status, again.headers.get('Idempotent-Replayed')]).toEqual([201, 201, 'true']);
    });
  });
}
