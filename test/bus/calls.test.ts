import { expect, it, onTestFinished } from 'vitest';
import { createCalls, MAX_OUTSTANDING, MAX_SERVING } from '../../src/bus/calls.ts';
import { createLocalHub } from '../support/local-hub.ts';
import { until } from '../support/until.ts';

function open(...names: readonly string[]) {
  const hub = createLocalHub();
  const faults: string[] = [];
  const nodes = names.map((node) => {
    const bus = hub.bus(node);
    const calls = createCalls({
      bus,
      node,
      onFault: (error, operation) => faults.push(`${node} ${operation}: ${error instanceof Error && error.message}`),
    });
    onTestFinished(() => calls.close());
    return calls;
  });
  return { hub, nodes, faults };
}

it('one node answers another, which is told what it said', async () => {
  const { nodes } = open('a', 'b', 'c');
  for (const [index, calls] of nodes.entries()) calls.serve('greet', async (body, from) => ({ body, from, index }));
  const [a] = nodes;
  expect(await a!.call('b', 'greet', { x: 1 }, 1_000)).toEqual({
    ok: true,
    body: { body: { x: 1 }, from: 'a', index: 1 },
  });
  expect(await a!.call('c', 'greet', undefined, 1_000)).toMatchObject({ ok: true, body: { body: null, index: 2 } });
});

it('calls of one moment get each their own answer', async () => {
  const { nodes } = open('a', 'b');
  nodes[1]!.serve('double', async (body) => (body as number) * 2);
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => nodes[0]!.call('b', 'double', n, 1_000)));
  expect(answers).toEqual(Array.from({ length: 100 }, (_, n) => ({ ok: true, body: n * 2 })));
});

it('a node can call itself, without the bus', async () => {
  const { hub, nodes } = open('a');
  nodes[0]!.serve('echo', async (body) => body);
  nodes[0]!.serve('never', () => new Promise(() => {}));
  hub.cut('a');
  expect(await nodes[0]!.call('a', 'echo', 5, 1_000)).toEqual({ ok: true, body: 5 });
  expect(await nodes[0]!.call('a', 'never', 5, 10)).toEqual({ ok: false, reason: 'timeout' });
});

it('a call that nobody answers ends at its time-out', async () => {
  const { nodes, faults } = open('a', 'b');
  nodes[1]!.serve('fail', async () => {
    throw new Error('broken');
  });
  const stop = nodes[1]!.serve('stopped', async () => 1);
  stop();
  for (const [node, operation] of [
    ['nobody', 'x'],
    ['b', 'unknown'],
    ['b', 'fail'],
    ['b', 'stopped'],
  ] as const)
    expect(await nodes[0]!.call(node, operation, null, 20)).toEqual({ ok: false, reason: 'timeout' });
  expect(faults).toEqual(['b fail: broken']);
});

it('an answer that comes too late, or from another node, changes nothing', async () => {
  const { hub, nodes } = open('a', 'b');
  let release = (_: unknown) => {};
  nodes[1]!.serve(
    'slow',
    () =>
      new Promise((resolve) => {
        release = resolve;
      }),
  );
  const forger = hub.bus('forger');
  forger.listen(
    ({ signal }) => {
      if (signal.kind === 'call') forger.send({ kind: 'reply', call: signal.call, to: 'a', body: 'forged' });
    },
    () => {},
  );
  expect(await nodes[0]!.call('b', 'slow', null, 20)).toEqual({ ok: false, reason: 'timeout' });
  release('late');
  nodes[1]!.serve('now', async () => 'right');
  expect(await nodes[0]!.call('b', 'now', null, 1_000)).toEqual({ ok: true, body: 'right' });
});

it('a gathering takes one answer of each other node until its time-out', async () => {
  const { nodes } = open('a', 'b', 'c', 'd');
  for (const [index, calls] of nodes.entries()) if (index !== 3) calls.serve('count', async () => index);
  const start = performance.now();
  const replies = await nodes[0]!.gather('count', null, 60);
  expect(performance.now() - start).toBeGreaterThan(50);
  expect(replies).toEqual([
    { from: 'b', body: 1 },
    { from: 'c', body: 2 },
  ]);
});

it('a gathering that knows how many to expect ends with the last of them', async () => {
  const { nodes } = open('a', 'b', 'c');
  for (const [index, calls] of nodes.entries()) calls.serve('count', async () => index);
  expect(await nodes[0]!.gather('count', null, 600_000, 2)).toHaveLength(2);
  expect(await nodes[0]!.gather('count', null, 600_000, 0)).toEqual([]);
});

it('refuses more calls than it can keep, and closing ends those that wait', async () => {
  const { nodes } = open('a', 'b');
  const waiting = Array.from({ length: MAX_OUTSTANDING }, () => nodes[0]!.call('b', 'x', null, 600_000));
  expect(await nodes[0]!.call('b', 'x', null, 600_000)).toEqual({ ok: false, reason: 'busy' });
  nodes[0]!.close();
  expect(new Set((await Promise.all(waiting)).map((result) => (result.ok ? 'ok' : result.reason)))).toEqual(
    new Set(['timeout']),
  );
});

it('works on a bounded number of calls at once', async () => {
  const { nodes } = open('a', 'b');
  const releases: (() => void)[] = [];
  nodes[1]!.serve('hold', () => new Promise((resolve) => releases.push(() => resolve(null))));
  const waiting = Array.from({ length: MAX_SERVING + 5 }, () => nodes[0]!.call('b', 'hold', null, 600_000));
  await until('it has begun as many as it may', () => releases.length >= MAX_SERVING);
  nodes[1]!.serve('other', async () => 1);
  expect(await nodes[0]!.call('b', 'other', null, 20)).toEqual({ ok: false, reason: 'timeout' });
  expect(releases).toHaveLength(MAX_SERVING);
  for (const release of releases) release();
  expect((await Promise.all(waiting.slice(0, MAX_SERVING))).every(({ ok }) => ok)).toBe(true);
  expect(await nodes[0]!.call('b', 'other', null, 1_000)).toEqual({ ok: true, body: 1 });
});

it('an operation is served once', () => {
  const { nodes } = open('a');
  nodes[0]!.serve('x', async () => 1);
  expect(() => nodes[0]!.serve('x', async () => 2)).toThrow(RangeError);
});
