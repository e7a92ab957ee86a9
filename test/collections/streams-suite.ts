/** What holds of streams of collections, as a client reads them over real HTTP. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { addCapture } from '../../src/capture/add-capture.ts';
import { removeCapture } from '../../src/capture/remove-capture.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { type Block, openSse } from '../support/sse-client.ts';
import { until } from '../support/until.ts';
import type { System } from './system.ts';

interface Told {
  readonly topic: string;
  readonly type: string;
  readonly key: string;
  readonly data: {
    readonly new?: Record<string, unknown>;
    readonly old?: unknown;
    readonly version: number;
    readonly changed?: readonly string[];
    readonly omitted?: readonly string[];
  };
}

/** Registers the tests for a system with the tables of `stream-tables.ts`. */
export function streamsSuite(name: string, open: () => Promise<System>): void {
  describe(name, () => {
    let system: System;
    beforeAll(async () => {
      system = await open();
    });
    afterAll(() => system?.close());
    beforeEach(async () => {
      await system.sql`DELETE FROM orders`;
      await system.sql`DELETE FROM notes`;
    });

    async function ask(
      path: string,
      { as = 'ann', claims = {}, ...init }: RequestInit & { as?: string; claims?: object } = {},
    ) {
      const token = await system.token({ sub: as, ...claims });
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...init.headers };
      return fetch(`http://127.0.0.1:${system.port(0)}/v1/${path}`, { ...init, headers });
    }

    /** Opens a stream after the list, and waits until it is live. */
    async function follow(topic: string, { query = '', as = 'ann', claims = {} } = {}) {
      const blocks: Block[] = [];
      const list = (await (await ask(`collections/${topic}`, { as, claims })).json()) as { cursor: string };
      const connection = openSse({
        port: system.port(0),
        path: `/v1/topics/${topic}/events?after=${list.cursor}${query}`,
        token: await system.token({ sub: as, ...claims }),
        onBlock: (block) => blocks.push(block),
      });
      onTestFinished(() => connection.close());
      await until('the stream is live', () => blocks.some(({ event }) => event === '$ready'));
      const told = (): Told[] =>
        blocks.flatMap(({ event, data }) => (event === undefined ? [JSON.parse(data) as Told] : []));
      return { blocks, told, named: (name: string) => blocks.filter(({ event }) => event === name) };
    }

    it('tell of what anybody does to the table, with the digits as they were written', async () => {
      const { told } = await follow('orders');
      await system.sql`INSERT INTO orders VALUES (1, 'ann', 'open', 12345678901234567.89)`;
      await system.sql`UPDATE orders SET status = 'paid' WHERE id = 1`;
      await system.sql`UPDATE orders SET id = 2 WHERE id = 1`;
      await system.sql`DELETE FROM orders WHERE id = 2`;
      await until('all is told', () => told().length === 5);
      expect(told().map(({ type, key, data }) => [type, key, data.version])).toEqual([
        ['insert', '1', 1],
        ['update', '1', 2],
        ['delete', '1', 2],
        ['insert', '2', 3],
        ['delete', '2', 3],
      ]);
      expect(JSON.stringify(told()[1]?.data)).toContain('"old":{"status":"open"}');
    });

    it('tell of a row that is too large all but its largest fields, also through a filter and a function', async () => {
      const large = 'x'.repeat(1_100_000);
      const all = await follow('orders');
      const open = await follow('orders', { query: '&filter=status=eq.open' });
      const notLarge = await follow('orders', { query: '&filter=note=neq.short' });
      const mine = await follow('mine');
      const seen = await follow('notes', { claims: { team: 'red' } });
      await system.sql`INSERT INTO orders (id, owner, status, note) VALUES (1, 'ann', 'open', 'short')`;
      await system.sql`UPDATE orders SET note = ${large}`;
      await system.sql`UPDATE orders SET status = 'paid'`;
      await system.sql`UPDATE orders SET note = 'short', owner = 'bob'`;
      await system.sql`INSERT INTO notes VALUES (1, 'red', ${large})`;
      await until('all is told', () => all.told().length === 4 && mine.told().length === 4);
      await until('the view is told', () => seen.told().length === 1);
      const short = (each: Told) => [each.type, each.data.new?.['note'], each.data.changed, each.data.omitted];
      expect(all.told().map(short)).toEqual([
        ['insert', 'short', undefined, undefined],
        ['update', undefined, ['note'], ['note']],
        ['update', undefined, ['status'], ['note']],
        ['update', 'short', ['owner', 'note'], undefined],
      ]);
      expect(open.told().map(({ type }) => type)).toEqual(['insert', 'update', 'delete']);
      expect(notLarge.told().map(short)).toEqual([
        ['insert', undefined, undefined, ['note']],
        ['update', undefined, ['status'], ['note']],
        ['delete', undefined, undefined, undefined],
      ]);
      expect(mine.told().map(({ type }) => type)).toEqual(['insert', 'update', 'update', 'delete']);
      expect(seen.told().map(({ data }) => [data.new, data.omitted])).toEqual([
        [{ id: 1, owner: 'red', version: 1 }, ['body']],
      ]);
    });

    it('tell rows that begin and cease to match a filter as inserts and deletes, and of the latter the key only', async () => {
      const { told, named } = await follow('orders', { query: '&filter=status=eq.open' });
      await system.sql`INSERT INTO orders VALUES (1, 'ann', 'paid'), (2, 'bob', 'open'), (3, 'cy', 'void')`;
      await system.sql`UPDATE orders SET status = 'open' WHERE id = 1`;
      await system.sql`UPDATE orders SET owner = 'dan' WHERE id = 2`;
      await system.sql`UPDATE orders SET status = 'void' WHERE id = 2`;
      await system.sql`DELETE FROM orders WHERE id = 3`;
      await system.sql`DELETE FROM orders WHERE id = 1`;
      await until('all is told', () => told().length === 5);
      expect(told().map(({ type, key }) => `${type} ${key}`)).toEqual([
        'insert 2',
        'insert 1',
        'update 2',
        'delete 2',
        'delete 1',
      ]);
      expect(told()[3]?.data).toEqual({ version: 3 });
      expect(told()[1]?.data.new?.['status']).toBe('open');
      expect(named('$gap')).toEqual([]);
    });

    it('under a scope show each caller theirs alone, and refuse the cursor of another caller by a gap', async () => {
      const ann = await follow('mine');
      const bob = await follow('mine', { as: 'bob' });
      await system.sql`INSERT INTO orders VALUES (1, 'ann', 'open'), (2, 'bob', 'open')`;
      await system.sql`UPDATE orders SET owner = 'bob' WHERE id = 1`;
      await until('both know', () => ann.told().length === 2 && bob.told().length === 2);
      expect(ann.told().map(({ type, key }) => `${type} ${key}`)).toEqual(['insert 1', 'delete 1']);
      expect(bob.told().map(({ type, key }) => `${type} ${key}`)).toEqual(['insert 2', 'insert 1']);
      expect(ann.told()[1]?.data).toEqual({ version: 2 });
      const cursor = ann.blocks.at(-1)?.id ?? '';
      const blocks: Block[] = [];
      const foreign = openSse({
        port: system.port(0),
        path: `/v1/topics/mine/events?after=${cursor}`,
        token: await system.token({ sub: 'bob' }),
        onBlock: (block) => blocks.push(block),
      });
      onTestFinished(() => foreign.close());
      await until('it is told', () => blocks.some(({ event }) => event === '$gap'));
      expect(blocks.find(({ event }) => event === '$gap')?.data).toContain('unknown-epoch');
    });

    it('under a scope tell the difference when the token is replaced by one that sees other rows', async () => {
      await system.sql`INSERT INTO orders VALUES (1, 'ann', 'open'), (2, 'red', 'open'), (3, 'cy', 'open'), (4, 'red', 'void')`;
      const { told, named, blocks } = await follow('teams', {
        claims: { team: 'none' },
        query: '&filter=status=eq.open',
      });
      const { stream } = JSON.parse(blocks[0]?.data ?? '') as { stream: string };
      const renew = async (team: string) =>
        (await ask(`streams/${stream}/token`, { method: 'PUT', claims: { team } })).status;
      const said = () => told().map(({ type, key }) => `${type} ${key}`);
      expect(await renew('red')).toBe(200);
      await until('red is shown', () => said().length === 1);
      await system.sql`UPDATE orders SET status = 'open' WHERE id = 4`;
      await until('it goes on', () => said().length === 2);
      // What changes between the last that was told and the new token is of the difference too.
      const changed = system.sql`UPDATE orders SET owner = 'blue', note = 'x' WHERE id IN (1, 2)`;
      expect(await renew('blue')).toBe(200);
      await changed;
      await system.sql`INSERT INTO orders VALUES (5, 'blue', 'open'), (6, 'red', 'open')`;
      await until('blue is shown', () => said().includes('insert 5'));
      const held = new Map<string, string>();
      for (const { type, key } of told()) {
        if (type === 'delete') held.delete(key);
        else held.set(key, type);
      }
      expect([...held.keys()].sort()).toEqual(['1', '2', '5']);
      expect(said().slice(0, 2)).toEqual(['insert 2', 'insert 4']);
      expect(said()).toContain('delete 4');
      expect(JSON.stringify(told())).not.toContain('"key":"6"');
      expect(named('$gap')).toEqual([]);
    });

    it('under row-level security tell the difference when the token is replaced by one that sees other rows', async () => {
      await system.sql`INSERT INTO notes VALUES (1, 'red', 'a'), (2, 'blue', 'b')`;
      const reader = await follow('notes', { claims: { team: 'red' } });
      const { stream } = JSON.parse(reader.named('$open')[0]?.data ?? '{}') as { stream: string };
      const renewed = await ask(`streams/${stream}/token`, { method: 'PUT', claims: { team: 'blue' } });
      expect(renewed.status).toBe(200);
      await until('it is told', () => reader.told().length === 2);
      expect(reader.told().map(({ type, key }) => `${type} ${key}`)).toEqual(['delete 1', 'insert 2']);
      await system.sql`UPDATE notes SET body = 'c' WHERE owner = 'red'`;
      await system.sql`UPDATE notes SET body = 'd' WHERE owner = 'blue'`;
      await until('it goes on', () => reader.told().length === 3);
      expect(reader.told()[2]).toMatchObject({ type: 'update', key: '2', data: { new: { body: 'd' } } });
      expect(reader.named('$gap')).toEqual([]);
    });

    it('under row-level security are open to whom the policies let, and empty for all others', async () => {
      await system.sql`INSERT INTO notes VALUES (1, 'red', 'a')`;
      const nobody = await follow('notes', { claims: { team: 'green', sluice: {} } });
      const red = await follow('notes', { claims: { team: 'red', sluice: {} } });
      await system.sql`UPDATE notes SET body = 'b' WHERE id = 1`;
      await until('it is told', () => red.told().length === 1);
      expect(nobody.told()).toEqual([]);
    });

    it('under row-level security are empty for a role that may not read the table, or that there is none of', async () => {
      await system.sql`INSERT INTO notes VALUES (1, 'red', 'a')`;
      for (const role of ['anon', 'nobody_at_all']) {
        const blocks: Block[] = [];
        const connection = openSse({
          port: system.port(0),
          path: '/v1/topics/notes/events',
          token: await system.token({ sub: 'ann', role, team: 'red' }),
          onBlock: (block) => blocks.push(block),
        });
        onTestFinished(() => connection.close());
        await until('it is live', () => blocks.some(({ event }) => event === '$ready'));
        const red = await follow('notes', { claims: { team: 'red' } });
        await system.sql`UPDATE notes SET body = ${role} WHERE id = 1`;
        await until('who may see it knows', () => red.told().length === 1);
        expect(blocks.filter(({ event }) => event === undefined)).toEqual([]);
      }
    });

    it('under row-level security tell of every row that the table can hold, whatever its key', async () => {
      const { told, named } = await follow('amounts');
      await system.sql`INSERT INTO amounts VALUES ('NaN'), ('1.50'), ('Infinity'), ('-Infinity')`;
      await until('all are told', () => told().length === 4);
      await system.sql`UPDATE amounts SET note = 'changed' WHERE id = 'NaN'`;
      await system.sql`DELETE FROM amounts WHERE id = 'Infinity'`;
      await until('the rest is told', () => told().length === 6);
      expect(told().map(({ type, key }) => `${type} ${key}`)).toEqual([
        'insert NaN',
        'insert 1.50',
        'insert Infinity',
        'insert -Infinity',
        'update NaN',
        'delete Infinity',
      ]);
      expect(named('$gap')).toEqual([]);
      expect(await (await ask('collections/amounts/NaN')).json()).toEqual({ id: 'NaN', note: 'changed', version: 2 });
    });

    it('stand beside other topics on one stream, and answer pages and long polls', async () => {
      const opened: Block[] = [];
      const connection = openSse({
        port: system.port(0),
        path: '/v1/events?topic=orders&topic=chat',
        token: await system.token({ sub: 'ann' }),
        onBlock: (block) => opened.push(block),
      });
      onTestFinished(() => connection.close());
      await until('it is live', () => opened.some(({ event }) => event === '$ready'));
      await system.sql`INSERT INTO orders VALUES (1, 'ann', 'open')`;
      expect((await ask('topics/chat/events', { method: 'POST', body: '{"data":1}' })).status).toBe(201);
      const events = () => opened.filter(({ event }) => event === undefined);
      await until('both are told', () => events().length === 2);
      expect(events().at(-1)?.id?.split('.')).toHaveLength(2);

      const { cursor } = (await (await ask('collections/orders')).json()) as { cursor: string };
      const poll = ask(`topics/orders/events?format=json&wait=20&after=${cursor}`);
      await system.sql`UPDATE orders SET status = 'paid' WHERE id = 1`;
      const page = (await (await poll).json()) as { events: Told[]; cursor: string };
      expect(page.events.map(({ type, key }) => `${type} ${key}`)).toEqual(['update 1']);
    });

    it('refuse what is no filter of the collection, and whoever would publish to it', async () => {
      const refusals = await Promise.all(
        [
          'owner=eq.ann',
          'id=eq.x',
          'nothing=eq.1',
          'status.deep=eq.1',
          'status;drop table orders=eq.1',
          'id=gt.99999999999',
        ].map(async (filter) => (await ask(`topics/orders/events?filter=${encodeURIComponent(filter)}`)).status),
      );
      expect(refusals).toEqual([400, 400, 400, 400, 400, 400]);
      expect((await ask('topics/orders/events', { method: 'POST', body: '{"data":1}' })).status).toBe(403);
      expect(
        (await ask('streams', { method: 'POST', body: '{"topics":[{"topic":"orders","filter":["id=eq.x"]}]}' })).status,
      ).toBe(400);
    });

    it('under row-level security tell at most one event a key in an interval, the newest, where that is asked for', async () => {
      const all = await follow('notes', { claims: { team: 'red' } });
      const few = await follow('notes', { claims: { team: 'red' }, query: '&conflate=400' });
      await system.sql`INSERT INTO notes VALUES (1, 'red', '0'), (2, 'red', '0')`;
      await until('the first is told', () => few.told().length === 2);
      for (let n = 1; n <= 5; n += 1) {
        await system.sql`UPDATE notes SET body = ${`${n}`} WHERE id = 1`;
        await until('it is told', () => all.told().length === 2 + n);
      }
      await system.sql`DELETE FROM notes WHERE id = 2`;
      await until('the rest is told', () => few.told().length >= 4);
      await until('the end is told', () => few.told().at(-1)?.type === 'delete');
      const bodies = few.told().flatMap(({ data }) => data.new?.['body'] ?? []);
      expect(bodies.at(-1)).toBe('5');
      expect(few.told().length).toBeLessThan(8);
    });

    it('under row-level security outlast policies and grants that fail, and then tell the difference', async () => {
      system.faults.splice(0);
      const { told } = await follow('risky');
      await system.sql`INSERT INTO risky VALUES (1, 1), (2, 2)`;
      await until('the rows are told', () => told().length === 2);
      await system.sql`INSERT INTO risky VALUES (3, 0)`;
      await until('nothing can be read', () => told().length === 4);
      expect((await ask('collections/risky')).status).toBe(403);
      await system.sql`DELETE FROM risky WHERE id = 3`;
      await until('the rows are there again', () => told().length === 6);
      await system.sql`REVOKE SELECT ON risky FROM authenticated`;
      await system.sql`UPDATE risky SET n = 5 WHERE id = 1`;
      await until('the right is gone', () => told().length === 8);
      await system.sql`GRANT SELECT (id, n, version) ON risky TO authenticated`;
      await until('the right is there', () => told().length === 10, 10_000);
      const pairs = Array.from({ length: 5 }, (_, at) => told().slice(2 * at, 2 * at + 2));
      expect(pairs.map((pair) => pair.map(({ type, key }) => `${type} ${key}`).sort())).toEqual(
        ['insert', 'delete', 'insert', 'delete', 'insert'].map((type) => [`${type} 1`, `${type} 2`]),
      );
      const body = (await (await ask('collections/risky')).json()) as { records: unknown[] };
      expect(body.records).toHaveLength(2);
      expect(system.faults.splice(0).map((fault) => JSON.stringify(fault))).toHaveLength(2);
    });

    it('end when their table is captured no more, and begin anew, with a gap, when it is again', async () => {
      const { blocks } = await follow('risky');
      const cursor = blocks.findLast(({ id }) => id !== undefined)?.id;
      const database = await connectPostgres({ url: system.url });
      onTestFinished(() => database.close());
      expect(await removeCapture(database, 'risky')).toMatchObject({ ok: true });
      await system.sql`DELETE FROM risky`;
      await until('the stream is ended', () => blocks.some(({ event }) => event === '$close'), 10_000);
      await until('it is not served', async () => (await ask('collections/risky')).status === 503);
      expect(await addCapture(database, 'risky')).toMatchObject({ ok: true });
      await until('it is served', async () => (await ask('collections/risky')).ok, 10_000);
      const again: Block[] = [];
      const connection = openSse({
        port: system.port(1),
        path: '/v1/topics/risky/events',
        lastEventId: cursor ?? '',
        token: await system.token({ sub: 'ann' }),
        onBlock: (block) => again.push(block),
      });
      onTestFinished(() => connection.close());
      await until('it is told', () => again.some(({ event }) => event === '$ready'), 10_000);
      expect(again.find(({ event }) => event === '$gap')?.data).toContain('unknown-epoch');
      await system.sql`INSERT INTO risky VALUES (9, 9)`;
      await until('what comes is told', () => again.some(({ data }) => data.includes('"key":"9"')));
      expect(JSON.stringify(system.faults.splice(0))).toContain('not captured any more');
    });

    describe('whose token is renewed while something else is under way', () => {
      async function open(claims: object) {
        const blocks: Block[] = [];
        const token = await system.token({ sub: 'ann', ...claims });
        const connection = openSse({
          port: system.port(0),
          path: '/v1/topics/notes/events',
          token,
          onBlock: (block) => blocks.push(block),
        });
        onTestFinished(() => connection.close());
        await until('the stream is open', () => blocks.some(({ event }) => event === '$open'));
        const { stream } = JSON.parse(blocks[0]?.data ?? '') as { stream: string };
        const renew = async (team: string) =>
          (await ask(`streams/${stream}/token`, { method: 'PUT', claims: { team } })).status;
        const owners = () =>
          blocks.flatMap(({ event, data }) => {
            const told = event === undefined ? (JSON.parse(data) as Told) : undefined;
            // What the test before has cleared away may still be told of the other collection.
            return told?.topic === 'notes' ? [`${told.type} ${told.key}`] : [];
          });
        return { blocks, renew, owners, stream };
      }

      it('see what the newest token sees', async () => {
        await system.sql`INSERT INTO notes SELECT n, 'slow', 'x' FROM generate_series(1, 5) n`;
        await system.sql`INSERT INTO notes VALUES (100, 'fast', 'x')`;
        // Its view takes half a second to read, and the stream is not attached before.
        const { renew, blocks, owners } = await open({ team: 'slow' });
        expect(await renew('fast')).toBe(200);
        await until('the stream is live', () => blocks.some(({ event }) => event === '$ready'));
        await system.sql`INSERT INTO notes VALUES (10, 'slow', 'y'), (101, 'fast', 'y')`;
        await until('the row is told', () => owners().includes('insert 101'));
        expect(owners().filter((each) => each.endsWith(' 10'))).toEqual([]);
      });

      it('are answered by what has become of it though the rows take seconds to read', async () => {
        await system.sql`INSERT INTO notes SELECT n, 'slow', 'x' FROM generate_series(1, 25) n`;
        const { renew, blocks, owners } = await open({ team: 'fast' });
        await until('the stream is live', () => blocks.some(({ event }) => event === '$ready'));
        expect(await renew('slow')).toBe(200);
        const inserted = () => new Set(owners().filter((each) => each.startsWith('insert')));
        await until('they are told', () => inserted().size === 25);
      });

      it.each(['notes', 'teams'])('keep the place of each topic in every cursor meanwhile: %s', async (topic) => {
        await system.sql`INSERT INTO notes VALUES (100, 'fast', 'x'), (200, 'other', 'x')`;
        await system.sql`INSERT INTO orders VALUES (100, 'fast', 'open'), (200, 'other', 'open')`;
        const blocks: Block[] = [];
        const connection = openSse({
          port: system.port(0),
          path: `/v1/events?topic=orders&topic=${topic}`,
          token: await system.token({ sub: 'ann', team: 'fast' }),
          onBlock: (block) => blocks.push(block),
        });
        onTestFinished(() => connection.close());
        await until('the stream is live', () => blocks.some(({ event }) => event === '$ready'));
        const { stream } = JSON.parse(blocks[0]?.data ?? '') as { stream: string };
        const renewed = await ask(`streams/${stream}/token`, { method: 'PUT', claims: { team: 'other' } });
        expect(renewed.status).toBe(200);
        await until('the difference is told', () => blocks.some(({ data }) => data.includes('"insert"')));
        await until('it is ready again', () => blocks.filter(({ event }) => event === '$ready').length > 1);
        const cursors = blocks.flatMap(({ id }) => id ?? []);
        expect(cursors.length).toBeGreaterThan(2);
        expect(cursors.filter((cursor) => cursor.split('.').length !== 2)).toEqual([]);
      });

      it('hold what the last of several tokens sees', async () => {
        await system.sql`INSERT INTO notes SELECT n, 'slow', 'x' FROM generate_series(1, 5) n`;
        await system.sql`INSERT INTO notes VALUES (100, 'fast', 'x'), (200, 'other', 'x')`;
        const { renew, blocks, owners, stream } = await open({ team: 'fast' });
        await until('the stream is live', () => blocks.some(({ event }) => event === '$ready'));
        const changes = await Promise.all([
          renew('slow'),
          renew('other'),
          ask(`streams/${stream}`, { method: 'PATCH', body: JSON.stringify({ add: [{ topic: 'orders' }] }) }),
        ]);
        expect(changes.map((each) => (typeof each === 'number' ? each : each.status))).toEqual([200, 200, 200]);
        const isLost = () => blocks.some(({ event }) => event === '$gap');
        await until('the last is there', () => isLost() || owners().includes('insert 200'));
        await system.sql`INSERT INTO notes VALUES (201, 'other', 'x'), (50, 'slow', 'x'), (102, 'fast', 'x')`;
        await until('what comes is told', () => owners().includes('insert 201') || owners().includes('insert 50'));
        expect(owners().filter((each) => each === 'insert 102')).toEqual([]);
        if (isLost()) return;
        const held = new Set(['100']);
        for (const each of owners()) {
          const [type, key = ''] = each.split(' ');
          if (type === 'delete') held.delete(key);
          else held.add(key);
        }
        // Whichever of the two came last.
        expect([...held].sort()).toEqual(held.has('200') ? ['200', '201'] : ['1', '2', '3', '4', '5', '50']);
      });
    });
  });
}
