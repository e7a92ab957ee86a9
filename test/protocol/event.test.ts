import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEventBody, encodeEventBody, renderEvent, renderHead } from '../../src/protocol/event.ts';
import { jsonValue, nastyText } from './json-text.ts';

const input = fc.record(
  {
    type: fc.option(nastyText, { nil: undefined }),
    data: jsonValue,
    key: fc.option(nastyText, { nil: undefined }),
    version: fc.option(fc.nat(), { nil: undefined }),
  },
  { noNullPrototype: true },
);
const origin = fc.record(
  { actor: fc.option(nastyText, { nil: undefined }), mutation: fc.option(nastyText, { nil: undefined }) },
  { noNullPrototype: true },
);
const time = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true });

/** Without the members that are undefined, as JSON leaves them out. */
function present(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}

describe('an event', () => {
  it('is read back as it was said, for any JSON value and any text', () => {
    fc.assert(
      fc.property(input, origin, (said, from) => {
        const body = encodeEventBody(said, from);
        expect(decodeEventBody(body)).toEqual(present({ ...said, type: said.type ?? 'message', ...from }));
      }),
      { numRuns: 500 },
    );
  });

  it('is one line of JSON with its members in order, whatever the publisher says', () => {
    fc.assert(
      fc.property(input, origin, nastyText, time, fc.boolean(), (said, from, topic, at, ephemeral) => {
        const id = ephemeral ? undefined : 'k3f0q8s1zd-42';
        const text = renderEvent(id, renderHead(topic, at.getTime()), encodeEventBody(said, from));
        expect(text).not.toMatch(/[\r\n]/);
        const event = JSON.parse(text) as object;
        const whole = { id, topic, time: at.toISOString(), type: said.type ?? 'message', data: said.data };
        expect(event).toEqual(present({ ...whole, key: said.key, ...from, version: said.version }));
        expect(Object.keys(event).slice(0, ephemeral ? 4 : 5)).toEqual(
          ephemeral ? ['topic', 'time', 'type', 'data'] : ['id', 'topic', 'time', 'type', 'data'],
        );
      }),
      { numRuns: 500 },
    );
  });

  it('is well-formed UTF-8 even where a text holds half a character', () => {
    fc.assert(
      fc.property(input, nastyText, (said, topic) => {
        const text = renderEvent('k3f0q8s1zd-42', renderHead(topic, 0), encodeEventBody(said));
        expect(text.isWellFormed()).toBe(true);
      }),
    );
  });

  it('keeps a member named __proto__ in its data as a member', () => {
    const data: unknown = JSON.parse('{"__proto__":{"admin":true},"a":1}');
    const read = decodeEventBody(encodeEventBody({ data })).data as Record<string, unknown>;
    expect(Object.keys(read)).toEqual(['__proto__', 'a']);
    expect(read['admin']).toBeUndefined();
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  });

  it('carries null data', () => {
    expect(decodeEventBody(encodeEventBody({ data: null }))).toEqual({ type: 'message', data: null });
  });
});
