/** Lists and single records. */
import { describe, expect, it } from 'vitest';
import type { Running } from './suite.ts';

const q = encodeURIComponent;

export function reading(app: Running): void {
  describe('a record', () => {
    it('is read in wire form, with its version as tag', async () => {
      await app().create('orders', { id: 1, code: 'a', total: '12.5', big: '9007199254740993', mood: 'high' });
      const read = await app().ask('orders/1');
      expect(read.status).toBe(200);
      expect(read.headers.get('ETag')).toBe('"1"');
      expect(read.body).toEqual({
        id: 1,
        code: 'a',
        customerId: null,
        status: 'open',
        total: '12.50',
        stock: 0,
        big: '9007199254740993',
        mood: 'high',
        urgent: null,
        note: null,
        slug: null,
        tags: [],
        meta: null,
        placedAt: '2024-01-01T00:00:00+00:00',
        doubled: 0,
        version: 1,
      });
    });

    it('is not sent again to whoever has it', async () => {
      await app().create('orders', { id: 1 });
      for (const tag of ['"1"', 'W/"1"', '"0", "1"', '*']) {
        const read = await app().ask('orders/1', { headers: { 'If-None-Match': tag } });
        expect([read.status, read.text, read.headers.get('ETag')], tag).toEqual([304, '', '"1"']);
      }
      expect((await app().ask('orders/1', { headers: { 'If-None-Match': '"2"' } })).status).toBe(200);
    });

    it('answers HEAD as GET, without the body', async () => {
      await app().create('orders', { id: 1 });
      const head = await app().ask('orders/1', { method: 'HEAD' });
      expect([head.status, head.text, head.headers.get('ETag')]).toEqual([200, '', '"1"']);
      expect((await app().ask('orders', { method: 'HEAD' })).status).toBe(200);
      expect((await app().ask('orders/2', { method: 'HEAD' })).status).toBe(404);
    });

    it.each(['2', '01', '1.0', 'x', '99999999999999999999', '-', '%00', "1' or '1'='1", '1,2'])(
      'is not found by %s',
      async (key) => {
        await app().create('orders', { id: 1 });
        expect(await app().refusal(`orders/${key.startsWith('%') ? key : q(key)}`)).toBe('404 not-found');
      },
    );

    it('is named by all columns of its key', async () => {
      const room = 'a,b/c d%';
      const made = await app().ask('seats', { body: { room, seat: 3, holder: 'Ada' } });
      expect(made.headers.get('Location')).toBe(`/v1/collections/seats/${q(`${q(room)},3`)}`);
      const read = await app().ask(made.headers.get('Location')!.slice('/v1/collections/'.length));
      expect(read.body).toEqual({ room, seat: 3, holder: 'Ada', version: 1 });
      expect(await app().refusal(`seats/${q(q(room))}`)).toBe('404 not-found');
    });
  });

  describe('a list', () => {
    it('is ordered by key, and says where the stream goes on', async () => {
      const { database } = app();
      await database.query(
        `select * from sluice.append(array['orders'], array[2], array[E'{}\\n{}'], array[null], array[null], array[null])`,
      );
      await app().create('orders', { id: 10 }, { id: 9 });
      const { body } = await app().ask('orders');
      expect(body.records.map(({ id }: { id: number }) => id)).toEqual([9, 10]);
      expect(body.cursor).toMatch(/^abcde00000-[1-9]\d*$/);
      expect(body.next).toBeUndefined();
    });

    it.each([
      ['status=eq.paid', [2, 3]],
      ['status=neq.paid', [1]],
      ['note=eq.', []],
      ['note=is.null', [2, 3]],
      ['note=is.not_null', [1]],
      ['note=neq.x', [1]],
      ['total=gt.9', [2, 3]],
      ['total=gte.10.00', [2, 3]],
      ['total=lt.10', [1]],
      ['stock=lte.5', [1, 2]],
      ['big=gt.10', [2]],
      ['mood=in.(low,high)', [1, 2]],
      ['mood=gt.high', [1]],
      ['urgent=is.true', [1]],
      ['urgent=is.false', [2]],
      ['urgent=eq.true', [1]],
      ['status=is.true', []],
      ['code=in.("a,1",b)', [1, 2]],
      ['code=gt.Z', [1, 2]],
      ['placedAt=gte.2024-02-01T01:00:00+01:00', [2]],
      ['id=in.(1,3)', [1, 3]],
      ['doubled=eq.14', [3]],
      ['version=eq.1', [1, 2, 3]],
    ])('with the filter %s has %j', async (filter, expected) => {
      await app().create(
        'orders',
        { id: 1, code: 'a,1', note: 'n', total: 9, stock: 5, big: 9, mood: 'low', urgent: true },
        {
          id: 2,
          code: 'b',
          status: 'paid',
          total: '10',
          stock: 5,
          big: '10000000000',
          mood: 'high',
          urgent: false,
          placedAt: '2024-02-01T00:00:00Z',
        },
        { id: 3, code: 'C', status: 'paid', total: 100, stock: 7 },
      );
      expect(await app().ids(`orders?filter=${q(filter)}`)).toEqual(expected);
    });

    it('needs all of its filters to hold', async () => {
      await app().create('orders', { id: 1, stock: 1 }, { id: 2, stock: 1, note: 'x' }, { id: 3, note: 'x' });
      expect(await app().ids(`orders?filter=${q('stock=eq.1')}&filter=${q('note=eq.x')}`)).toEqual([2]);
    });

    it.each([
      ['stock.asc', [3, 1, 2]],
      ['stock.desc', [1, 2, 3]],
      ['stock', [3, 1, 2]],
      ['note', [1, 3, 2]],
      ['note.desc', [2, 3, 1]],
      ['note.desc,id.desc', [2, 3, 1]],
      ['stock.desc,id.desc', [2, 1, 3]],
      ['mood', [1, 3, 2]],
    ])('is ordered by %s', async (order, expected) => {
      await app().create(
        'orders',
        { id: 1, stock: 2, note: 'a', mood: 'low' },
        { id: 2, stock: 2, mood: 'high' },
        { id: 3, stock: 1, note: 'b', mood: 'fair' },
      );
      expect(await app().ids(`orders?order=${order}`)).toEqual(expected);
    });

    it.each(['id', 'note', 'note.desc', 'stock.desc,note', 'placedAt.desc,big', 'total'])(
      'comes in pages that miss nothing and repeat nothing: %s',
      async (order) => {
        const records = Array.from({ length: 23 }, (_, id) => ({
          id,
          stock: id % 3,
          total: `${id % 4}.25`,
          ...(id % 2 === 0 && { note: `n${id % 5}` }),
          ...(id % 5 === 0 && { big: String(id % 3) }),
          placedAt: `2024-01-0${1 + (id % 2)}T00:00:00.123456Z`,
        }));
        await app().create('orders', ...records);
        const whole = await app().ids(`orders?order=${order}`);
        const paged: unknown[] = [];
        for (let next: string | undefined = ''; next !== undefined; ) {
          const { body }: any = await app().ask(`orders?order=${order}&limit=4${next && `&page=${next}`}`);
          expect(body.records.length).toBeLessThanOrEqual(4);
          paged.push(...body.records.map(({ id }: { id: number }) => id));
          ({ next } = body);
        }
        expect(paged).toEqual(whole);
        expect(new Set(paged).size).toBe(23);
      },
    );

    it('takes a page only for the list that it belongs to', async () => {
      await app().create('orders', { id: 1 }, { id: 2 }, { id: 3 });
      const { body } = await app().ask('orders?limit=1');
      expect(await app().ids(`orders?limit=2&page=${body.next}`)).toEqual([2, 3]);
      for (const other of [
        `orders?order=id.desc&page=${body.next}`,
        `orders?filter=${q('id=gt.0')}&page=${body.next}`,
        `seats?page=${body.next}`,
        `orders?page=${body.next}A`,
        'orders?page=AAAA',
        'orders?page=%00',
      ])
        expect(await app().refusal(other), other).toBe('400 invalid');
    });

    it('is cut where it would become too large, and goes on', async () => {
      const note = 'x'.repeat(900_000);
      for (let id = 1; id <= 7; id += 1) await app().create('orders', { id, note });
      const first = await app().ask('orders');
      expect(first.body.records.length).toBeLessThan(7);
      expect(first.body.next).toEqual(expect.any(String));
      const second = await app().ask(`orders?page=${first.body.next}`);
      expect([...first.body.records, ...second.body.records].map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    });

    it.each([
      ['filter=stock', 'invalid-filter'],
      ['filter=code%3Din.("a,1","b""")', 'invalid-filter'],
      ['filter=nothing%3Deq.1', 'invalid-filter'],
      ['filter=hidden%3Deq.1', 'invalid-filter'],
      ['filter=meta%3Deq.1', 'invalid-filter'],
      ['filter=tags%3Deq.1', 'invalid-filter'],
      ['filter=__proto__%3Deq.1', 'invalid-filter'],
      ['filter=customer_id%3Deq.1', 'invalid-filter'],
      ['filter=stock%3Deq.many', 'invalid-filter'],
      ['filter=stock%3Deq.99999999999', 'invalid-filter'],
      ['filter=stock%3Din.(1,x)', 'invalid-filter'],
      ['filter=mood%3Deq.sad', 'invalid-filter'],
      ['filter=placedAt%3Dgt.yesteryear', 'invalid-filter'],
      ['filter=note%3Deq.%00', 'invalid-filter'],
      ['filter=total%3Deq.1e999999', 'invalid-filter'],
      ['order=nothing', 'invalid'],
      ['order=meta', 'invalid'],
      ['order=stock.up', 'invalid'],
      ['order=stock,stock.desc', 'invalid'],
      ['order=', 'invalid'],
      ['limit=0', 'invalid'],
      ['limit=1001', 'invalid'],
      ['limit=x', 'invalid'],
    ])('refuses %s', async (query, code) => {
      expect(await app().refusal(`orders?${query}`)).toBe(`400 ${code}`);
      expect(app().faults).toEqual([]);
    });

    it('names the field whose value does not fit', async () => {
      const { body } = await app().ask(`orders?filter=${q('note=eq.x')}&filter=${q('stock=eq.x')}`);
      expect(body.errors).toEqual([{ path: 'filter', message: 'the value does not fit stock' }]);
    });
  });
}
