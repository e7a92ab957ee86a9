import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Plannable, plan } from '../../../src/client/subscriptions/plan.ts';

const LIMITS = { topics: 3, streams: 2 };

const of = (topic: string, rest: Partial<Plannable> = {}): Plannable => ({
  topic,
  shape: '',
  presenceOnly: false,
  priority: 1,
  ...rest,
});

/** Topics of each stream, and why others are parked. */
function planned(...subscriptions: Plannable[]) {
  const { streams, parked } = plan(subscriptions, LIMITS);
  return {
    streams: streams.map((stream) => [...stream.keys()]),
    parked: [...parked].map(([{ topic }, why]) => `${topic} ${why}`),
  };
}

describe('the plan', () => {
  it('reads every topic once, on one stream', () => {
    expect(planned(of('a'), of('b'), of('a'))).toEqual({ streams: [['a', 'b']], parked: [] });
  });

  it('reads a topic by other parameters on another stream, as far as there are streams', () => {
    expect(planned(of('a'), of('a', { shape: 'x' }), of('b'), of('a', { shape: 'y' }))).toEqual({
      streams: [['a', 'b'], ['a']],
      parked: ['a streams'],
    });
  });

  it('parks those of the lowest priority that came last, when there are too many topics', () => {
    expect(planned(of('a', { priority: 0 }), of('b'), of('c'), of('d'), of('e', { priority: 3 }))).toEqual({
      streams: [['e', 'b', 'c']],
      parked: ['d topics', 'a topics'],
    });
  });

  it('lets who wants presence only take part in whatever reading there is', () => {
    const presence = of('a', { presenceOnly: true, priority: 3 });
    const { streams } = plan([presence, of('a', { shape: 'x' })], LIMITS);
    expect(streams).toHaveLength(1);
    expect(streams[0]!.get('a')).toMatchObject({ shape: 'x', subscriptions: [{ shape: 'x' }, presence] });
  });

  it('keeps the limits, and forgets nobody', () => {
    const subscription = fc.record({
      topic: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      shape: fc.constantFrom('', 'x', 'y'),
      presenceOnly: fc.boolean(),
      priority: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(subscription), (subscriptions) => {
        const { streams, parked } = plan(subscriptions, LIMITS);
        expect(streams.length).toBeLessThanOrEqual(LIMITS.streams);
        for (const stream of streams) expect(stream.size).toBeLessThanOrEqual(LIMITS.topics);
        const placed = streams.flatMap((stream) => [...stream.values()].flatMap((reading) => reading.subscriptions));
        expect(new Set([...placed, ...parked.keys()])).toEqual(new Set(subscriptions));
        expect(placed.length + parked.size).toBe(subscriptions.length);
        for (const stream of streams)
          for (const [topic, reading] of stream)
            for (const each of reading.subscriptions) {
              expect(each.topic).toBe(topic);
              if (!each.presenceOnly) expect(each.shape).toBe(reading.shape);
            }
        // Nobody is parked for want of topics while somebody of lower priority is read.
        const readings = [...(streams[0]?.entries() ?? [])];
        const lowest = Math.min(...readings.map(([, reading]) => reading.subscriptions[0]!.priority));
        for (const [each, why] of parked)
          if (why === 'topics' && !each.presenceOnly && !readings.some(([topic]) => topic === each.topic))
            expect(each.priority).toBeLessThanOrEqual(lowest);
      }),
    );
  });
});
