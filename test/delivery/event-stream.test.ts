import { describe, expect, it } from 'vitest';
import { FakeFeed } from './fakes.ts';
import { testLine } from './line.ts';

describe('an event stream', () => {
  const line = testLine();

  it('says $open first, with no cursor, before anything is known of its topics', () => {
    line.open({}, ['a', 'b']);
    expect(line.sink.blocks).toEqual([{ event: '$open', data: '{"stream":"s1","heartbeat":25,"topics":["a","b"]}' }]);
  });

  describe('the cursor', () => {
    it('of one topic is the event’s own id', () => {
      const feed = new FakeFeed('a', 4);
      line.open().attach([feed]);
      feed.deliver('x', 'y');
      expect(line.sink.blocks.slice(1).map(({ id }) => id)).toEqual(['a000000000-5', 'a000000000-6']);
    });

    it('of several holds every topic’s position at each event', () => {
      const [a, b, c] = [new FakeFeed('a', 1), new FakeFeed('b', 5), new FakeFeed('c', 9)];
      const stream = line.open();
      stream.attach([a, b, c]);
      b.deliver('x', 'y');
      a.deliver('z');
      expect(line.sink.blocks.slice(1).map(({ id }) => id)).toEqual([
        'a000000000-1.b000000000-6.c000000000-9',
        'a000000000-1.b000000000-7.c000000000-9',
        'a000000000-2.b000000000-7.c000000000-9',
      ]);
      expect(line.sink.blocks.slice(1).map(({ data }) => JSON.parse(data).id)).toEqual([
        'b000000000-6',
        'b000000000-7',
        'a000000000-2',
      ]);
      expect(stream.cursor).toBe('a000000000-2.b000000000-7.c000000000-9');
    });

    it('is not moved by ephemeral events', () => {
      const [a, b] = [new FakeFeed('a', 1), new FakeFeed('b', 5)];
      line.open().attach([a, b]);
      a.deliverEphemeral('now');
      const block = line.sink.blocks.at(-1)!;
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
      const stream = line.open();
      stream.attach([a, b]);
      stream.detach(new Set(['a']));
      b.deliver('x');
      expect(line.sink.blocks.at(-1)!.id).toBe('b000000000-6');
    });
  });

  describe('$ready', () => {
    it('comes once, when all topics have caught up, with the cursor of all', () => {
      const [a, b] = [new FakeFeed('a', 1), new FakeFeed('b', 5)];
      line.open().attach([a, b]);
      b.deliver('x');
      b.catchUp();
      expect(line.sink.told).toEqual(['$open', 'x']);
      b.deliver('y');
      a.catchUp();
      expect(line.sink.told).toEqual(['$open', 'x', 'y', '$ready']);
      const { id, data } = line.sink.blocks.at(-1)!;
      expect(id).toBe('a000000000-1.b000000000-7');
      expect(JSON.parse(data)).toEqual({ cursor: id });
    });

    it('comes after what a feed has to tell at its start', () => {
      const feed = new FakeFeed('a', 0, (self) => {
        self.tellGap(3);
        self.deliver('x');
        self.catchUp();
      });
      line.open().attach([feed]);
      expect(line.sink.told).toEqual(['$open', '$gap', 'x', '$ready']);
    });

    it('comes again when topics are added, after they have caught up', () => {
      const [a, b] = [new FakeFeed('a', 1, (self) => self.catchUp()), new FakeFeed('b', 5)];
      const stream = line.open();
      stream.attach([a]);
      stream.attach([b]);
      a.deliver('x');
      expect(line.sink.told).toEqual(['$open', '$ready', 'x']);
      b.catchUp();
      expect(line.sink.control('ready').at(-1)).toEqual({ cursor: 'a000000000-2.b000000000-5' });
    });

    it('does not wait for a topic that was taken off', () => {
      const [a, b] = [new FakeFeed('a', 1), new FakeFeed('b', 5)];
      const stream = line.open();
      stream.attach([a, b]);
      a.catchUp();
      stream.detach(new Set(['b']));
      expect(line.sink.told).toEqual(['$open', '$ready']);
      expect(b.closed).toBe(1);
      expect(stream.topics).toEqual(['a']);
    });

    it('is not said early because nothing was added while others still replay', () => {
      const feed = new FakeFeed('a', 1);
      const stream = line.open();
      stream.attach([feed]);
      stream.attach([]);
      expect(line.sink.told).toEqual(['$open']);
    });

    it('waits for the topics whose positions are still looked up', () => {
      const stream = line.open({}, ['a']);
      expect(stream.topics).toEqual(['a']);
      stream.attach([new FakeFeed('b', 5, (self) => self.catchUp())]);
      expect(line.sink.told).toEqual(['$open']);
      stream.attach([new FakeFeed('a', 1, (self) => self.catchUp())]);
      expect(line.sink.told).toEqual(['$open', '$ready']);
      expect(stream.topics).toEqual(['b', 'a']);
    });

    it('does not come when no topic is left', () => {
      const stream = line.open();
      stream.attach([new FakeFeed('a', 1, (self) => self.catchUp())]);
      const before = line.sink.blocks.length;
      stream.detach(new Set(['a']));
      expect(line.sink.blocks).toHaveLength(before);
    });
  });

  it('holds a topic once, and none that was taken off while its position was looked up', () => {
    const feeds = ['a', 'b', 'c'].map((topic) => new FakeFeed(topic, 1, (self) => self.catchUp()));
    const stream = line.open({}, ['a', 'b']);
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
    expect(line.sink.told).toEqual(['$open', '$ready']);
    stream.attach([new FakeFeed('a', 3, (self) => self.catchUp())]);
    expect(stream.topics).toEqual(['c', 'b', 'a']);
  });

  it('tells a gap as it is, and moves the cursor past it', () => {
    const [a, b] = [new FakeFeed('a', 1), new FakeFeed('b', 5)];
    line.open().attach([a, b]);
    const gap = a.tellGap(40);
    expect(line.sink.control('gap')).toEqual([gap]);
    expect(line.sink.blocks.at(-1)!.id).toBe('a000000000-40.b000000000-5');
  });

  it('is ready when its line.sink is, and resumes every feed when there is room again', () => {
    const feeds = [new FakeFeed('a', 1), new FakeFeed('b', 1)];
    const stream = line.open();
    stream.attach(feeds);
    line.sink.ready = false;
    expect(stream.ready).toBe(false);
    line.sink.ready = true;
    line.sink.onReady?.();
    expect(stream.ready).toBe(true);
    expect(feeds.map(({ resumed }) => resumed)).toEqual([1, 1]);
  });

  it('counts what it delivers, in events and bytes', () => {
    const feed = new FakeFeed('a', 1);
    line.open().attach([feed]);
    const before = line.sink.text.length;
    feed.deliver('x', 'y');
    expect(line.deliveries).toEqual([[2, line.sink.text.length - before]]);
  });

  it('is lines of JSON when asked so, control events among them', () => {
    const feed = new FakeFeed('a', 1, (self) => self.catchUp());
    const stream = line.open({ format: 'ndjson' });
    stream.attach([feed]);
    feed.deliver('x');
    stream.close('limit');
    const lines = line.sink.text
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
