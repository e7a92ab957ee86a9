import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Cursor,
  epochOf,
  formatCompoundCursor,
  formatCursor,
  MAX_POSITIONS,
  parseCompoundCursor,
  parseCursor,
  positionsOf,
} from '../../src/protocol/cursor.ts';
import { cursorSchema } from '../../src/protocol/schemas.ts';

const epoch = fc.stringMatching(/^[0-9a-z]{10}$/);
const seq = fc.oneof(fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const cursor: fc.Arbitrary<Cursor> = fc.record({ epoch, seq }, { noNullPrototype: true });
const topics = fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }), {
  minLength: 1,
  maxLength: 12,
});

/** Topics whose epochs begin alike (one pair in sixty million) are told a gap, so they are left out here. */
const namesDiffer = (names: readonly string[]) =>
  new Set(names.map((name) => epochOf('log', 0, name).slice(0, 5))).size === names.length;

describe('a cursor', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(cursor, (each) => {
        expect(parseCursor(formatCursor(each))).toEqual(each);
      }),
    );
  });

  it('has one spelling: what can be read is written the same', () => {
    const near = fc.tuple(epoch, fc.stringMatching(/^[0-9]{1,20}$/)).map((parts) => parts.join('-'));
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (text) => {
        const read = parseCursor(text);
        if (read === undefined) return;
        expect(Number.isSafeInteger(read.seq)).toBe(true);
        expect(formatCursor(read)).toBe(text);
      }),
    );
  });

  it('is refused when malformed', () => {
    const good = 'k3f0q8s1zd';
    for (const bad of [
      '',
      '-',
      '42',
      `${good}`,
      `${good}-`,
      `${good}--1`,
      `${good}-01`,
      `${good}-1 `,
      ` ${good}-1`,
      `${good}-1\n`,
      `${good}-+1`,
      `${good}-1.5`,
      `${good}-1e3`,
      `${good.toUpperCase()}-1`,
      `${good}x-1`,
      `${good}-9007199254740992`,
      `${good}-99999999999999999`,
      `${good}-1\0`,
    ])
      expect(parseCursor(bad)).toBeUndefined();
    expect(parseCursor(`${good}-9007199254740991`)).toEqual({ epoch: good, seq: Number.MAX_SAFE_INTEGER });
  });
});

describe('a compound cursor', () => {
  it('is read back as it was written, and of one position is that position', () => {
    fc.assert(
      fc.property(fc.array(cursor, { minLength: 1, maxLength: 60 }), (positions) => {
        const text = formatCompoundCursor(positions);
        expect(parseCompoundCursor(text)).toEqual(positions);
        expect(text).not.toMatch(/[\s\0]/);
        const [first] = positions;
        if (positions.length === 1 && first !== undefined) expect(text).toBe(formatCursor(first));
      }),
    );
  });

  it('is refused when any part of it is malformed', () => {
    fc.assert(
      fc.property(
        fc.array(cursor, { minLength: 1 }),
        fc.nat(),
        fc.constantFrom('', 'x', 'k3f0q8s1zd-', ' '),
        (positions, at, bad) => {
          const parts = positions.map(formatCursor);
          parts.splice(at % (parts.length + 1), 0, bad);
          expect(parseCompoundCursor(parts.join('.'))).toBeUndefined();
        },
      ),
    );
  });

  it('holds a bounded number of positions, all of which the wire takes', () => {
    const longest = { epoch: 'zzzzzzzzzz', seq: Number.MAX_SAFE_INTEGER };
    const full = formatCompoundCursor(Array.from({ length: MAX_POSITIONS }, () => longest));
    expect(parseCompoundCursor(full)).toHaveLength(MAX_POSITIONS);
    expect(cursorSchema.safeParse(full).success).toBe(true);
    expect(parseCompoundCursor(`${full}.zzzzzzzzzz-1`)).toBeUndefined();
  });

  it('gives each topic its own position, whatever topics were added or removed since', () => {
    fc.assert(
      fc.property(topics, fc.array(seq, { minLength: 12, maxLength: 12 }), fc.nat(12), (names, seqs, split) => {
        fc.pre(namesDiffer(names));
        const held = names.slice(0, split);
        const positions = parseCompoundCursor(
          formatCompoundCursor(held.map((name, at) => ({ epoch: epochOf('log', 0, name), seq: seqs[at] ?? 0 }))),
        );
        for (const [at, name] of names.entries())
          expect(positionsOf(name, positions ?? [])).toEqual(
            at < split ? [{ epoch: epochOf('log', 0, name), seq: seqs[at] }] : [],
          );
      }),
    );
  });

  it('finds the position of a log that is gone, for the log to recognise', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.nat(), (name, incarnation) => {
        const old = { epoch: epochOf('old', incarnation, name), seq: 5 };
        expect(positionsOf(name, [old])).toEqual([old]);
      }),
    );
  });
});

describe('an epoch', () => {
  it('is ten characters of 0-9a-z, for any text', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.string({ unit: 'binary' }), (log, incarnation, name) => {
        expect(epochOf(log, incarnation, name)).toMatch(/^[0-9a-z]{10}$/);
        expect(epochOf(log, incarnation, name)).toBe(epochOf(log, incarnation, name));
      }),
    );
  });

  it('differs by store and by incarnation in its second half only, and by topic in both', () => {
    const firsts = new Set<string>();
    const wholes = new Set<string>();
    for (let topic = 0; topic < 500; topic += 1) {
      firsts.add(epochOf('log', 0, `t${topic}`).slice(0, 5));
      for (let incarnation = 0; incarnation < 10; incarnation += 1)
        for (const log of ['a', 'b', 'c']) {
          const made = epochOf(log, incarnation, `t${topic}`);
          expect(made.slice(0, 5)).toBe(epochOf('log', 0, `t${topic}`).slice(0, 5));
          wholes.add(made);
        }
    }
    expect(firsts.size).toBe(500);
    expect(wholes.size).toBe(500 * 10 * 3);
  });

  it('spreads names that are alike evenly', () => {
    // 20,000 names into 36^5 places: about three pairs meet by chance; a poor mix would make hundreds meet.
    const firsts = new Set(Array.from({ length: 20_000 }, (_, n) => epochOf('log', 0, `chat:${n}`).slice(0, 5)));
    expect(firsts.size).toBeGreaterThan(20_000 - 25);
  });
});
