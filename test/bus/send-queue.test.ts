import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { BusSignal } from '../../src/bus/bus.ts';
import { createSendQueue, MAX_WAIT_MS, MAX_WAITING } from '../../src/bus/send-queue.ts';
import { decodeSignal, MAX_APPENDED_LENGTH } from '../../src/bus/signal.ts';

const seq = fc.integer({ min: 0, max: 1_000 });
const topic = fc.constantFrom('a', 'b', 'c', 'é😀');
const signal: fc.Arbitrary<BusSignal> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('appended' as const, 'presence' as const),
    heads: fc.array(fc.tuple(topic, seq), { minLength: 1 }),
  }),
  fc.constant({ kind: 'revoked' } as const),
  fc.record({
    kind: fc.constant('call' as const),
    call: fc.constant('c'),
    operation: fc.constant('o'),
    body: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown),
  }),
);

function highest(signals: readonly (BusSignal | undefined)[]): ReadonlyMap<string, number> {
  const heads = new Map<string, number>();
  for (const each of signals)
    if (each?.kind === 'appended' || each?.kind === 'presence')
      for (const [name, at] of each.heads) {
        const of = `${each.kind} ${name}`;
        heads.set(of, Math.max(at, heads.get(of) ?? 0));
      }
  return heads;
}

const texts = (signals: readonly (BusSignal | undefined)[]) => signals.filter((each) => each?.kind === 'call');

it('says everything that matters, in order, however it is taken and whatever fails meanwhile', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(signal, fc.constantFrom('none', 'take', 'fail'), fc.integer({ min: 1, max: 300 }))),
      (steps) => {
        const queue = createSendQueue(() => 0);
        const said: (BusSignal | undefined)[] = [];
        let failed = 0;
        for (const [each, action, length] of steps) {
          queue.push(each);
          if (action === 'none') continue;
          const taken = queue.take(length);
          if (action === 'take') said.push(...taken.map(({ text }) => decodeSignal(text)));
          else {
            failed += taken.filter(({ hint }) => hint === undefined).length;
            queue.putBack(taken);
          }
        }
        while (!queue.empty) said.push(...queue.take(1).map(({ text }) => decodeSignal(text)));
        const sent = steps.map(([each]) => each);
        expect(said).not.toContain(undefined);
        expect(highest(said)).toEqual(highest(sent));
        expect(said.some((each) => each?.kind === 'revoked')).toBe(sent.some((each) => each.kind === 'revoked'));
        expect(queue.dropped).toBe(failed);
        expect(texts(said).length).toBe(texts(sent).length - failed);
        if (failed === 0) expect(texts(said)).toEqual(texts(sent));
      },
    ),
  );
});

it('cuts heads into signals that each fit one notification', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 200 }), seq), { minLength: 1 }), (heads) => {
      const queue = createSendQueue(() => 0);
      queue.push({ kind: 'appended', heads });
      for (const { text } of queue.take(Number.POSITIVE_INFINITY))
        expect(text.length).toBeLessThanOrEqual(MAX_APPENDED_LENGTH);
    }),
  );
});

it('keeps to its bound in number by dropping the oldest, and counts', () => {
  const queue = createSendQueue(() => 0);
  for (let n = 0; n < MAX_WAITING + 10; n += 1) queue.push({ kind: 'call', call: `${n}`, operation: 'o', body: null });
  expect(queue.dropped).toBe(10);
  const [first] = queue.take(1);
  expect(decodeSignal(first?.text ?? '')).toMatchObject({ call: '10' });
  expect(queue.take(Number.POSITIVE_INFINITY)).toHaveLength(MAX_WAITING - 1);
  expect(queue.empty).toBe(true);
});

it('keeps to its bound in length, for texts and for heads', () => {
  const queue = createSendQueue(() => 0);
  const body = 'x'.repeat(1024 * 1024);
  for (let n = 0; n < 40; n += 1) queue.push({ kind: 'call', call: `${n}`, operation: 'o', body });
  expect(queue.dropped).toBe(25);
  const long = 'y'.repeat(500);
  for (let n = 0; n < 20_000; n += 1) queue.push({ kind: 'appended', heads: [[`${long}${n}`, 1]] });
  const taken = queue.take(Number.POSITIVE_INFINITY);
  expect(taken.every(({ hint }) => hint !== undefined)).toBe(true);
  const heads = taken.reduce((sum, { hint }) => sum + (hint?.kind === 'appended' ? hint.heads.length : 0), 0);
  expect(heads).toBeLessThan(6_000);
  expect(queue.dropped).toBe(40 + 20_000 - heads);
});

it('does not say late what is only for now, and says hints however late', () => {
  let clock = 0;
  const queue = createSendQueue(() => clock);
  queue.push({ kind: 'call', call: 'c', operation: 'o', body: null });
  queue.push({ kind: 'revoked' });
  clock = MAX_WAIT_MS + 1;
  queue.push({ kind: 'call', call: 'd', operation: 'o', body: null });
  expect(queue.take(Number.POSITIVE_INFINITY).map(({ text }) => decodeSignal(text))).toEqual([
    { kind: 'revoked' },
    { kind: 'call', call: 'd', operation: 'o', body: null },
  ]);
  expect(queue.dropped).toBe(1);
});
