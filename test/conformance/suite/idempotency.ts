/** Section 3: idempotency keys. */
import { describe, expect } from 'vitest';
import { type Answer, eventsPath, type Kit, numbers } from './client.ts';
import type { Suite } from './target.ts';

function write(kit: Kit, topic: string, key: string, body: unknown, token?: string): Promise<Answer> {
  const headers = { 'idempotency-key': key };
  return kit.ask('POST', eventsPath(topic), { headers, body, ...(token !== undefined && { token }) });
}

const data = async (kit: Kit, topic: string): Promise<unknown[]> =>
  (await kit.page(topic)).events.map((event: any) => event.data);

export function idempotency({ it }: Suite): void {
  describe('3 Idempotency-Key', () => {
    it('answers the same key and body with the first response again, and appends nothing', async ({ kit }) => {
      const topic = kit.topic();
      const first = await write(kit, topic, 'one', [{ data: 1 }, { data: 2, key: 'k', type: 't' }]);
      expect(first.status).toBe(201);
      expect(first.headers.get('idempotent-replayed')).toBeNull();
      await kit.publish(topic, { data: 'between' });
      for (const _ of numbers(1, 3)) {
        const again = await write(kit, topic, 'one', [{ data: 1 }, { data: 2, key: 'k', type: 't' }]);
        expect(again.status).toBe(201);
        expect(again.text).toBe(first.text);
        expect(again.headers.get('idempotent-replayed')).toBe('true');
      }
      expect(await data(kit, topic)).toEqual([1, 2, 'between']);
    });

    it('refuses the same key with another body with 422, and appends nothing', async ({ kit }) => {
      const topic = kit.topic();
      await write(kit, topic, 'one', { data: 1 });
      for (const body of [{ data: 2 }, { data: 1, type: 'other' }, { data: 1, key: 'k' }, [{ data: 1 }, { data: 1 }]])
        kit.refused(await write(kit, topic, 'one', body), 422);
      expect(await data(kit, topic)).toEqual([1]);
    });

    it('names the mutation in every event of the write', async ({ kit }) => {
      const topic = kit.topic();
      await write(kit, topic, 'all', [{ data: 1 }, { data: 2 }]);
      const { events } = await kit.page(topic);
      expect(events.map((event: any) => event.mutation)).toEqual(['all', 'all']);
    });

    it('scopes keys to the caller', async ({ kit }) => {
      const topic = kit.topic();
      const [ada, bob] = [await kit.token({ sub: `ada-${kit.run}` }), await kit.token({ sub: `bob-${kit.run}` })];
      await write(kit, topic, 'same', { data: 'of ada' }, ada);
      const answer = await write(kit, topic, 'same', { data: 'of bob' }, bob);
      expect(answer.status).toBe(201);
      expect(answer.headers.get('idempotent-replayed')).toBeNull();
      expect(await data(kit, topic)).toEqual(['of ada', 'of bob']);
      const again = await write(kit, topic, 'same', { data: 'of ada' }, await kit.token({ sub: `ada-${kit.run}` }));
      expect(again.headers.get('idempotent-replayed')).toBe('true');
    });

    it('appends once when duplicates arrive at the same time, and answers all alike', async ({ kit }) => {
      const topic = kit.topic();
      const answers = await Promise.all(
        numbers(1, 12).map(() => write(kit, topic, 'storm', [{ data: 1 }, { data: 2 }])),
      );
      expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 201));
      expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
      const first = answers.filter((answer) => answer.headers.get('idempotent-replayed') === null);
      expect(first).toHaveLength(1);
      expect(await data(kit, topic)).toEqual([1, 2]);
    });

    it('appends once when different bodies race under one key', async ({ kit }) => {
      const topic = kit.topic();
      const answers = await Promise.all(numbers(1, 8).map((n) => write(kit, topic, 'race', { data: n })));
      expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
      for (const answer of answers) if (answer.status !== 201) kit.refused(answer, 422);
      expect(await data(kit, topic)).toHaveLength(1);
    });

    it('never answers a write to one topic with the response of another', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      await write(kit, a, 'two topics', { data: 1 });
      const answer = await write(kit, b, 'two topics', { data: 1 });
      if (answer.status === 201) expect(await data(kit, b)).toEqual([1]);
      else {
        kit.refused(answer, 422);
        expect(await data(kit, b)).toEqual([]);
      }
    });

    it('does not spend a key on a write that was refused', async ({ kit }) => {
      const topic = kit.topic();
      kit.refused(await write(kit, topic, 'retry', { type: 'no data' }), 400);
      expect((await write(kit, topic, 'retry', { data: 1 })).status).toBe(201);
      expect(await data(kit, topic)).toEqual([1]);
    });

    it('appends twice without a key', async ({ kit }) => {
      const topic = kit.topic();
      for (const _ of numbers(1, 2)) await kit.publish(topic, { data: 1 });
      expect(await data(kit, topic)).toEqual([1, 1]);
    });

    it('covers NDJSON writes too', async ({ kit }) => {
      const topic = kit.topic();
      const send = () =>
        kit.ask('POST', eventsPath(topic), {
          headers: { 'idempotency-key': 'lines' },
          body: '{"data":1}\n{"data":2}\n',
          type: 'application/x-ndjson',
        });
      const first = await send();
      const again = await send();
      expect([first.status, again.status]).toEqual([201, 201]);
      expect(again.text).toBe(first.text);
      expect(await data(kit, topic)).toEqual([1, 2]);
    });

    it('takes 200 characters, and refuses 201 with 400', async ({ kit }) => {
      const topic = kit.topic();
      expect((await write(kit, topic, 'k'.repeat(200), { data: 1 })).status).toBe(201);
      kit.refused(await write(kit, topic, 'k'.repeat(201), { data: 2 }), 400);
      expect(await data(kit, topic)).toEqual([1]);
    });
  });
}
