import { describe, expect, it } from 'vitest';
import type { EventStream, PresenceFeed } from '../../src/delivery/event-stream.ts';
import { ControlBatch } from '../../src/protocol/control.ts';
import { FakeFeed } from './fakes.ts';
import { testLine } from './line.ts';

class FakePresence implements PresenceFeed {
  readonly topic: string;
  started = 0;
  resumed = 0;
  closed = 0;

  constructor(topic: string) {
    this.topic = topic;
  }

  start(_: Pick<EventStream, 'ready' | 'presence'>): void {
    this.started += 1;
  }

  resume(): void {
    this.resumed += 1;
  }

  close(): void {
    this.closed += 1;
  }
}

const change = (member: string, topic = 'a') =>
  ({ name: 'presence', data: { topic, change: 'update', member, state: { line: '\n' } } }) as const;

describe('an event stream that is told of members', () => {
  const line = testLine();

  it('says them as control events without an id, together in one write', () => {
    const stream = line.open();
    stream.attach([new FakeFeed('a', 4)]);
    stream.watch([new FakePresence('a')]);
    stream.presence(new ControlBatch([change('x'), change('y')]));
    expect(line.sink.parts).toHaveLength(2);
    expect(line.sink.blocks.slice(1)).toEqual([
      { event: '$presence', data: JSON.stringify(change('x').data) },
      { event: '$presence', data: JSON.stringify(change('y').data) },
    ]);
    expect(stream.cursor).toBe('a000000000-4');
  });

  it('says them in NDJSON as lines, and makes their bytes once for each format', () => {
    const batch = new ControlBatch([change('x')]);
    const before = line.sink.parts.length;
    for (const format of ['ndjson', 'sse', 'ndjson', 'sse-named', 'sse'] as const)
      line.open({ format }).presence(batch);
    const texts = line.sink.parts.slice(before).map((part) => new TextDecoder().decode(part));
    const told = texts.filter((text) => text.includes('"change"'));
    expect(told[0]).toBe(`${JSON.stringify({ control: 'presence', ...change('x').data })}\n`);
    const parts = line.sink.parts.filter((part) => new TextDecoder().decode(part).includes('"change"'));
    expect(new Set(parts).size).toBe(3);
  });

  it('watches a topic once, until it is taken off', () => {
    const stream = line.open();
    const [a, again, b] = [new FakePresence('a'), new FakePresence('a'), new FakePresence('b')];
    stream.watch([a, b]);
    stream.watch([again]);
    expect([a.started, again.started, again.closed]).toEqual([1, 0, 1]);
    expect(stream.watched).toEqual(['a', 'b']);
    stream.detach(new Set(['a', 'c']));
    expect(stream.watched).toEqual(['b']);
    expect([a.closed, b.closed]).toEqual([1, 0]);
  });

  it('lets them go on when there is room, and ends them with itself', () => {
    const stream = line.open();
    const a = new FakePresence('a');
    stream.watch([a]);
    line.sink.onReady?.();
    expect(a.resumed).toBe(1);
    stream.close('limit');
    expect(a.closed).toBe(1);
    const late = new FakePresence('b');
    stream.watch([late]);
    expect([late.started, late.closed]).toEqual([0, 1]);
    const { length } = line.sink.parts;
    stream.presence(new ControlBatch([change('x')]));
    expect(line.sink.parts).toHaveLength(length);
  });
});
