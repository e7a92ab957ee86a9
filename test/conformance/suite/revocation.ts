/** Section 4: revocation. */
import { describe, expect } from 'vitest';
import { eventsPath, type Kit } from './client.ts';
import type { Suite } from './target.ts';

/** Revokes, and answers when that was acknowledged, ms since 1970. */
async function revoke(kit: Kit, body: unknown): Promise<number> {
  const answer = await kit.ask('POST', '/v1/revocations', { body });
  expect(answer.status, answer.text).toBeOneOf([200, 201, 202, 204]);
  return Date.now();
}

export function revocation({ it }: Suite): void {
  describe('4 revocation', () => {
    it.for(['sse', 'ndjson'])(
      'by sub ends matching streams within a second, with $close (%s)',
      async (format, { kit }) => {
        const topic = kit.topic();
        const sub = `revoked-${kit.run}`;
        const [eve, ada] = [await kit.token({ sub }), await kit.token()];
        const [gone, stays] = [
          await kit.stream(topic, { format }, { token: eve }),
          await kit.stream(topic, { format }, { token: ada }),
        ];
        await Promise.all([gone.control('ready'), stays.control('ready')]);
        const at = await revoke(kit, { sub });
        const close = await gone.control('close');
        expect(close.data).toMatchObject({ reason: 'revoked', retry: expect.any(Number) });
        expect((await gone.ended()) - at).toBeLessThan(1000);
        await kit.publish(topic, { data: 'after' });
        expect((await stays.events(1))[0].data).toBe('after');
        expect(gone.frames.some((frame) => frame.data.data === 'after')).toBe(false);
      },
    );

    it('refuses a revoked token from then on, and takes one that is issued later', async ({ kit }) => {
      const topic = kit.topic();
      const sub = `again-${kit.run}`;
      const token = await kit.token({ sub });
      await kit.publish(topic, { data: 1 }, { token });
      const at = await revoke(kit, { sub });
      kit.refused(await kit.ask('POST', eventsPath(topic), { body: { data: 2 }, token }), 401);
      kit.refused(await kit.ask('GET', eventsPath(topic), { token }), 401);
      kit.refused(await kit.ask('POST', '/v1/tickets', { body: { topics: [topic] }, token }), 401);
      // Tokens tell their time in whole seconds: the next one is issued in a later second than the revocation.
      while (Math.floor(Date.now() / 1000) <= Math.floor(at / 1000) + 1)
        await new Promise((done) => setTimeout(done, 50));
      await kit.publish(topic, { data: 3 }, { token: await kit.token({ sub }) });
    });

    it('by jti ends that token alone', async ({ kit }) => {
      const topic = kit.topic();
      const [sub, jti] = [`holder-${kit.run}`, `one-${kit.run}`];
      const [first, second] = [await kit.token({ sub, jti }), await kit.token({ sub, jti: `two-${kit.run}` })];
      const gone = await kit.stream(topic, {}, { token: first });
      const stays = await kit.stream(topic, {}, { token: second });
      await Promise.all([gone.control('ready'), stays.control('ready')]);
      const at = await revoke(kit, { jti });
      expect((await gone.control('close')).data.reason).toBe('revoked');
      expect((await gone.ended()) - at).toBeLessThan(1000);
      kit.refused(await kit.ask('GET', eventsPath(topic), { token: first }), 401);
      await kit.publish(topic, { data: 'on' }, { token: second });
      expect((await stays.events(1))[0].data).toBe('on');
    });

    it('may be said twice, and of a subject that nobody knows', async ({ kit }) => {
      for (const _ of [1, 2]) await revoke(kit, { sub: `unknown-${kit.run}` });
      await revoke(kit, { jti: `unknown-${kit.run}` });
    });

    it.for([
      ['nothing', {}],
      ['a number', { sub: 7 }],
      ['an empty sub', { sub: '' }],
      ['an empty jti', { jti: '' }],
      ['an unknown member', { role: 'x' }],
      ['a list', []],
      ['null', null],
    ] as const)('refuses a body of %s', async ([, body], { kit }) => {
      kit.refused(await kit.ask('POST', '/v1/revocations', { body: JSON.stringify(body) }), 400);
    });
  });
}
