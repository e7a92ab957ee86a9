/** Creating, replacing, patching and removing. */
import { describe, expect, it } from 'vitest';
import type { Running } from './suite.ts';

/** @param dropsEmptyHeaders whether the runtime takes an empty `If-Match` for none, before anybody here sees it */
export function writing(app: Running, dropsEmptyHeaders = false): void {
  const read = async (path: string) => (await app().ask(path)).body;
  const tag = (value: string) => ({ 'If-Match': value });

  describe('creating', () => {
    it('answers 201 with the record, where it is, and its tag', async () => {
      const { status, body, headers } = await app().ask('orders', { body: { note: 'x' } });
      expect(status).toBe(201);
      expect(body).toMatchObject({ note: 'x', status: 'open', version: 1 });
      expect(headers.get('Location')).toBe(`/v1/collections/orders/${body.id}`);
      expect(headers.get('ETag')).toBe('"1"');
      expect(app().kicks).toBe(1);
      expect(await read(`orders/${body.id}`)).toEqual(body);
    });

    it('takes many together, whatever fields each has, and answers them in order', async () => {
      const sent = [{ id: 3, note: 'c' }, { id: 1 }, { id: 2, stock: 4 }, { id: 5, stock: 5 }, {}];
      const { status, body } = await app().ask('orders', { body: sent });
      expect(status).toBe(201);
      expect(body.records.map(({ id }: { id: number }) => id)).toEqual([3, 1, 2, 5, expect.any(Number)]);
      expect(body.records[2]).toMatchObject({ stock: 4, doubled: 8, note: null });
    });

    it('creates all of them or none', async () => {
      expect(await app().refusal('orders', { body: [{ id: 1 }, { id: 2 }, { id: 1 }] })).toBe('409 unique');
      expect(await app().ids('orders')).toEqual([]);
      expect(app().kicks).toBe(0);
    });

    it('takes a thousand, and not one more', async () => {
      const many = (count: number) => Array.from({ length: count }, (_, id) => ({ id }));
      expect((await app().ask('orders', { body: many(1000) })).status).toBe(201);
      expect(await app().refusal('orders', { body: many(1001) })).toBe('413 too-large');
    });

    it('keeps numbers and JSON as they were written', async () => {
      const text =
        '{"id":1,"total":123456789.10,"big":9223372036854775807,"meta":{"n":12345678901234567890.5,"list":[1.0,null]}}';
      const { text: made } = await app().ask('orders', { body: text });
      expect(made).toContain('"total":"123456789.10"');
      expect(made).toContain('"big":"9223372036854775807"');
      expect(made).toContain('12345678901234567890.5');
    });

    it('holds together values of every kind', async () => {
      const sent = {
        id: 1,
        tags: ['a"b', 'c,d', '{}'],
        meta: { __proto__x: [1, { a: null }] },
        mood: 'fair',
        urgent: false,
        slug: 'é😀',
      };
      expect((await app().ask('orders', { body: sent })).body).toMatchObject(sent);
    });

    it.each([
      [{ nothing: 1 }, ''],
      [{ version: 7 }, ''],
      [{ doubled: 7 }, ''],
      [{ hidden: 'x' }, ''],
      [{ stock: 'many' }, 'stock'],
      [{ stock: 1.5 }, 'stock'],
      [{ stock: 3e9 }, 'stock'],
      [{ total: 'x' }, 'total'],
      [{ note: 'a\0b' }, 'note'],
      [{ mood: 'sad' }, 'mood'],
      [{ slug: 'much too long' }, 'slug'],
      [{ placedAt: 'yesterday' }, 'placedAt'],
      [{ total: '99999999999999' }, 'total'],
      [{ status: null }, 'status'],
    ])('refuses %j, and says where', async (body, path) => {
      const answer = await app().ask('orders', { body });
      expect(answer.status).toBe(400);
      expect(answer.body.errors[0].path).toBe(path);
      const several = await app().ask('orders', { body: [{ id: 1 }, body] });
      expect(several.status).toBe(400);
      expect(app().faults).toEqual([]);
    });

    it.each([
      ['text', 400],
      ['null', 400],
      ['[]', 400],
      ['[[]]', 400],
      ['{"id":', 400],
      ['[1]', 400],
      [`{"meta":${'['.repeat(100)}${']'.repeat(100)}}`, 400],
    ])('refuses the body %s', async (body, status) => {
      expect((await app().ask('orders', { body })).status).toBe(status);
    });

    it('refuses other types of body', async () => {
      expect(await app().refusal('orders', { body: '{}', type: 'text/plain' })).toBe('415 unsupported-media-type');
      expect(await app().refusal('orders', { body: 'x'.repeat(1_100_000) })).toBe('413 too-large');
    });
  });

  describe('preconditions', () => {
    it.each([
      ['"1"', 200],
      ['"7", "1"', 200],
      ['*', 200],
      ['"2"', 412],
      ['W/"1"', 412],
      ['1', 400],
      ['"1', 400],
      ['', dropsEmptyHeaders ? 200 : 400],
      ['"a" "1"', 400],
    ])('with If-Match: %s answer %i', async (value, status) => {
      for (const [method, body] of [
        ['PUT', {}],
        ['PATCH', { note: 'y' }],
        ['DELETE', undefined],
      ] as const) {
        await app().database.query('delete from orders');
        await app().create('orders', { id: 1 });
        const answer = await app().ask('orders/1', { method, body, headers: tag(value) });
        expect(answer.status, method).toBe(method === 'DELETE' && status === 200 ? 204 : status);
        expect((await app().ask('orders/1')).status).toBe(method === 'DELETE' && status === 200 ? 404 : 200);
      }
    });

    it('with If-Match answer 412 to PUT of a record that is not there, and 404 to all others', async () => {
      expect(await app().refusal('orders/1', { method: 'PUT', body: {}, headers: tag('*') })).toBe(
        '412 precondition-failed',
      );
      expect(await app().refusal('orders/1', { method: 'PATCH', body: {}, headers: tag('*') })).toBe('404 not-found');
      expect(await app().refusal('orders/1', { method: 'DELETE', headers: tag('"1"') })).toBe('404 not-found');
    });

    it('If-None-Match: * lets PUT only create', async () => {
      const headers = { 'If-None-Match': '*' };
      expect((await app().ask('orders/1', { method: 'PUT', body: {}, headers })).status).toBe(201);
      expect(await app().refusal('orders/1', { method: 'PUT', body: {}, headers })).toBe('412 precondition-failed');
    });

    it('let one of many writers win who all know the same version', async () => {
      await app().create('orders', { id: 1 });
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, at) => app().patch('orders/1', { note: `n${at}` }, tag('"1"'))),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)]);
    });

    it('let one of many create a record', async () => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, () =>
          app().ask('orders/1', { method: 'PUT', body: {}, headers: { 'If-None-Match': '*' } }),
        ),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(412)]);
      const puts = await Promise.all(
        Array.from({ length: 8 }, (_, stock) => app().ask('orders/2', { method: 'PUT', body: { stock: stock + 1 } })),
      );
      expect(puts.map(({ status }) => status).sort()).toEqual([...Array(7).fill(200), 201]);
      expect((await read('orders/2')).version).toBe(8);
    });
  });

  describe('replacing', () => {
    it('creates, then replaces; what is not given takes its default', async () => {
      const made = await app().ask('orders/5', { method: 'PUT', body: { note: 'x', stock: 4 } });
      expect([made.status, made.headers.get('Location')]).toEqual([201, '/v1/collections/orders/5']);
      expect(made.body).toMatchObject({ id: 5, note: 'x', stock: 4, version: 1 });
      const again = await app().ask('orders/5', { method: 'PUT', body: { id: 5, status: 'paid' } });
      expect([again.status, again.headers.get('ETag')]).toEqual([200, '"2"']);
      expect(again.body).toMatchObject({ id: 5, note: null, stock: 0, status: 'paid', version: 2 });
    });

    it('takes the key from the path, and refuses another in the body', async () => {
      expect(await app().refusal('orders/5', { method: 'PUT', body: { id: 6 } })).toBe('400 invalid');
      expect(await app().refusal('orders/five', { method: 'PUT', body: {} })).toBe('400 invalid');
      const seat = await app().ask('seats/hall,4', { method: 'PUT', body: { holder: 'Bo' } });
      expect(seat.body).toEqual({ room: 'hall', seat: 4, holder: 'Bo', version: 1 });
      expect(await app().refusal('seats/hall,4', { method: 'PUT', body: {} })).toBe('400 invalid');
    });
  });

  describe('patching', () => {
    it('changes only what is named, and null means null', async () => {
      await app().create('orders', { id: 1, note: 'x', stock: 3 });
      const { status, body, headers } = await app().patch('orders/1', { note: null });
      expect([status, headers.get('ETag')]).toEqual([200, '"2"']);
      expect(body).toMatchObject({ note: null, stock: 3, version: 2 });
    });

    it('takes both types of body', async () => {
      await app().create('orders', { id: 1 });
      const type = 'application/merge-patch+json';
      expect((await app().ask('orders/1', { method: 'PATCH', body: { stock: 1 }, type })).status).toBe(200);
      expect(
        await app().refusal('orders/1', { method: 'PATCH', body: '[]', type: 'application/json-patch+json' }),
      ).toBe('415 unsupported-media-type');
    });

    it('merges JSON within a field (RFC 7396)', async () => {
      await app().create('orders', { id: 1, meta: { a: { b: 1, c: 2 }, d: [1] } });
      const { body } = await app().patch('orders/1', { meta: { a: { b: null, e: 3 }, d: [] } });
      expect(body.meta).toEqual({ a: { c: 2, e: 3 }, d: [] });
    });

    it('that changes nothing leaves the version', async () => {
      await app().create('orders', { id: 1, note: 'x' });
      for (const patch of [{}, { note: 'x' }])
        expect((await app().patch('orders/1', patch)).headers.get('ETag')).toBe('"1"');
    });

    it.each([[{ id: 2 }], [{ version: 2 }], [{ nothing: 1 }], [{ status: null }], ['text'], [null], [[]]])(
      'refuses %j',
      async (patch) => {
        await app().create('orders', { id: 1 });
        expect((await app().patch('orders/1', patch)).status).toBe(400);
        expect(app().faults).toEqual([]);
      },
    );

    it('finds only what is there', async () => {
      expect(await app().refusal('orders/1', { method: 'PATCH', body: { note: 'x' } })).toBe('404 not-found');
    });
  });

  it('finds nothing by a key that only Postgres can tell is none, and does not create it', async () => {
    const key = encodeURIComponent('2024-01-01T00:00:00+00:00');
    const put = await app().ask(`slots/${key}`, { method: 'PUT', body: { note: 'x' } });
    expect([put.status, put.body]).toEqual([201, { at: '2024-01-01T00:00:00+00:00', note: 'x', version: 1 }]);
    expect((await app().patch(`slots/${key}`, { note: 'y' })).status).toBe(200);
    expect(await app().refusal('slots/noon')).toBe('404 not-found');
    expect(await app().refusal('slots/noon', { method: 'PATCH', body: { note: 'y' } })).toBe('404 not-found');
    expect(await app().refusal('slots/noon', { method: 'DELETE' })).toBe('404 not-found');
    expect(await app().refusal('slots/noon', { method: 'PUT', body: {} })).toBe('400 invalid');
    expect((await app().ask(`slots/${key}`, { method: 'DELETE' })).status).toBe(204);
    expect(app().faults).toEqual([]);
  });

  describe('removing', () => {
    it('answers 204, and then the record is gone', async () => {
      await app().create('orders', { id: 1 });
      const gone = await app().ask('orders/1', { method: 'DELETE' });
      expect([gone.status, gone.text]).toEqual([204, '']);
      expect(await app().refusal('orders/1', { method: 'DELETE' })).toBe('404 not-found');
    });
  });
}
