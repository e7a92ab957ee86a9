/** The past of records as a client of a real server sees it, and its replay from the command line. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endAll, linesOf, run } from '../cli/run.ts';
import type { System } from './system.ts';

/** Registers the tests for a system with the tables of `past-tables.ts`. */
export function pastSuite(name: string, open: () => Promise<System>): void {
  describe(name, { timeout: 60_000 }, () => {
    let system: System;
    let token: string;
    beforeAll(async () => {
      system = await open();
      token = await system.token({ sub: 'ann', role: 'authenticated' });
    });
    afterAll(async () => {
      endAll();
      await system.close();
    });

    async function ask(node: number, path: string, init: RequestInit = {}): Promise<{ status: number; body: any }> {
      const response = await fetch(`http://127.0.0.1:${system.port(node)}/v1/${path}`, {
        ...init,
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      });
      const answer = await response.text();
      return { status: response.status, body: answer === '' ? undefined : JSON.parse(answer) };
    }

    it('is the same on every node, whoever wrote, and each version can be asked for by its time', async () => {
      const record = { id: 1, state: 'packed', total: '12345678901234567890.10' };
      expect((await ask(0, 'collections/parcels', { method: 'POST', body: JSON.stringify(record) })).status).toBe(201);
      await system.sql`select pg_sleep(0.003)`;
      await system.sql`update parcels set state = 'sent'`;
      await ask(1, 'collections/parcels/1/history');
      await system.sql`select pg_sleep(0.003)`;
      await ask(1, 'collections/parcels/1', { method: 'DELETE' });
      const [one, two] = [await ask(0, 'collections/parcels/1/history'), await ask(1, 'collections/parcels/1/history')];
      expect(one).toEqual(two);
      expect(one.body).toMatchObject({
        complete: true,
        versions: [
          { type: 'delete', version: 2, actor: 'ann' },
          { type: 'update', version: 2, changed: ['state'], record: { ...record, state: 'sent' } },
          { type: 'insert', version: 1, actor: 'ann', record },
        ],
      });
      const events = (await ask(0, 'topics/parcels/events?format=json')).body.events;
      expect(one.body.versions.map(({ id }: any) => id)).toEqual(events.map(({ id }: any) => id).reverse());
      const states = [];
      for (const { time } of one.body.versions) {
        const { status, body } = await ask(1, `collections/parcels/1?at=${time}`);
        states.push(status === 200 ? body.state : status);
      }
      expect(states).toEqual([404, 'sent', 'packed']);
    });

    it('is replayed from the command line, event by event', async () => {
      const env = { SLUICE_URL: `http://127.0.0.1:${system.port(0)}`, SLUICE_TOKEN: token };
      const args = ['replay', 'parcels', '--from', 'earliest', '--speed', 'max'];
      const { code, stdout } = await run(args, { env });
      const { events } = (await ask(0, 'topics/parcels/events?format=json')).body;
      expect(code).toBe(0);
      expect(events.length).toBeGreaterThan(0);
      expect(linesOf(stdout).map((line) => JSON.parse(line))).toEqual(events);
      expect((await run([...args, '--into', 'copy'], { env })).code).toBe(0);
      const copied = (await ask(1, 'topics/copy/events?format=json')).body.events;
      const kept = ({ type, key, data }: any) => ({ type, key, data });
      expect(copied.map(kept)).toEqual(events.map(kept));
    });

    it('is not shown to a caller whom only the policies know', async () => {
      await system.sql`insert into letters values (1, 'sealed', 1)`;
      const before = new Date(Date.now() - 1000).toISOString();
      for (const path of ['collections/letters/1/history', `collections/letters/1?at=${before}`])
        expect(await ask(0, path)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
      expect(system.faults).toEqual([]);
    });
  });
}
