/** Who may see and write what. */
import { describe, expect, it } from 'vitest';
import { caller, granted } from './principals.ts';
import type { Running } from './suite.ts';

export function visibility(app: Running): void {
  describe('grants', () => {
    it('decide where everybody sees every row', async () => {
      await app().create('orders', { id: 1 });
      expect(await app().refusal('orders', { as: null })).toBe('401 token-required');
      expect(await app().refusal('orders/1', { as: null })).toBe('401 token-required');
      const reader = caller('r', { subscribe: ['orders'] });
      expect(await app().ids('orders', reader)).toEqual([1]);
      expect(await app().refusal('orders', { as: reader, body: {} })).toBe('403 forbidden');
      for (const method of ['PUT', 'PATCH', 'DELETE'])
        expect(await app().refusal('orders/1', { as: reader, method, body: {} })).toBe('403 forbidden');
      const writer = caller('w', { publish: ['orders'] });
      expect(await app().refusal('orders', { as: writer })).toBe('403 forbidden');
      expect((await app().ask('orders', { as: writer, body: {} })).status).toBe(201);
    });

    it('are asked the same for a collection that is not there', async () => {
      for (const as of [null, caller('x')]) {
        const there = await app().ask('orders', { as });
        const missing = await app().ask('nothing', { as });
        expect(missing.text).toBe(there.text);
      }
      expect(await app().refusal('nothing')).toBe('404 not-found');
      expect(await app().refusal('nothing/1', { method: 'PUT', body: {} })).toBe('404 not-found');
      expect(await app().refusal('__proto__')).toBe('404 not-found');
    });

    it('do not open what is read-only', async () => {
      expect(await app().ids('customers')).toEqual([1, 2]);
      for (const [method, path] of [
        ['POST', 'customers'],
        ['PUT', 'customers/1'],
        ['PATCH', 'customers/1'],
        ['DELETE', 'customers/1'],
      ] as const) {
        const { status, headers } = await app().ask(path, { method, body: {} });
        expect([status, headers.get('Allow')]).toEqual([405, 'GET, HEAD']);
      }
    });
  });

  describe('row-level security', () => {
    const [ada, bo] = [caller('ada'), caller('bo')];
    const start = async () => {
      const { database } = app();
      await database.query(
        `insert into docs (id, owner, body, secret) values (1, 'ada', 'a', 's'), (2, 'bo', 'b', 's'), (3, 'all', 'c', 's')`,
      );
    };

    it('shows each caller their rows, without a grant', async () => {
      await start();
      expect(await app().ids('docs', ada)).toEqual([1, 3]);
      expect(await app().ids('docs', bo)).toEqual([2, 3]);
      expect(await app().ids('docs', null)).toEqual([3]);
      expect(await app().refusal('docs/2', { as: ada })).toBe('404 not-found');
      expect((await app().ask('docs/1', { as: ada })).body).toEqual({ id: 1, owner: 'ada', body: 'a', version: 1 });
      expect(await app().refusal('docs/1', { as: null })).toBe('404 not-found');
    });

    it('says of a filter no more than of the rows that are seen', async () => {
      await start();
      expect(await app().ids('docs?filter=owner%3Deq.bo', ada)).toEqual([]);
      expect(await app().ids('docs?filter=id%3Dgte.2&order=body.desc', ada)).toEqual([3]);
    });

    it('decides about writes', async () => {
      await start();
      expect((await app().ask('docs', { as: ada, body: { id: 4, owner: 'ada' } })).status).toBe(201);
      expect(await app().refusal('docs', { as: ada, body: { id: 5, owner: 'bo' } })).toBe('403 forbidden');
      expect(await app().refusal('docs', { as: null, body: { id: 5, owner: 'bo' } })).toBe('401 token-required');
      expect((await app().patch('docs/1', { body: 'new' }, {}, ada)).body).toMatchObject({ body: 'new', version: 2 });
      expect(await app().refusal('docs/1', { as: ada, method: 'PATCH', body: { owner: 'bo' } })).toBe('403 forbidden');
      expect(await app().refusal('docs/2', { as: ada, method: 'PATCH', body: { body: 'x' } })).toBe('404 not-found');
      expect(await app().refusal('docs/3', { as: ada, method: 'PATCH', body: { body: 'x' } })).toBe('403 forbidden');
      expect(await app().refusal('docs/3', { as: ada, method: 'PUT', body: { owner: 'ada' } })).toBe('403 forbidden');
      expect(await app().refusal('docs/2', { as: ada, method: 'PUT', body: { owner: 'ada' } })).toBe('409 unique');
      expect((await app().ask('docs/6', { as: ada, method: 'PUT', body: { owner: 'ada' } })).status).toBe(201);
      expect(await app().refusal('docs/2', { as: ada, method: 'DELETE' })).toBe('404 not-found');
      expect(await app().refusal('docs/3', { as: ada, method: 'DELETE' })).toBe('403 forbidden');
      expect((await app().ask('docs/1', { as: ada, method: 'DELETE', headers: { 'If-Match': '"2"' } })).status).toBe(
        204,
      );
      expect(
        (await app().database.query('select owner, body from docs where id in (2, 3) order by id')).map(
          (row: any) => row.body,
        ),
      ).toEqual(['b', 'c']);
      expect(app().faults).toEqual([]);
    });

    it('leaves nothing of one caller to the next', async () => {
      await start();
      const sees = { ada: [1, 3], bo: [2, 3] };
      const callers = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? 'ada' : 'bo'));
      const seen = await Promise.all(callers.map((name) => app().ids('docs', caller(name))));
      expect(seen).toEqual(callers.map((name) => sees[name]));
      const [row] = await app().database.query<{ who: string; claims: string | null }>(
        `select current_user::text as who, nullif(current_setting('request.jwt.claims', true), '') as claims`,
      );
      expect(row).toEqual({ who: 'postgres', claims: null });
    });

    it('is refused to roles that there are not, and to claims that the policies cannot read', async () => {
      await start();
      expect(await app().refusal('docs', { as: { ...ada, role: 'nobody_knows' } })).toBe('403 forbidden');
      expect(await app().refusal('docs/1', { as: { ...ada, role: 'nobody_knows' } })).toBe('403 forbidden');
      expect(await app().refusal('docs', { as: { ...ada, role: 'nobody_knows' }, body: { id: 9, owner: 'ada' } })).toBe(
        '403 forbidden',
      );
      await app().database.query(`insert into strict_docs values (1, gen_random_uuid())`);
      expect(await app().refusal('strict', { as: ada })).toBe('403 forbidden');
      expect(await app().refusal('strict?filter=id%3Deq.1', { as: ada })).toBe('403 forbidden');
      expect(await app().refusal('strict/1', { as: ada })).toBe('403 forbidden');
      const owner = crypto.randomUUID();
      expect(await app().refusal('strict', { as: ada, body: { id: 2, owner } })).toBe('403 forbidden');
      expect((await app().ask('strict', { as: caller(owner), body: { id: 2, owner } })).status).toBe(201);
      expect(await app().refusal('strict', { as: caller(owner), body: { id: 3, owner: 'x' } })).toBe('400 invalid');
      expect(await app().refusal('strict', { as: null })).toBe('401 token-required');
      expect(app().faults).toEqual([]);
    });

    it('is not opened by a ticket of other topics, and never for writing', async () => {
      await start();
      const ticket = (topic: string) => ({
        ...ada,
        kind: 'ticket' as const,
        grants: granted({ subscribe: [topic] }),
      });
      expect(await app().ids('docs', ticket('docs'))).toEqual([1, 3]);
      expect(await app().refusal('docs', { as: ticket('other') })).toBe('403 forbidden');
      expect(await app().refusal('docs', { as: ticket('docs'), body: { id: 9, owner: 'ada' } })).toBe('403 forbidden');
    });
  });

  describe('a scope', () => {
    const grants = { subscribe: ['notes'], publish: ['notes'] };
    const [ada, bo] = [caller('ada', grants), caller('bo', grants)];
    const start = (count = 9) =>
      app().database.query(
        `insert into notes select i, case when i % 3 = 0 then 'ada' else 'bo' end, 'n' || i from generate_series(1, $1::int) i`,
        [count],
      );

    it('filters lists and records', async () => {
      await start();
      expect(await app().ids('notes', ada)).toEqual([3, 6, 9]);
      expect(await app().ids('notes', bo)).toEqual([1, 2, 4, 5, 7, 8]);
      expect(await app().refusal('notes/1', { as: ada })).toBe('404 not-found');
      expect((await app().ask('notes/3', { as: ada })).status).toBe(200);
      expect(await app().refusal('notes', { as: null })).toBe('401 token-required');
    });

    it('pages over what is not seen', async () => {
      await start(30);
      const first = await app().ask('notes?limit=4', { as: ada });
      expect(first.body.records.map(({ id }: { id: number }) => id)).toEqual([3, 6, 9, 12]);
      const rest = await app().ask(`notes?limit=100&page=${first.body.next}`, { as: ada });
      expect(rest.body.records.map(({ id }: { id: number }) => id)).toEqual([15, 18, 21, 24, 27, 30]);
      expect(rest.body.next).toBeUndefined();
      expect((await app().ask('notes?limit=10', { as: ada })).body.next).toBeUndefined();
    });

    it('looks at a bounded number of rows for a page, and tells nothing of those that it passed', async () => {
      await app().database.query(`insert into notes select i, 'secret' || i, null from generate_series(1, 25000) i`);
      await app().database.query(`insert into notes values (30000, 'ada', null)`);
      let pages = 0;
      const seen: unknown[] = [];
      for (let next: string | undefined = ''; next !== undefined; pages += 1) {
        const { body }: any = await app().ask(`notes?${next && `page=${next}`}`, { as: ada });
        seen.push(...body.records.map(({ id }: { id: number }) => id));
        ({ next } = body);
        if (next !== undefined) expect(atob(next.replaceAll('-', '+').replaceAll('_', '/'))).not.toMatch(/\d{4,}/);
      }
      expect(seen).toEqual([30000]);
      expect(pages).toBe(3);
    });

    it('judges a write by the row before and after', async () => {
      await start();
      const body = { body: 'x' };
      expect(await app().refusal('notes', { as: ada, body: { id: 20, owner: 'bo' } })).toBe('403 forbidden');
      expect(
        await app().refusal('notes', {
          as: ada,
          body: [
            { id: 20, owner: 'ada' },
            { id: 21, owner: 'bo' },
          ],
        }),
      ).toBe('403 forbidden');
      expect((await app().ask('notes', { as: ada, body: { id: 20, owner: 'ada' } })).status).toBe(201);
      expect(await app().refusal('notes/1', { as: ada, method: 'PATCH', body })).toBe('404 not-found');
      expect(await app().refusal('notes/3', { as: ada, method: 'PATCH', body: { owner: 'bo' } })).toBe('403 forbidden');
      expect((await app().patch('notes/3', body, {}, ada)).status).toBe(200);
      expect(await app().refusal('notes/1', { as: ada, method: 'DELETE' })).toBe('404 not-found');
      expect(await app().refusal('notes/1', { as: ada, method: 'PUT', body: { owner: 'ada' } })).toBe('409 unique');
      expect(await app().refusal('notes/3', { as: ada, method: 'PUT', body: { owner: 'bo' } })).toBe('403 forbidden');
      expect(await app().refusal('notes/40', { as: ada, method: 'PUT', body: { owner: 'bo' } })).toBe('403 forbidden');
      expect((await app().ask('notes/3', { as: ada, method: 'DELETE' })).status).toBe(204);
      expect(await app().ids('notes', ada)).toEqual([6, 9, 20]);
      expect((await app().ask('notes/1', { as: bo })).body).toMatchObject({ body: 'n1', version: 1 });
    });
  });
}
