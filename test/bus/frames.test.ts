import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  createAssembler,
  FRAME_LENGTH,
  MAX_PARTS,
  MAX_PENDING_LENGTH,
  MAX_PENDING_MS,
  MAX_PENDING_SENDERS,
  toFrames,
} from '../../src/bus/frames.ts';

const text = fc
  .tuple(fc.integer({ min: 0, max: 3 * FRAME_LENGTH }), fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 9 }))
  .map(([length, unit]) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length));

function collect(now = () => 0) {
  const whole: (readonly [string, string])[] = [];
  const assembler = createAssembler('me', now, (from, content) => whole.push([from, content]) > 0);
  return { whole, assembler };
}

it('what is cut is put together again, when the frames of several senders come mixed', () => {
  fc.assert(
    fc.property(
      fc.array(text, { maxLength: 5 }),
      fc.array(text, { maxLength: 5 }),
      fc.infiniteStream(fc.boolean()),
      (first, second, choices) => {
        const { whole, assembler } = collect();
        const queues = [first, second].map((texts, sender) =>
          texts.flatMap((each, index) => toFrames(`n${sender}`, index + 1, each) ?? []),
        );
        for (const frame of queues.flat()) expect(frame.length).toBeLessThan(8_000);
        for (const choice of choices) {
          const queue = queues[choice ? 0 : 1]?.length ? queues[choice ? 0 : 1] : queues[choice ? 1 : 0];
          const frame = queue?.shift();
          if (frame === undefined) break;
          assembler.push(frame);
        }
        for (const [sender, texts] of [first, second].entries())
          expect(whole.filter(([from]) => from === `n${sender}`).map(([, content]) => content)).toEqual(texts);
        expect([assembler.malformed, assembler.incomplete]).toEqual([0, 0]);
      },
    ),
  );
});

it('nothing comes out changed when frames are lost, doubled or out of order', () => {
  fc.assert(
    fc.property(
      fc.array(text, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(40), { maxLength: 40 }),
      (texts, picks) => {
        const { whole, assembler } = collect();
        const frames = texts.flatMap((each, index) => toFrames('n', index + 1, `${index}|${each}`) ?? []);
        for (const pick of picks) assembler.push(frames[pick % frames.length] ?? '');
        const sent = new Set(texts.map((each, index) => `${index}|${each}`));
        for (const [, content] of whole) expect(sent.has(content)).toBe(true);
      },
    ),
  );
});

it('any text at all is either a frame or malformed, never a fault', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string().map((rest) => `s1 n 1 0/2 ${rest}`),
        fc.stringMatching(/^s1 [n ]{1,3} [0-9]{1,3} [0-9]\/[0-9] .*$/),
      ),
      (payload) => {
        const { assembler } = collect();
        expect(() => assembler.push(payload)).not.toThrow();
        expect(assembler.malformed).toBeLessThanOrEqual(1);
      },
    ),
  );
});

it('passes over its own frames', () => {
  const { whole, assembler } = collect();
  for (const frame of toFrames('me', 1, 'hello') ?? []) assembler.push(frame);
  expect(whole).toEqual([]);
  expect(assembler.malformed).toBe(0);
});

it('does not cut what would take too many frames', () => {
  expect(toFrames('n', 1, 'x'.repeat(MAX_PARTS * FRAME_LENGTH))).toHaveLength(MAX_PARTS);
  expect(toFrames('n', 1, 'x'.repeat(MAX_PARTS * FRAME_LENGTH + 1))).toBeUndefined();
});

it('holds the unfinished signals of a bounded number of senders, and lets the oldest go', () => {
  const { whole, assembler } = collect();
  for (let n = 0; n <= MAX_PENDING_SENDERS; n += 1) assembler.push(`s1 n${n} 1 0/2 a`);
  expect(assembler.incomplete).toBe(1);
  for (let n = 0; n <= MAX_PENDING_SENDERS; n += 1) assembler.push(`s1 n${n} 1 1/2 b`);
  expect(whole.map(([from]) => from)).not.toContain('n0');
  expect(whole).toHaveLength(MAX_PENDING_SENDERS);
});

it('holds a bounded length, and lets go what passes it', () => {
  const { assembler } = collect();
  const part = 'x'.repeat(FRAME_LENGTH);
  const perSender = MAX_PARTS - 1;
  let pushed = 0;
  for (let n = 0; n < 5; n += 1)
    for (let index = 0; index < perSender; index += 1) {
      assembler.push(`s1 n${n} 1 ${index}/${MAX_PARTS} ${part}`);
      pushed += part.length;
    }
  expect(pushed).toBeGreaterThan(MAX_PENDING_LENGTH);
  expect(assembler.incomplete).toBe(1);
});

it('forgets what is unfinished for too long, or when the line was cut', () => {
  let clock = 0;
  const { whole, assembler } = collect(() => clock);
  assembler.push('s1 a 1 0/2 a');
  clock = MAX_PENDING_MS + 1;
  assembler.push('s1 b 1 0/2 b');
  expect(assembler.incomplete).toBe(1);
  assembler.reset();
  expect(assembler.incomplete).toBe(2);
  assembler.push('s1 b 1 1/2 b');
  expect(whole).toEqual([]);
});
