/** Tables, values and callers that are odd, and legal all the same. */
import { describe, expect, it } from 'vitest';
import { CollectionsApp } from './app.ts';
import { caller } from './principals.ts';
import type { Running } from './suite.ts';

export function odd(app: Running): void {
  const query = (text: string) => app().database.query(text);

  describe('columns that are called as what statements use', () => {
    it('are columns like all others', async () => {
      const forged = { id: 7, t: 'mine', version: 1, r: 'forged' };
      const { status, body } = await app().ask('odd', { body: { id: 1, r: forged, t: 'x', k: 1, toString: 'y' } });
      expect([status, body]).toMatchObject([201, { id: 1, r: forged, t: 'x', k: 1, toString: 'y', version: 1 }]);
      await query(`insert into odd (id, t, r) values (2, 'hidden', '{"id": 7, "t": "mine", "version": 1}')`);
      expect((await app().ask('odd')).body.records.map(({ id }: { id: number }) => id)).toEqual([1]);
      expect(await app().refusal('odd/2')).toBe('404 not-found');
      expect(await app().refusal('odd/2', { method: 'DELETE' })).toBe('404 not-found');
      expect((await app().patch('odd/1', { toString: 'z' })).body.toString).toBe('z');
      expect((await app().ask('odd', { body: { id: 3 } })).status).toBe(201);
    });
  });

  describe('a json value that jsonb cannot hold', () => {
    it('is given as its text, and the record can be read, listed, mended and removed', async () => {
      const values = ['{"a":"\\u0000"}', '[1e200000]', '{"a":"\\\\u0000"}', '{"a":1e5}'];
      for (const [id, value] of values.entries()) await query(`insert into odd (id, js) values (${id}, '${value}')`);
      const { records } = (await app().ask('odd')).body;
      expect(records.map(({ js }: { js: unknown }) => js)).toEqual([
        '{"a":"\\u0000"}',
        '[1e200000]',
        { a: '\\u0000' },
        { a: 1e5 },
      ]);
      expect((await app().ask('odd/0')).body.js).toBe('{"a":"\\u0000"}');
      expect((await app().patch('odd/0', { js: { a: 1 } })).status).toBe(200);
      expect((await app().ask('odd/1', { method: 'DELETE' })).status).toBe(204);
      expect(app().faults).toEqual([]);
    });
  });

  it('can be put back as it was read: numbers that are none, arrays with nulls and of several dimensions', async () => {
    await query(`insert into odd (id, f8, num, grid) values (1, 'Infinity', 'NaN', '{{1,2},{3,null}}')`);
    const { body } = await app().ask('odd/1');
    expect(body).toMatchObject({
      f8: 'Infinity',
      num: 'NaN',
      grid: [
        [1, 2],
        [3, null],
      ],
    });
    const { version, ...rest } = body;
    const put = await app().ask('odd/1', { method: 'PUT', body: rest });
    expect([put.status, put.body]).toEqual([200, body]);
    expect(version).toBe(1);
    expect(await app().refusal('odd/1', { method: 'PUT', body: { ...rest, grid: [[1], [2, 3]] } })).toBe('400 invalid');
  });

  it.each(['P0001', '45000', 'P0002', '0A000', 'UX001'])('is refused when a trigger raises %s', async (state) => {
    const { status, text } = await app().ask('odd', { body: { id: 1, t: `raise ${state}` } });
    expect([status, text.includes('inner')]).toEqual([400, false]);
    expect(app().faults).toEqual([]);
  });

  it.each(['', '.', '..', 'a\u0001', 'x'.repeat(513)])(
    'is not created under a key that cannot be named: %j',
    async (name) => {
      const { status, body } = await app().ask('names', { body: [{ name: 'fine' }, { name }] });
      expect([status, body.errors?.[0]?.path]).toEqual([400, '1.name']);
      expect((await app().ask('names')).body.records).toEqual([]);
    },
  );

  it('says where a record is by its own key, whatever text of it was asked for', async () => {
    const { status, headers } = await app().ask(`slots/${encodeURIComponent('2024-01-01 01:00+01')}`, {
      method: 'PUT',
      body: { note: 'x' },
    });
    expect([status, decodeURIComponent(headers.get('location') ?? '')]).toEqual([
      201,
      '/v1/collections/slots/2024-01-01T00:00:00+00:00',
    ]);
  });

  it('refuses conditions and parameters that would not be heeded, and does not repeat what was sent at length', async () => {
    await app().create('orders', { id: 1 });
    const headers = { 'If-Match': '"99"' };
    expect(await app().refusal('orders', { body: { id: 2 }, headers })).toBe('400 invalid');
    for (const method of ['PUT', 'DELETE'])
      expect(await app().refusal('orders/1', { method, body: {}, headers: { 'Base-Version': '9' } })).toBe(
        '400 invalid',
      );
    const { body } = await app().ask('orders?status=eq.open');
    expect(body.errors[0].message).toContain('filter=<field>=<op>.<value>');
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`unknown${n}`, n]));
    expect((await app().ask('orders', { body: many })).text.length).toBeLessThan(2000);
  });

  describe('what the policies hide', () => {
    const of = (tenant: string, sub?: string) => ({
      ...caller(sub ?? ''),
      sub,
      claims: { tenant, ...(sub !== undefined && { sub }) },
    });

    it('is not told by repeating another’s write, nor one’s own when it is no longer to be seen', async () => {
      const key = { 'Idempotency-Key': 'k1' };
      const body = { id: 1, tenant: 'a', body: 'same' };
      expect((await app().ask('ledger', { as: of('a'), body, headers: key })).status).toBe(201);
      const other = await app().ask('ledger', { as: of('b'), body, headers: key });
      expect([other.status, other.headers.get('idempotent-replayed')]).toEqual([403, null]);
      const again = await app().ask('ledger', { as: of('a'), body, headers: key });
      expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
      const mine = { 'Idempotency-Key': 'k2' };
      const second = { id: 2, tenant: 'a' };
      expect((await app().ask('ledger', { as: of('a', 'ann'), body: second, headers: mine })).status).toBe(201);
      expect(await app().refusal('ledger', { as: of('b', 'ann'), body: second, headers: mine })).toBe('404 not-found');
      const nobody = { ...of('a', 'ann'), role: 'nobody_knows' };
      expect(await app().refusal('ledger', { as: nobody, body: second, headers: mine })).toBe('404 not-found');
      await query('delete from ledger where id = 2');
      expect((await app().ask('ledger', { as: of('a', 'ann'), body: second, headers: mine })).status).toBe(201);
    });

    it('is not told by a base that only others could see, and a base that the caller could see is used and shown', async () => {
      const versions: Record<number, object> = {
        1: { id: 1, tenant: 'b', body: 'secret', items: 777, version: 1 },
        2: { id: 1, tenant: 'a', body: 'clean', items: 10, version: 2 },
      };
      const merged = new CollectionsApp(app().database, {
        versionAt: async (_, __, version) => versions[version] as never,
      });
      await query(`insert into ledger (id, tenant, body, items, version) values (1, 'a', 'new', 11, 3)`);
      const patch = (base: number, body: object) =>
        merged.ask('ledger/1', {
          as: of('a', 'ann'),
          method: 'PATCH',
          body,
          headers: { 'Base-Version': String(base) },
        });
      for (const body of ['secret', 'guess']) {
        const { status, body: problem } = await patch(1, { body });
        expect([status, problem.base, problem.fields]).toEqual([409, undefined, ['body']]);
      }
      expect((await patch(1, { items: 0 })).status).toBe(409);
      expect(await patch(2, { items: 15 })).toMatchObject({ status: 200, body: { items: 16, body: 'new' } });
      expect((await patch(2, { body: 'mine' })).body).toMatchObject({ base: { body: 'clean' }, fields: ['body'] });
    });

    it('is not told by a base where memberships decide, and edits of other fields are merged all the same', async () => {
      const versions: Record<number, object> = { 1: { id: 1, team: 'blue', title: 'SECRET', hits: 5, version: 1 } };
      const merged = new CollectionsApp(app().database, {
        versionAt: async (_, __, version) => versions[version] as never,
      });
      await query(`insert into pages (id, team, title, hits, version) values (1, 'blue', 'public', 5, 2)`);
      await query(`insert into members values ('blue', 'ann')`);
      const patch = (body: object) =>
        merged.ask('pages/1', {
          as: of('a', 'ann'),
          method: 'PATCH',
          body,
          headers: { 'Base-Version': '1' },
        });
      for (const title of ['SECRET', 'mine']) {
        const { status, text, body } = await patch({ title });
        expect([status, body.base, body.fields]).toEqual([409, undefined, ['title']]);
        expect(text.replace(`"yours":{"title":"${title}"}`, '')).not.toContain('SECRET');
      }
      expect((await patch({ title: 'public' })).status).toBe(200);
      expect((await patch({ hits: 7 })).body).toMatchObject({ title: 'public', hits: 7 });
      for (const filter of ['hits=gt.0', 'hits=in.(0)', 'hits=eq.-1'])
        expect(await app().refusal(`pages?filter=${encodeURIComponent(filter)}`, { as: of('a', 'ann') })).toBe(
          '400 invalid-filter',
        );
      expect(app().faults).toEqual([]);
    });

    it('is not told by an answer to another token of the same subject', async () => {
      const headers = { 'Idempotency-Key': 'k3' };
      await query(`insert into ledger (id, tenant, body) values (3, 'x', 'X-PRIVATE')`);
      const request = { method: 'PATCH', body: { tenant: 'x', items: 1 }, headers };
      expect((await app().ask('ledger/3', { ...request, as: of('x', 'ann') })).body.body).toBe('X-PRIVATE');
      await query(`update ledger set tenant = 'y', body = 'redacted' where id = 3`);
      expect(await app().refusal('ledger/3', { ...request, as: of('y', 'ann') })).toBe('404 not-found');
      await query('delete from ledger');
      expect(await app().refusal('ledger/3', { ...request, as: of('y', 'ann') })).toBe('404 not-found');
      expect((await app().ask('ledger/3', { ...request, as: of('x', 'ann') })).status).toBe(200);
    });

    it.each(['none', 'postgres'])('stays hidden from the role %s, which is no caller’s', async (role) => {
      await query(`insert into ledger (id, tenant) values (1, 'a')`);
      const as = { ...of('b', 'ann'), role };
      expect(await app().refusal('ledger', { as })).toBe('403 forbidden');
      expect(await app().refusal('ledger/1', { as, method: 'DELETE' })).toBe('403 forbidden');
      expect(await query('select id from ledger')).toHaveLength(1);
    });
  });
}
