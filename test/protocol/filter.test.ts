import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileFilters,
  FILTER_OPERATORS,
  type Filter,
  formatFilter,
  MAX_FILTER_LENGTH,
  MAX_FILTER_VALUES,
  parseFilter,
  valueAt,
} from '../../src/protocol/filter.ts';
import { jsonValue, nastyText } from './json-text.ts';

const name = nastyText.map((text) => text.replace(/[.=]/g, '')).filter((text) => text !== '');
const path = fc.array(fc.oneof(fc.constantFrom('a', 'b', '__proto__', 'constructor', '0'), name), {
  minLength: 1,
  maxLength: 3,
});
const value = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '1',
    '10',
    '-1',
    '1.5',
    '1e3',
    ' 1',
    'true',
    'false',
    'null',
    'abc',
    'a,b',
    '(a)',
    '"',
    '\\',
    'é😀',
    'Infinity',
    'NaN',
  ),
  nastyText,
);
const filter: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    path,
    operator: fc.constantFrom('eq', 'neq', 'gt', 'gte', 'lt', 'lte' as const),
    values: value.map((each) => [each]),
  }),
  fc.record({ path, operator: fc.constant('in' as const), values: fc.array(value, { minLength: 1, maxLength: 5 }) }),
  fc.record({
    path,
    operator: fc.constant('is' as const),
    values: fc.constantFrom(['null'], ['not_null'], ['true'], ['false']),
  }),
) as fc.Arbitrary<Filter>;

const field = fc.oneof(
  fc.constant(undefined),
  fc.constant(null),
  fc.boolean(),
  fc.constantFrom(0, 1, 10, -1, 1.5, 1000),
  fc.constantFrom('', '0', '1', '10', 'true', 'abc', 'a,b', 'null', 'é😀'),
  fc.constantFrom([], {}, [1], { a: 1 }),
);

/** What a filter means, said plainly: three outcomes of a comparison, and what each operator makes of them. */
function holds(operator: Filter['operator'], values: readonly string[], actual: unknown): boolean {
  const [first = ''] = values;
  if (operator === 'is') {
    if (first === 'null') return actual === null || actual === undefined;
    if (first === 'not_null') return actual !== null && actual !== undefined;
    return actual === (first === 'true');
  }
  if (actual === null || actual === undefined) return false;
  const order = (text: string): '<' | '=' | '>' | 'none' => {
    const pick = <Each extends number | string>(left: Each, right: Each) =>
      left < right ? '<' : left > right ? '>' : '=';
    if (typeof actual === 'string') return pick(actual, text);
    if (typeof actual === 'number') {
      const other = text.trim() === '' ? Number.NaN : Number(text);
      return Number.isNaN(other) ? 'none' : pick(actual, other);
    }
    if (typeof actual === 'boolean')
      return text === 'true' ? pick(Number(actual), 1) : text === 'false' ? pick(Number(actual), 0) : 'none';
    return 'none';
  };
  const found = order(first);
  switch (operator) {
    case 'eq':
      return found === '=';
    case 'neq':
      return found !== '=';
    case 'gt':
      return found === '>';
    case 'gte':
      return found === '>' || found === '=';
    case 'lt':
      return found === '<';
    case 'lte':
      return found === '<' || found === '=';
    case 'in':
      return values.some((each) => order(each) === '=');
  }
}

describe('the text of a filter', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(filter, (each) => {
        const text = formatFilter(each);
        if (text.length <= MAX_FILTER_LENGTH) expect(parseFilter(text)).toEqual(each);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is read or refused, whatever it is, and what is read means the same when written again', () => {
    const near = fc
      .tuple(nastyText, fc.constantFrom(...FILTER_OPERATORS, 'like'), nastyText)
      .map(([left, operator, right]) => `${left}=${operator}.${right}`);
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (text) => {
        const read = parseFilter(text);
        if (read === undefined) return;
        expect(read.path.every((part) => part !== '')).toBe(true);
        const again = formatFilter(read);
        if (again.length <= MAX_FILTER_LENGTH) expect(parseFilter(again)).toEqual(read);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is what the protocol shows', () => {
    expect(parseFilter('price=gte.10')).toEqual({ path: ['price'], operator: 'gte', values: ['10'] });
    expect(parseFilter('a.b=eq.x=y.z')).toEqual({ path: ['a', 'b'], operator: 'eq', values: ['x=y.z'] });
    expect(parseFilter('state=in.(open,"a,b","\\"")')).toEqual({
      path: ['state'],
      operator: 'in',
      values: ['open', 'a,b', '"'],
    });
    expect(parseFilter('state=in.open,paid')?.values).toEqual(['open', 'paid']);
    expect(parseFilter('a=eq.')?.values).toEqual(['']);
  });

  it('is refused when malformed or beyond a limit', () => {
    for (const bad of [
      '',
      'a',
      'a=',
      'a=eq',
      '=eq.1',
      'a=like.1',
      'a..b=eq.1',
      '.a=eq.1',
      'a=is.1',
      'a=in.("x',
      'a=in.("x"y)',
      'a=in.(x"y)',
      'a=EQ.1',
      'a.eq.1',
      'a.b',
    ])
      expect(parseFilter(bad)).toBeUndefined();
    expect(parseFilter(`a=eq.${'x'.repeat(MAX_FILTER_LENGTH)}`)).toBeUndefined();
    expect(parseFilter(`a=in.(${'x,'.repeat(MAX_FILTER_VALUES - 1)}x)`)?.values).toHaveLength(MAX_FILTER_VALUES);
    expect(parseFilter(`a=in.(${'x,'.repeat(MAX_FILTER_VALUES)}x)`)).toBeUndefined();
  });
});

describe('a filter', () => {
  it('holds exactly when the model says so', () => {
    fc.assert(
      fc.property(filter, field, (each, actual) => {
        const data = actual === undefined ? {} : { a: actual };
        expect(compileFilters([{ ...each, path: ['a'] }])(data)).toBe(holds(each.operator, each.values, actual));
      }),
      { numRuns: 3_000 },
    );
  });

  it('treats a missing or null field as SQL does: only is.null holds', () => {
    for (const data of [{}, { a: null }, null, 5, [], 'a'])
      for (const text of [
        'a=eq.1',
        'a=neq.1',
        'a=gt.1',
        'a=gte.1',
        'a=lt.1',
        'a=lte.1',
        'a=in.(1,null)',
        'a=eq.null',
        'a=is.not_null',
        'a=is.true',
        'a=is.false',
      ])
        expect(compileFilters([parseFilter(text)!])(data)).toBe(false);
    expect(compileFilters([parseFilter('a=is.null')!])({})).toBe(true);
  });

  it('that is one of several must hold with all the others', () => {
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 4 }), jsonValue, (filters, data) => {
        expect(compileFilters(filters)(data)).toBe(filters.every((each) => compileFilters([each])(data)));
      }),
    );
  });

  it('sees own members only, whatever they are called', () => {
    for (const inherited of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'constructor.name'])
      for (const data of [{}, [], 'text', 1, null])
        expect(compileFilters([parseFilter(`${inherited}=is.not_null`)!])(data)).toBe(false);
    const own: unknown = JSON.parse('{"__proto__":{"a":1},"constructor":2}');
    expect(valueAt(own, ['__proto__', 'a'])).toBe(1);
    expect(compileFilters([parseFilter('constructor=eq.2')!])(own)).toBe(true);
  });

  it('answers for any filter and any data', () => {
    fc.assert(
      fc.property(filter, jsonValue, (each, data) => {
        expect(typeof compileFilters([each])(data)).toBe('boolean');
      }),
    );
  });
});
