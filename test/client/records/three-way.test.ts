import { integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { merge } from '../../../src/client/records/json.ts';
import { threeWay } from '../../../src/client/records/three-way.ts';
import { collection } from '../../../src/records/collection.ts';
import { mergeRecord } from '../../../src/records/merge.ts';
import { mergePatch as serversMergePatch } from '../../../src/records/merge-patch.ts';
import { everyRow } from '../../../src/records/visibility.ts';

const things = collection('things', {
  table: pgTable('things', {
    id: integer().primaryKey(),
    a: text(),
    b: text(),
    o: jsonb(),
    version: integer().notNull().default(1),
  }),
  visibility: everyRow(),
});

const word = fc.constantFrom(null, 'x', 'y', 'z');
const object = fc.record({ p: fc.constantFrom('1', '2', '3'), q: fc.constantFrom('1', '2') }, { requiredKeys: [] });
const row = fc.record({ a: word, b: word, o: fc.oneof(word, object) });
const patch = fc.record({ a: word, b: word, o: fc.oneof(word, object) }, { requiredKeys: [] });

describe('a three-way merge', () => {
  it('merges whatever the server merges, to the same', () => {
    fc.assert(
      fc.property(row, row, patch, (base, current, yours) => {
        const theirs = mergeRecord(things, {
          base: { id: 1, version: 1, ...base },
          current: { id: 1, version: 2, ...current },
          patch: yours,
        });
        const ours = threeWay(base, current, yours);
        if (theirs.kind === 'merged') {
          expect(ours.fields).toEqual([]);
          expect(merge(current, ours.patch, true)).toEqual({ ...current, ...theirs.values });
        } else {
          const named = new Set(ours.fields.map((field) => field.split('.')[0]));
          for (const field of named) expect(theirs.fields).toContain(field);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('merges members of objects that the server does not look into', () => {
    const base = { address: { street: 'A', city: 'B', tags: ['x'] }, note: 'n' };
    const current = { address: { street: 'A', city: 'C', tags: ['x'] }, note: 'n' };
    expect(threeWay(base, current, { address: { street: 'D' }, note: 'n2' })).toEqual({
      patch: { address: { street: 'D' }, note: 'n2' },
      fields: [],
    });
    expect(threeWay(base, current, { address: { street: 'D', city: 'E' } })).toEqual({
      patch: { address: { street: 'D' } },
      fields: ['address.city'],
    });
  });

  it('without a base takes all that differs for disputed', () => {
    expect(threeWay(undefined, { a: 1, b: 2 }, { a: 1, b: 3 })).toEqual({ patch: {}, fields: ['b'] });
  });
});

describe('a merge patch', () => {
  it('is what the server’s is', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(object, object, (target, change) => {
        expect(merge(target, change)).toEqual(serversMergePatch(target, change));
      }),
    );
  });
});
