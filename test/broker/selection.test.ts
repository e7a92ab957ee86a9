import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choose, compileSelection, conflate, EVERYTHING } from '../../src/broker/selection.ts';
import { type EventInput, encodeEventBody } from '../../src/protocol/event.ts';
import { LogEvent } from '../../src/protocol/event-batch.ts';
import { parseFilter } from '../../src/protocol/filter.ts';

const events = (...inputs: readonly EventInput[]) =>
  inputs.map((input, index) => new LogEvent({ epoch: '0123456789', seq: index + 1 }, '', encodeEventBody(input)));
const seqs = (chosen: readonly LogEvent[]) => chosen.map(({ seq }) => seq);

describe('a selection', () => {
  const all = events({ type: 'a', data: { n: 1 } }, { data: { n: 2 } }, { type: 'b', data: { n: 3 } }, { data: null });

  it('chooses everything when it names nothing', () => {
    expect(compileSelection({})).toBe(EVERYTHING);
    expect(compileSelection({ types: [], filters: [] })).toBe(EVERYTHING);
    expect(choose(all, EVERYTHING)).toBe(all);
  });

  it('wants one of the types and all of the filters', () => {
    const filters = [parseFilter('n=gt.1')!, parseFilter('n=lt.9')!];
    expect(seqs(choose(all, compileSelection({ types: ['a', 'message'] })))).toEqual([1, 2, 4]);
    expect(seqs(choose(all, compileSelection({ filters })))).toEqual([2, 3]);
    expect(seqs(choose(all, compileSelection({ filters, types: ['b'] })))).toEqual([3]);
  });

  it('has the same name exactly when it chooses the same', () => {
    const [x, y] = [parseFilter('n=gt.1')!, parseFilter('n=lt.9')!];
    const name = (...[types, filters]: [string[], (typeof x)[]]) => compileSelection({ types, filters }).name;
    expect(name(['b', 'a', 'a'], [x, y])).toBe(name(['a', 'b'], [y, x]));
    expect(name(['a'], [])).not.toBe(name([], [x]));
    expect(name(['a","b'], [])).not.toBe(name(['a', 'b'], []));
    expect(name([], [x])).not.toBe(name([], [y]));
  });
});

describe('conflation of a run', () => {
  it('keeps of each key exactly the newest, everything without a key, and the order', () => {
    const keys = fc.array(fc.option(fc.constantFrom('a', 'b', 'c', '__proto__'), { nil: undefined }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(keys, (run) => {
        const kept = seqs(conflate(events(...run.map((key, data) => ({ key, data })))));
        const expected = run.flatMap((key, index) =>
          key === undefined || run.lastIndexOf(key) === index ? [index + 1] : [],
        );
        expect(kept).toEqual(expected);
      }),
    );
  });
});
