/** Section 2: heartbeats. They come after 25 seconds without other traffic, so these tests wait side by side. */
import { describe, expect } from 'vitest';
import { eventsPath, numbers, seqOf } from './client.ts';
import type { Suite } from './target.ts';

const data = (events: readonly any[]): unknown[] => events.map((event) => event.data);

export function heartbeats({ it, target }: Suite): void {
  if (target.features?.fast) return;
  describe('2 $heartbeat', { timeout: 75_000, concurrent: true }, () => {
    it('comes every 25 s without other traffic: {time, cursor}', async ({ kit }) => {
      const topic = kit.topic();
      const ids = await kit.publishNumbers(topic, 1, 2);
      const stream = await kit.stream(topic);
      await stream.control('ready');
      const quiet = Date.now();
      const { data: beat } = await stream.control('heartbeat', 40_000);
      expect(Date.now() - quiet).toBeGreaterThan(15_000);
      expect(Math.abs(Date.parse(beat.time) - Date.now())).toBeLessThan(60_000);
      expect(beat.cursor).toBe(ids[1]);
    });

    it('moves the cursor of a filtered stream past what it passed over', async ({ kit }) => {
      const topic = kit.topic();
      const stream = await kit.stream(topic, { types: 'wanted' });
      await stream.control('ready');
      await kit.publish(
        topic,
        numbers(1, 50).map((n) => ({ data: n, type: 'noise' })),
      );
      await stream.take((frame) => frame.control === 'heartbeat' && seqOf(frame.data.cursor) === 50, 'seq 50', 60_000);
      const id = stream.frames.at(-1)?.id ?? stream.frames.at(-1)?.data.cursor;
      const page = await kit.page(topic, { after: id });
      expect(page).toMatchObject({ events: [], more: false });
    });

    it('gives NDJSON readers and readers of several topics a cursor that resumes them all', async ({ kit }) => {
      const [a, b] = [kit.topic('a'), kit.topic('b')];
      const stream = await kit.streams([a, b], { format: 'ndjson' });
      await stream.control('ready');
      await kit.publishNumbers(a, 1, 2);
      await stream.events(2);
      const { data: beat } = await stream.control('heartbeat', 40_000);
      expect(beat).toMatchObject({ control: 'heartbeat', cursor: expect.any(String) });
      await kit.publishNumbers(a, 3, 3);
      await kit.publishNumbers(b, 1, 1);
      const rest = await kit.streams([a, b], { after: beat.cursor });
      const events = await rest.events(2);
      expect(data(events.filter((event) => event.topic === a))).toEqual([3]);
      expect(data(events.filter((event) => event.topic === b))).toEqual([1]);
    });

    it('does not come while events do', async ({ kit }) => {
      const topic = kit.topic();
      const stream = await kit.stream(topic);
      await stream.control('ready');
      const until = Date.now() + 29_000;
      for (let n = 1; Date.now() < until; n += 1) {
        await kit.publish(topic, { data: n });
        await new Promise((done) => setTimeout(done, 1000));
      }
      expect(stream.frames.filter((frame) => frame.control === 'heartbeat')).toEqual([]);
    });

    it('is not what a long poll waits for: 27 quiet seconds are answered with an empty page', async ({ kit }) => {
      const topic = kit.topic();
      const started = Date.now();
      const answer = await kit.ask('GET', eventsPath(topic), { query: { format: 'json', wait: 27, after: 'latest' } });
      expect(Date.now() - started).toBeGreaterThan(26_000);
      expect(answer.status).toBe(200);
      expect(answer.json).toMatchObject({ events: [], more: false });
    });
  });
}
