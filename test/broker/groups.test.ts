import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Groups } from '../../src/broker/groups.ts';
import type { LocalSubscription } from '../../src/broker/local-subscription.ts';
import { choose, compileSelection } from '../../src/broker/selection.ts';
import { encodeEventBody } from '../../src/protocol/event.ts';
import { LogEvent } from '../../src/protocol/event-batch.ts';
import { FILTER_OPERATORS, type Filter } from '../../src/protocol/filter.ts';

const event = (data: unknown) => new LogEvent({ epoch: 'aaaaabbbbb', seq: 1 }, '', encodeEventBody({ data }));

/** As much of a subscription as groups look at. */
function subscription(filters: readonly Filter[]): LocalSubscription {
  return { selector: compileSelection({ filters }) } as unknown as LocalSubscription;
}

const value = fc.oneof(
  fc.constantFrom('', '0', '-0', '1', '1.0', '1e0', 'a', 'true', 'null', ' ', 'NaN', '0x1', '9007199254740993'),
  fc.string({ maxLength: 3 }),
);
const filter: fc.Arbitrary<Filter> = fc.record({
  path: fc.constantFrom<readonly string[]>(['a'], ['b'], ['a', 'b']),
  operator: fc.constantFrom(...FILTER_OPERATORS.filter((operator) => operator !== 'is')),
  values: fc.array(value, { minLength: 1, maxLength: 3 }),
});
const scalar = fc.oneof(value, fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.constantFrom(0, -0, 1));
const data = fc.oneof(fc.record({ a: fc.oneof(scalar, fc.record({ b: scalar })), b: scalar }), scalar);

describe('groups of live subscriptions', () => {
  it('are all found that choose an event, whatever is asked for and whatever the event holds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(filter, { maxLength: 2 }), { maxLength: 12 }),
        fc.array(data, { maxLength: 4 }),
        (selections, datas) => {
          const groups = new Groups();
          const events = datas.map(event);
          for (const filters of selections) groups.add(subscription(filters));
          const concerned = new Set([...groups.concernedBy(events)].map(({ selector }) => selector.name));
          for (const { selector } of groups.all())
            if (choose(events, selector).length > 0) expect(concerned).toContain(selector.name);
        },
      ),
    );
  });

  it('are not looked at one by one where each asks for another value', () => {
    const groups = new Groups();
    const all = Array.from({ length: 10_000 }, (_, n) =>
      subscription([{ path: ['room'], operator: 'eq', values: [`room ${n}`] }]),
    );
    for (const one of all) groups.add(one);
    expect([...groups.concernedBy([event({ room: 'room 77' })])]).toHaveLength(1);
    expect([...groups.concernedBy([event({ room: 'elsewhere' })])]).toHaveLength(0);
    expect([...groups.concernedBy([event({ room: 'room 1' }), event({ room: 'room 2' })])]).toHaveLength(2);
    for (const one of all) groups.delete(one);
    expect([...groups.all()]).toHaveLength(0);
    expect([...groups.concernedBy([event({ room: 'room 77' })])]).toHaveLength(0);
  });

  it('hold several subscriptions that choose alike as one, until the last has left', () => {
    const groups = new Groups();
    const twins = [1, 2].map(() => subscription([{ path: ['n'], operator: 'in', values: ['1', '2'] }]));
    for (const twin of twins) groups.add(twin);
    const [found, ...others] = groups.concernedBy([event({ n: 2 })]);
    expect(others).toEqual([]);
    expect(found?.live.size).toBe(2);
    groups.delete(twins[0]!);
    expect([...groups.concernedBy([event({ n: 1 })])]).toHaveLength(1);
    groups.delete(twins[1]!);
    expect([...groups.concernedBy([event({ n: 1 })])]).toHaveLength(0);
  });
});
