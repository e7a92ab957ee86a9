/** What the table itself says about writes: its constraints and triggers. */
import { describe, expect, it } from 'vitest';
import type { Running } from './suite.ts';

export function constraints(app: Running): void {
  describe('constraints of the database', () => {
    const issues = async (path: string, asking: object) => {
      const { status, body } = await app().ask(path, asking);
      return [status, body.code, body.errors?.map((each: { path: string }) => each.path)];
    };

    it('become problems that name the fields', async () => {
      await app().create('orders', { id: 1, code: 'a' });
      expect(await issues('orders', { body: { code: 'a' } })).toEqual([409, 'unique', ['code']]);
      expect(await issues('orders', { body: { id: 1 } })).toEqual([409, 'unique', ['id']]);
      expect(await issues('orders', { body: { customerId: 7 } })).toEqual([409, 'foreign-key', ['customerId']]);
      expect(await issues('orders', { body: { status: 'lost' } })).toEqual([400, 'check', ['status']]);
      expect(await issues('orders/1', { method: 'PATCH', body: { status: 'lost' } })).toEqual([
        400,
        'check',
        ['status'],
      ]);
      await app().create('seats', { room: 'a', seat: 1, holder: 'x' });
      expect(await issues('seats', { body: { room: 'a', seat: 1, holder: 'y' } })).toEqual([
        409,
        'unique',
        ['room', 'seat'],
      ]);
      expect(app().faults).toEqual([]);
    });

    it('tell nothing of the database’s own words', async () => {
      const { text } = await app().ask('orders', { body: { status: 'lost' } });
      expect(text).not.toMatch(/known_status|relation|constraint "/);
    });

    it('name the field also where the rule is an index or deferred to the commit', async () => {
      const { database } = app();
      await database.query('create unique index one_slug on orders (slug) where slug is not null');
      await database.query(
        'alter table orders add constraint late foreign key (stock) references customers (id) deferrable initially deferred not valid',
      );
      try {
        await app().create('orders', { id: 1, slug: 'a', stock: 1 });
        expect(await issues('orders', { body: { slug: 'a', stock: 1 } })).toEqual([409, 'unique', ['slug']]);
        expect(await issues('orders', { body: { stock: 9 } })).toEqual([409, 'foreign-key', ['stock']]);
        expect(await issues('orders', { body: { stock: 9 }, headers: { 'Idempotency-Key': 'late' } })).toEqual([
          409,
          'foreign-key',
          ['stock'],
        ]);
      } finally {
        await database.query('alter table orders drop constraint late');
        await database.query('drop index one_slug');
      }
    });

    it('say that others refer to what shall be removed', async () => {
      const { database } = app();
      await database.query('create table parts (id int primary key, order_id int references orders (id))');
      try {
        await app().create('orders', { id: 1 });
        await database.query('insert into parts values (1, 1)');
        const { status, body } = await app().ask('orders/1', { method: 'DELETE' });
        expect([status, body.code, body.errors]).toEqual([
          409,
          'foreign-key',
          [{ path: 'id', message: 'other records refer to it' }],
        ]);
      } finally {
        await database.query('drop table parts');
      }
    });

    it('of the user’s own triggers are refusals, not faults', async () => {
      const { database } = app();
      await database.query(
        `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'secret reason'; end $$`,
      );
      await database.query('create trigger refusing before insert on orders for each row execute function refuse()');
      try {
        const { status, body, text } = await app().ask('orders', { body: {} });
        expect([status, body.code]).toEqual([400, 'invalid']);
        expect(text).not.toContain('secret');
      } finally {
        await database.query('drop trigger refusing on orders');
        await database.query('drop function refuse');
      }
    });
  });

  describe('who and why', () => {
    it('is told to the triggers of the table', async () => {
      const { database } = app();
      await database.query(`create function origin() returns trigger language plpgsql as $$
        begin NEW.note := current_setting('sluice.actor') || '/' || current_setting('sluice.mutation'); return NEW; end $$`);
      await database.query('create trigger origin before insert on orders for each row execute function origin()');
      try {
        expect((await app().ask('orders', { body: {} })).body.note).toBe('root/');
        const keyed = await app().ask('orders', { body: {}, headers: { 'Idempotency-Key': 'k1' } });
        expect(keyed.body.note).toBe('root/k1');
      } finally {
        await database.query('drop trigger origin on orders');
        await database.query('drop function origin');
      }
    });
  });
}
