/** Section 7: 429, for a target whose limits are known. */
import { describe, expect } from 'vitest';
import { eventsPath, numbers } from './client.ts';
import { goneMsOf, type Suite } from './target.ts';

export function limits({ it, target }: Suite): void {
  const known = target.features?.limits;
  if (known === undefined) return;
  const { writesPerSecond } = known;
  describe('7 limits', () => {
    it('answers 429 with Retry-After and RateLimit to too many writes, and takes them later', async ({ kit }) => {
      const topic = kit.topic();
      const token = await kit.token();
      const write = (n: number) => kit.ask('POST', eventsPath(topic), { body: { data: n }, token });
      const answers = await Promise.all(numbers(1, writesPerSecond * 5).map(write));
      const taken = answers.filter((answer) => answer.status === 201);
      const limited = answers.filter((answer) => answer.status !== 201);
      expect(taken.length).toBeGreaterThanOrEqual(writesPerSecond);
      expect(limited.length).toBeGreaterThan(0);
      for (const answer of limited) {
        expect(kit.refused(answer, 429).code).toBe('rate-limited');
        expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
        expect(answer.headers.get('ratelimit')).toBeTruthy();
      }
      expect((await kit.page(topic, { limit: 1000 })).events).toHaveLength(taken.length);
      const other = await kit.ask('POST', eventsPath(topic), { body: { data: 0 }, token: await kit.token() });
      expect(other.status, 'another subject is not concerned').toBe(201);
      const wait = Number(limited[0]?.headers.get('retry-after')) * 1000;
      await new Promise((done) => setTimeout(done, wait));
      expect((await write(0)).status).toBe(201);
    });
  });
}

/** What is seen only when a reader that is gone was noticed. */
export function limitsOfGone({ it, target }: Suite): void {
  const known = target.features?.limits;
  if (known === undefined) return;
  const { streams } = known;
  describe('7 limits on streams', () => {
    it('answers 429 to one stream too many, and opens it when another has gone', {
      timeout: 30_000 + goneMsOf(target),
    }, async ({ kit, expect }) => {
      const topic = kit.topic();
      const token = await kit.token();
      const open = await Promise.all(numbers(1, streams).map(() => kit.stream(topic, {}, { token })));
      await Promise.all(open.map((stream) => stream.control('ready')));
      const refused = await kit.ask('GET', eventsPath(topic), { token });
      expect(kit.refused(refused, 429).code).toBe('too-many-streams');
      expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      open[0]?.close();
      await expect
        .poll(() => kit.stream(topic, {}, { token }).then(() => 'open', String), {
          timeout: goneMsOf(target),
          interval: 100,
        })
        .toBe('open');
    });
  });
}
