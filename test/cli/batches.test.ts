import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBackoff } from '../../src/cli/backoff.ts';
import { type Batch, createBatches } from '../../src/cli/batches.ts';
import { type InputMode, linesOf, readLine } from '../../src/cli/publish-input.ts';
import { retryAfter } from '../../src/cli/server.ts';

const limits = { events: 5, bytes: 200, lingerMs: 10 };

describe('batches', () => {
  test('whatever the pieces, everything comes out once, in order, within the limits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.string({ maxLength: 90 }), { maxLength: 12 })), async (pieces) => {
        const batches = createBatches(() => 0, limits);
        const feeding = (async () => {
          for (const piece of pieces) {
            batches.add(piece);
            await batches.space();
          }
          batches.end();
        })();
        const taken: Batch[] = [];
        for (let batch = await batches.next(); batch !== undefined; batch = await batches.next()) taken.push(batch);
        await feeding;
        expect(taken.flatMap(({ bodies }) => bodies)).toEqual(pieces.flat());
        let first = 1;
        for (const batch of taken) {
          expect(batch.first).toBe(first);
          first += batch.bodies.length;
          expect(batch.bodies.length).toBeLessThanOrEqual(limits.events);
          const bytes = batch.bodies.reduce((sum, body) => sum + Buffer.byteLength(body) + 1, 0);
          expect(batch.bodies.length === 1 || bytes <= limits.bytes).toBe(true);
        }
      }),
    );
  });

  test('an event waits for others only so long', async () => {
    const batches = createBatches(() => performance.now(), { ...limits, lingerMs: 50 });
    const begin = performance.now();
    batches.add(['a']);
    expect(await batches.next()).toEqual({ bodies: ['a'], first: 1 });
    expect(performance.now() - begin).toBeGreaterThanOrEqual(49);
  });

  test('a source that is faster than the server is asked to wait', async () => {
    const batches = createBatches(() => 0, limits);
    batches.add(Array.from({ length: 12 }, String));
    let space = false;
    const waiting = batches.space().then(() => {
      space = true;
    });
    await new Promise(setImmediate);
    expect(space).toBe(false);
    await batches.next();
    await waiting;
    expect(batches.waiting).toBe(7);
  });
});

describe('lines', () => {
  const options = { type: undefined, key: undefined, ephemeral: false };
  const read = (line: string, mode: InputMode) => {
    const result = readLine(line, mode, options);
    return result.ok ? JSON.parse(result.body) : result.reason;
  };

  test('are JSON where they can be, and strings where not', () => {
    expect(read('{"a":1}', 'auto')).toEqual({ type: 'message', data: { a: 1 } });
    expect(read('GET / 200', 'auto')).toEqual({ type: 'message', data: 'GET / 200' });
    expect(read('42', 'auto').data).toBe(42);
    expect(read('42', 'text').data).toBe('42');
    expect(read('null', 'json').data).toBe(null);
    expect(read('nil', 'json')).toBe('it is not JSON');
    expect(read('['.repeat(65) + ']'.repeat(65), 'json')).toContain('too deep');
  });

  test('can be whole events, of which only what a publisher may say is taken', () => {
    const event = { id: 'x-1', topic: 't', time: 'now', actor: 'ada', type: 'said', key: 'k', version: 2, data: 1 };
    expect(read(JSON.stringify(event), 'events')).toEqual({ type: 'said', data: 1, key: 'k', version: 2 });
    expect(read('{"type":"x"}', 'events')).toContain('"data"');
    expect(read('nonsense', 'events')).toContain('"data"');
  });

  test('survive any way of cutting the bytes', async () => {
    const line = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => !/[\n\r]/.test(text) && text.trim() !== '');
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat({ max: 200 })), async (lines, cuts) => {
        const bytes = Buffer.from(lines.join('\n'));
        const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        async function* pieces() {
          for (const [index, from] of at.entries()) yield bytes.subarray(from, at[index + 1] ?? bytes.length);
        }
        const read: string[] = [];
        for await (const some of linesOf(pieces())) read.push(...some);
        expect(read).toEqual(lines.map((each) => each.replace(/^\uFEFF/, '')));
      }),
    );
  });
});

describe('waiting before the next try', () => {
  test('doubles from a quarter of a second to ten, half of it by chance, and begins again after success', () => {
    const longest = createBackoff(() => 1 - Number.EPSILON);
    expect([1, 2, 3, 4, 5, 6, 7, 8].map(() => longest.next())).toEqual([
      250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000,
    ]);
    longest.reset();
    expect(longest.next()).toBe(250);
    expect(createBackoff(() => 0).next()).toBe(125);
  });

  test('is never shorter than what the server asked for', () => {
    expect(createBackoff(() => 0).next(3000)).toBe(3000);
  });

  test('Retry-After is seconds or a date', () => {
    expect(retryAfter('2')).toBe(2000);
    expect(retryAfter(new Date(5000).toUTCString(), () => 2000)).toBe(3000);
    expect(retryAfter(new Date(1000).toUTCString(), () => 2000)).toBe(0);
    expect(retryAfter('soon')).toBeUndefined();
    expect(retryAfter(null)).toBeUndefined();
  });
});
