import { describe, expect, it, vi } from 'vitest';
import { FakeFeed } from './fakes.ts';
import { testLine } from './line.ts';

describe('an event stream, as time goes by', () => {
  const line = testLine();
  const seconds = (count: number) => vi.advanceTimersByTime(count * 1000);

  describe('heartbeats', () => {
    it('come every 25 s of quiet, with the time and the cursor', () => {
      const feed = new FakeFeed('a', 1, (self) => self.catchUp());
      line.open().attach([feed]);
      seconds(24);
      expect(line.sink.control('heartbeat')).toEqual([]);
      seconds(1);
      expect(line.sink.control('heartbeat')).toEqual([{ time: new Date().toISOString(), cursor: 'a000000000-1' }]);
      expect(line.sink.blocks.at(-1)!.id).toBe('a000000000-1');
      seconds(50);
      expect(line.sink.control('heartbeat')).toHaveLength(3);
    });

    it('move the cursor of a stream that chose nothing of what passed', () => {
      const feed = new FakeFeed('a', 1, (self) => self.catchUp());
      line.open().attach([feed]);
      feed.position = { ...feed.position, seq: 77 };
      seconds(25);
      expect(line.sink.blocks.at(-1)!.id).toBe('a000000000-77');
    });

    it('do not come while there is other traffic', () => {
      const feed = new FakeFeed('a', 1, (self) => self.catchUp());
      line.open().attach([feed]);
      for (let n = 0; n < 10; n += 1) {
        seconds(20);
        feed.deliver(n);
      }
      expect(line.sink.control('heartbeat')).toEqual([]);
      seconds(25);
      expect(line.sink.control('heartbeat')).toHaveLength(1);
    });

    it('come before the topics are known, with no cursor', () => {
      line.open();
      seconds(25);
      expect(line.sink.text).toMatch(/event: \$heartbeat\ndata: /);
    });

    it('are not added to what a slow reader has to read', () => {
      line.open().attach([new FakeFeed('a', 1)]);
      line.sink.ready = false;
      seconds(100);
      expect(line.sink.told).toEqual(['$open']);
      line.sink.ready = true;
      seconds(30);
      expect(line.sink.control('heartbeat')).toHaveLength(1);
    });

    it('are made up for once when the process was held up for long', () => {
      line.open();
      vi.setSystemTime(Date.now() + 8 * 3600 * 1000);
      seconds(1);
      expect(line.sink.control('heartbeat')).toHaveLength(1);
    });
  });

  describe('the end of the token', () => {
    it('is told 60 s before, and line.ends the stream', () => {
      const expires = Date.now() + 90_000;
      const feed = new FakeFeed('a', 1);
      line.open({ expires }).attach([feed]);
      seconds(29);
      expect(line.sink.control('expiring')).toEqual([]);
      seconds(1);
      expect(line.sink.control('expiring')).toEqual([{ at: new Date(expires).toISOString() }]);
      seconds(59);
      expect(line.sink.ended).toBe(false);
      seconds(1);
      expect(line.sink.control('close')).toEqual([{ reason: 'expired', retry: 1234 }]);
      expect(line.sink.control('expiring')).toHaveLength(1);
      expect(line.sink.ended).toBe(true);
      expect(feed.closed).toBe(1);
      expect(line.ends).toEqual(['expired']);
    });

    it('is told at once when it is nearer than that', () => {
      line.open({ expires: Date.now() + 10_000 });
      seconds(1);
      expect(line.sink.control('expiring')).toHaveLength(1);
    });

    it('moves with a fresh token, and is told again before that one’s end', () => {
      const stream = line.open({ expires: Date.now() + 90_000 });
      seconds(80);
      stream.renew(Date.now() + 100_000);
      seconds(39);
      expect(line.sink.ended).toBe(false);
      expect(line.sink.control('expiring')).toHaveLength(1);
      seconds(1);
      expect(line.sink.control('expiring')).toHaveLength(2);
      seconds(60);
      expect(line.ends).toEqual(['expired']);
    });

    it('does not come when the fresh token has none', () => {
      const stream = line.open({ expires: Date.now() + 90_000 });
      stream.renew(undefined);
      seconds(1000);
      expect(line.sink.ended).toBe(false);
    });

    it('does not come early when the clock is set back', () => {
      line.open({ expires: Date.now() + 3600_000 });
      seconds(10);
      vi.setSystemTime(Date.now() - 1800_000);
      seconds(3600);
      expect(line.ends).toEqual([]);
      seconds(1900);
      expect(line.ends).toEqual(['expired']);
    });
  });

  describe('the end', () => {
    it('on purpose says $close with the reason and a retry that EventSource obeys, once', () => {
      const feed = new FakeFeed('a', 1);
      const stream = line.open();
      stream.attach([feed]);
      stream.close('draining');
      stream.close('revoked');
      expect(line.sink.text.endsWith('event: $close\nretry: 1234\ndata: {"reason":"draining","retry":1234}\n\n')).toBe(
        true,
      );
      expect(line.sink.ended).toBe(true);
      expect(feed.closed).toBe(1);
      expect(line.ends).toEqual(['draining']);
      expect(stream.ended).toBe(true);
    });

    it('by the reader closes the feeds, and nothing is due any more', () => {
      const feed = new FakeFeed('a', 1);
      line.open().attach([feed]);
      line.sink.onClose?.();
      expect(feed.closed).toBe(1);
      expect(line.ends).toEqual(['gone']);
      const before = line.sink.text;
      seconds(200);
      expect(line.sink.text).toBe(before);
    });

    it('before the topics are known closes feeds that come later', () => {
      const stream = line.open();
      line.sink.end();
      const feed = new FakeFeed('a', 1);
      stream.attach([feed]);
      expect(feed.closed).toBe(1);
      expect(feed.started).toBe(false);
    });

    it('comes for a reader that has taken nothing for a quarter of an hour', () => {
      line.open().attach([new FakeFeed('a', 1)]);
      line.sink.ready = false;
      seconds(890);
      expect(line.ends).toEqual([]);
      seconds(60);
      expect(line.ends).toEqual(['slow']);
      expect(line.sink.control('close')).toMatchObject([{ reason: 'slow' }]);
    });

    it('does not come for one that takes something now and then', () => {
      line.open().attach([new FakeFeed('a', 1)]);
      for (let n = 0; n < 10; n += 1) {
        line.sink.ready = false;
        seconds(500);
        line.sink.ready = true;
        seconds(30);
      }
      expect(line.ends).toEqual([]);
    });
  });
});
