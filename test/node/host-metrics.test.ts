import { cpus, totalmem } from 'node:os';
import { afterEach, expect, it, vi } from 'vitest';
import { HOST_METRICS_TOPIC, type HostMetrics, startHostMetrics } from '../../src/node/host-metrics.ts';
import type { EventInput } from '../../src/protocol/event.ts';

let running: { stop(): void } | undefined;

afterEach(() => {
  running?.stop();
  running = undefined;
});

/** Keeps the process busy for so many ms. */
function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Lets a timer with the interval of these tests run so many times, so that theirs would have run as often. */
async function intervals(count: number): Promise<void> {
  let passed = 0;
  const timer = setInterval(() => {
    passed += 1;
  }, 5);
  await vi.waitFor(() => expect(passed).toBeGreaterThanOrEqual(count), { interval: 5 });
  clearInterval(timer);
}

it('publishes real numbers of this machine to host:metrics', async () => {
  const published: { topic: string; event: EventInput }[] = [];
  running = startHostMetrics({
    intervalMs: 50,
    publish: async (topic, event) => published.push({ topic, event }),
    extra: () => ({ streams: 7 }),
  });
  spin(60);
  await vi.waitFor(() => expect(published.length).toBeGreaterThanOrEqual(3), { timeout: 5000 });
  for (const { topic, event } of published) {
    expect(topic).toBe(HOST_METRICS_TOPIC);
    expect(event.type).toBe('metrics');
    const data = event.data as HostMetrics;
    expect(event.key).toBe(data.host);
    expect(data.cpu.cores).toHaveLength(cpus().length);
    for (const value of [data.cpu.total, ...data.cpu.cores]) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(100);
    }
    expect(data.load).toHaveLength(3);
    expect(data.memory.total).toBe(totalmem());
    expect(data.memory.used).toBeGreaterThan(0);
    expect(data.memory.used).toBeLessThanOrEqual(data.memory.total);
    expect(data.process.rss).toBeGreaterThan(1e6);
    expect(data.process.cpu).toBeGreaterThanOrEqual(0);
    expect(data.server).toEqual({ streams: 7 });
    // What JSON cannot carry would arrive as null.
    expect(JSON.parse(JSON.stringify(data))).toEqual(data);
  }
  // The process was busy before the first reading, for longer than the interval.
  const first = published[0]!.event.data as HostMetrics;
  expect(first.process.cpu).toBeGreaterThan(0);
});

it('sees how late the event loop is', async () => {
  const delays: number[] = [];
  running = startHostMetrics({
    intervalMs: 100,
    publish: async (_, event) => delays.push((event.data as HostMetrics).loop.max),
  });
  await vi.waitFor(() => expect(delays.length).toBeGreaterThanOrEqual(1), { timeout: 5000 });
  spin(200);
  await vi.waitFor(() => expect(Math.max(...delays)).toBeGreaterThan(100), { timeout: 5000 });
});

it('has one publish in flight at most, and goes on when it has ended', async () => {
  let inFlight = 0;
  let most = 0;
  let calls = 0;
  let release = (): void => {};
  running = startHostMetrics({
    intervalMs: 5,
    publish: async () => {
      calls += 1;
      inFlight += 1;
      most = Math.max(most, inFlight);
      if (calls === 1)
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      inFlight -= 1;
    },
  });
  await vi.waitFor(() => expect(calls).toBe(1));
  await intervals(10);
  expect(calls).toBe(1);
  release();
  await vi.waitFor(() => expect(calls).toBeGreaterThan(3));
  expect(most).toBe(1);
});

it('reports a row of failures once, and goes on', async () => {
  const reported: unknown[] = [];
  let calls = 0;
  running = startHostMetrics({
    intervalMs: 5,
    onFault: (error) => reported.push(error),
    publish: async () => {
      calls += 1;
      if (calls < 5 || (calls > 6 && calls < 10)) throw new Error(`down ${calls}`);
    },
  });
  await vi.waitFor(() => expect(calls).toBeGreaterThan(10));
  expect(reported.map(String)).toEqual(['Error: down 1', 'Error: down 7']);
});

it('stops', async () => {
  let calls = 0;
  const metrics = startHostMetrics({
    intervalMs: 5,
    publish: async () => {
      calls += 1;
    },
  });
  await vi.waitFor(() => expect(calls).toBeGreaterThan(0));
  metrics.stop();
  const then = calls;
  await intervals(10);
  expect(calls).toBe(then);
});
