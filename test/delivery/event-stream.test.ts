import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventStream, type EventStreamOptions } from '../../src/delivery/event-stream.ts';
import { TimerWheel } from '../../src/delivery/timer-wheel.ts';
import { FakeFeed, FakeSink } from './fakes.ts';

describe('an event stream', () => {
  let sink: FakeSink;
  let wheel: TimerWheel;
  let ends: string[];
  let deliveries: [number, number][];
  beforeEach(() => {
    vi.useFakeTimers();
    sink = new FakeSink();
    ends = [];
    deliveries = [];
    wheel = new TimerWheel((error) => {
      throw error;
    });
  });
  afterEach(() => {
    wheel.stop();
    vi.useRealTimers();
  });

  const open = (options: Partial<EventStreamOptions> = {}, topics: readonly string[] = []): EventStream => {
    const stream = new EventStream({
      id: 's1',
      format: 'sse',
      sink,
      wheel,
      expires: undefined,
      retry: () => 1234,
      onDelivery: (...counts) => deliveries.push(counts),
      onEnd: (_, reason) => ends.push(reason),
      ...options,
    });
    stream.open(topics);
    return stream;
  };
  const seconds = (count: number) => vi.advanceTimersByTime(count * 1000);

  it('says $open first, with no cursor, before anything is known of its topics', () => {
    open({}, ['a', 'b']);
    expect(sink.blocks).toEqual([{ event: '$open', data: '{"stream":"s1","heartbeat":25,"topics":["a","b"]}' }]);
  });

  describe('the cursor', () => {
    it('of one topic is the event’s own id', () => {
      const feed = new FakeFeed('a', 4);
      open().attach([feed]);
      feed.deliver('x', 'y');
      expect(sink.blocks.slice(1).map(({ id }) => id)).toEqual(['a000000000-5', 'a000000000-6']);
    });

    it('of several holds every topic’s position at each event', () => {
      const [a, b, c] = [new FakeFeed('a', 1), new FakeFeed('b', 5), new FakeFeed('c', 9)];
      const stream = open();
      stream.attach([a, b, c]);
      b.deliver('x', 'y');
      a.deliver('z');
      expect(sink.blocks.slice(1).map(({ id }) => id)).toEqual([
        'a000000000-1.b000000000-6.c000000000-9',
        'a000000000-1.b000000000-7.c000000000-9',
        'a000000000-2.b000000000-7.c000000000-9',
      ]);
      expect(sink.blocks.slice(1).map(({ data }) => JSON.parse(data).id)).toEqual([
        'b000000000-6',
        'b000000000-7',
        'a000000000-2',
      ]);
      expect(stream.cursor).toBe('a000000000-2.b000000000-7.c000000000-9');
    });

    it('is not moved by ephemeral events', () => {
      const [a, b] = [new FakeFeed('a', 1), new FakeFeed('b', 5)];
      open().attach([a, b]);
      a.deliverEphemeral('now');
      const block = sink.blocks.at(-1)!;
      expect(block.id).toBeUndefined();
      expect(JSON.parse(block.data)).toEqual({
        topic: 'a',
        time: '2030-01-01T00:00:00.000Z',
        type: 'message',
        data: 'now',
      });
    });

    it('is that of the one topic that is left, when the others are taken off', () => {
      const [a, b] = [new FakeFeed('a', 1), new FakeFeed('b', 5)];
      const stream = open();
      stream.attach([a, b]);
      stream.detach(new Set(['a']));
      b.deliver('x');
      expect(sink.blocks.at(-1)!.id).toBe('b000000000-6');
    });
  });

  describe('$ready', () => {
    it('comes once, when all topics have caught up, with the cursor of all', () => {
      const [a, b] = [new FakeFeed('a', 1), new FakeFeed('b', 5)];
      open().attach([a, b]);
      b.deliver('x');
      b.catchUp();
      expect(sink.told).toEqual(['$open', 'x']);
      b.deliver('y');
      a.catchUp();
      expect(sink.told).toEqual(['$open', 'x', 'y', '$ready']);
      const { id, data } = sink.blocks.at(-1)!;
      expect(id).toBe('a000000000-1.b000000000-7');
      expect(JSON.parse(data)).toEqual({ cursor: id });
    });

    it('comes after what a feed has to tell at its start', () => {
      const feed = new FakeFeed('a', 0, (self) => {
        self.tellGap(3);
        self.deliver('x');
        self.catchUp();
      });
      open().attach([feed]);
      expect(sink.told).toEqual(['$open', '$gap', 'x', '$ready']);
    });

    it('comes again when topics are added, after they have caught up', () => {
      const [a, b] = [new FakeFeed('a', 1, (self) => self.catchUp()), new FakeFeed('b', 5)];
      const stream = open();
      stream.attach([a]);
      stream.attach([b]);
      a.deliver('x');
      expect(sink.told).toEqual(['$open', '$ready', 'x']);
      b.catchUp();
      expect(sink.control('ready').at(-1)).toEqual({ cursor: 'a000000000-2.b000000000-5' });
    });

    it('does not wait for a topic that was taken off', () => {
      const [a, b] = [new FakeFeed('a', 1), new FakeFeed('b', 5)];
      const stream = open();
      stream.attach([a, b]);
      a.catchUp();
      stream.detach(new Set(['b']));
      expect(sink.told).toEqual(['$open', '$ready']);
      expect(b.closed).toBe(1);
      expect(stream.topics).toEqual(['a']);
    });

    it('is not said early because nothing was added while others still replay', () => {
      const feed = new FakeFeed('a', 1);
      const stream = open();
      stream.attach([feed]);
      stream.attach([]);
      expect(sink.told).toEqual(['$open']);
    });

    it('waits for the topics whose positions are still looked up', () => {
      const stream = open({}, ['a']);
      expect(stream.topics).toEqual(['a']);
      stream.attach([new FakeFeed('b', 5, (self) => self.catchUp())]);
      expect(sink.told).toEqual(['$open']);
      stream.attach([new FakeFeed('a', 1, (self) => self.catchUp())]);
      expect(sink.told).toEqual(['$open', '$ready']);
      expect(stream.topics).toEqual(['b', 'a']);
    });

    it('says without a cursor that no topic is left', () => {
      const stream = open();
      stream.attach([new FakeFeed('a', 1, (self) => self.catchUp())]);
      stream.detach(new Set(['a']));
      expect(sink.blocks.at(-1)).toMatchObject({ event: '$ready', data: '{"cursor":""}' });
      expect(sink.text.endsWith('event: $ready\ndata: {"cursor":""}\n\n')).toBe(true);
    });
  });

  it('holds a topic once, and none that was taken off while its position was looked up', () => {
    const feeds = ['a', 'b', 'c'].map((topic) => new FakeFeed(topic, 1, (self) => self.catchUp()));
    const stream = open({}, ['a', 'b']);
    stream.attach([feeds[2]!]);
    stream.detach(new Set(['a']));
    stream.attach([feeds[0]!, feeds[1]!]);
    const again = new FakeFeed('b', 9);
    stream.attach([again]);
    expect(feeds.map(({ started, closed }) => [started, closed])).toEqual([
      [false, 1],
      [true, 0],
      [true, 0],
    ]);
    expect([again.started, again.closed]).toEqual([false, 1]);
    expect(stream.topics).toEqual(['c', 'b']);
    expect(sink.told).toEqual(['$open', '$ready']);
    stream.attach([new FakeFeed('a', 3, (self) => self.catchUp())]);
    expect(stream.topics).toEqual(['c', 'b', 'a']);
  });

  it('tells a gap as it is, and moves the cursor past it', () => {
    const [a, b] = [new FakeFeed('a', 1), new FakeFeed('b', 5)];
    open().attach([a, b]);
    const gap = a.tellGap(40);
    expect(sink.control('gap')).toEqual([gap]);
    expect(sink.blocks.at(-1)!.id).toBe('a000000000-40.b000000000-5');
  });

  describe('heartbeats', () => {
    it('come every 25 s of quiet, with the time and the cursor', () => {
      const feed = new FakeFeed('a', 1, (self) => self.catchUp());
      open().attach([feed]);
      seconds(24);
      expect(sink.control('heartbeat')).toEqual([]);
      seconds(1);
      expect(sink.control('heartbeat')).toEqual([{ time: new Date().toISOString(), cursor: 'a000000000-1' }]);
      expect(sink.blocks.at(-1)!.id).toBe('a000000000-1');
      seconds(50);
      expect(sink.control('heartbeat')).toHaveLength(3);
    });

    it('move the cursor of a stream that chose nothing of what passed', () => {
      const feed = new FakeFeed('a', 1, (self) => self.catchUp());
      open().attach([feed]);
      feed.position = { ...feed.position, seq: 77 };
      seconds(25);
      expect(sink.blocks.at(-1)!.id).toBe('a000000000-77');
    });

    it('do not come while there is other traffic', () => {
      const feed = new FakeFeed('a', 1, (self) => self.catchUp());
      open().attach([feed]);
      for (let n = 0; n < 10; n += 1) {
        seconds(20);
        feed.deliver(n);
      }
      expect(sink.control('heartbeat')).toEqual([]);
      seconds(25);
      expect(sink.control('heartbeat')).toHaveLength(1);
    });

    it('come before the topics are known, with no cursor', () => {
      open();
      seconds(25);
      expect(sink.text).toMatch(/event: \$heartbeat\ndata: /);
    });

    it('are not added to what a slow reader has to read', () => {
      open().attach([new FakeFeed('a', 1)]);
      sink.ready = false;
      seconds(100);
      expect(sink.told).toEqual(['$open']);
      sink.ready = true;
      seconds(30);
      expect(sink.control('heartbeat')).toHaveLength(1);
    });

    it('are made up for once when the process was held up for long', () => {
      open();
      vi.setSystemTime(Date.now() + 8 * 3600 * 1000);
      seconds(1);
      expect(sink.control('heartbeat')).toHaveLength(1);
    });
  });

  describe('the end of the token', () => {
    it('is told 60 s before, and ends the stream', () => {
      const expires = Date.now() + 90_000;
      const feed = new FakeFeed('a', 1);
      open({ expires }).attach([feed]);
      seconds(29);
      expect(sink.control('expiring')).toEqual([]);
      seconds(1);
      expect(sink.control('expiring')).toEqual([{ at: new Date(expires).toISOString() }]);
      seconds(59);
      expect(sink.ended).toBe(false);
      seconds(1);
      expect(sink.control('close')).toEqual([{ reason: 'expired', retry: 1234 }]);
      expect(sink.control('expiring')).toHaveLength(1);
      expect(sink.ended).toBe(true);
      expect(feed.closed).toBe(1);
      expect(ends).toEqual(['expired']);
    });

    it('is told at once when it is nearer than that', () => {
      open({ expires: Date.now() + 10_000 });
      seconds(1);
      expect(sink.control('expiring')).toHaveLength(1);
    });

    it('moves with a fresh token, and is told again before that one’s end', () => {
      const stream = open({ expires: Date.now() + 90_000 });
      seconds(80);
      stream.renew(Date.now() + 100_000);
      seconds(39);
      expect(sink.ended).toBe(false);
      expect(sink.control('expiring')).toHaveLength(1);
      seconds(1);
      expect(sink.control('expiring')).toHaveLength(2);
      seconds(60);
      expect(ends).toEqual(['expired']);
    });

    it('does not come when the fresh token has none', () => {
      const stream = open({ expires: Date.now() + 90_000 });
      stream.renew(undefined);
      seconds(1000);
      expect(sink.ended).toBe(false);
    });

    it('does not come early when the clock is set back', () => {
      open({ expires: Date.now() + 3600_000 });
      seconds(10);
      vi.setSystemTime(Date.now() - 1800_000);
      seconds(3600);
      expect(ends).toEqual([]);
      seconds(1900);
      expect(ends).toEqual(['expired']);
    });
  });

  describe('the end', () => {
    it('on purpose says $close with the reason and a retry that EventSource obeys, once', () => {
      const feed = new FakeFeed('a', 1);
      const stream = open();
      stream.attach([feed]);
      stream.close('draining');
      stream.close('revoked');
      expect(sink.text.endsWith('event: $close\nretry: 1234\ndata: {"reason":"draining","retry":1234}\n\n')).toBe(true);
      expect(sink.ended).toBe(true);
      expect(feed.closed).toBe(1);
      expect(ends).toEqual(['draining']);
      expect(stream.ended).toBe(true);
    });

    it('by the reader closes the feeds, and nothing is due any more', () => {
      const feed = new FakeFeed('a', 1);
      open().attach([feed]);
      sink.onClose?.();
      expect(feed.closed).toBe(1);
      expect(ends).toEqual(['gone']);
      const before = sink.text;
      seconds(200);
      expect(sink.text).toBe(before);
    });

    it('before the topics are known closes feeds that come later', () => {
      const stream = open();
      sink.end();
      const feed = new FakeFeed('a', 1);
      stream.attach([feed]);
      expect(feed.closed).toBe(1);
      expect(feed.started).toBe(false);
    });

    it('comes for a reader that has taken nothing for a quarter of an hour', () => {
      open().attach([new FakeFeed('a', 1)]);
      sink.ready = false;
      seconds(890);
      expect(ends).toEqual([]);
      seconds(60);
      expect(ends).toEqual(['slow']);
      expect(sink.control('close')).toMatchObject([{ reason: 'slow' }]);
    });

    it('does not come for one that takes something now and then', () => {
      open().attach([new FakeFeed('a', 1)]);
      for (let n = 0; n < 10; n += 1) {
        sink.ready = false;
        seconds(500);
        sink.ready = true;
        seconds(30);
      }
      expect(ends).toEqual([]);
    });
  });

  it('is ready when its sink is, and resumes every feed when there is room again', () => {
    const feeds = [new FakeFeed('a', 1), new FakeFeed('b', 1)];
    const stream = open();
    stream.attach(feeds);
    sink.ready = false;
    expect(stream.ready).toBe(false);
    sink.ready = true;
    sink.onReady?.();
    expect(stream.ready).toBe(true);
    expect(feeds.map(({ resumed }) => resumed)).toEqual([1, 1]);
  });

  it('counts what it delivers, in events and bytes', () => {
    const feed = new FakeFeed('a', 1);
    open().attach([feed]);
    const before = sink.text.length;
    feed.deliver('x', 'y');
    expect(deliveries).toEqual([[2, sink.text.length - before]]);
  });

  it('is lines of JSON when asked so, control events among them', () => {
    const feed = new FakeFeed('a', 1, (self) => self.catchUp());
    const stream = open({ format: 'ndjson' });
    stream.attach([feed]);
    feed.deliver('x');
    stream.close('limit');
    const lines = sink.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { control: 'open', stream: 's1' },
      { control: 'ready', cursor: 'a000000000-1' },
      { id: 'a000000000-2', data: 'x' },
      { control: 'close', reason: 'limit', retry: 1234 },
    ]);
  });
});
