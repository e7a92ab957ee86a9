import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createRealtime, type Realtime } from '../../src/http/realtime.ts';
import { createListener, type Listener } from '../../src/node/listener.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { SECRET, signHs256 } from '../auth/issuer.ts';
import { endAll, linesOf, run, start } from './run.ts';

describe('sluice replay', { timeout: 60_000 }, () => {
  let realtime: Realtime;
  let listener: Listener;
  let env: { SLUICE_URL: string; SLUICE_TOKEN: string };
  beforeAll(async () => {
    realtime = createRealtime({ store: createMemoryStore(), auth: { secret: SECRET } });
    await realtime.started;
    listener = createListener(realtime.fetch);
    await listener.listen({ port: 0, host: '127.0.0.1' });
    const token = await signHs256({ sub: 'a', sluice: { subscribe: ['**'], publish: ['**'] } });
    env = { SLUICE_URL: listener.url, SLUICE_TOKEN: token };
  });
  afterEach(endAll);
  afterAll(async () => {
    listener.destroy();
    await realtime.close();
  });

  async function publish(topic: string, body: string): Promise<string> {
    const response = await fetch(`${env.SLUICE_URL}/v1/topics/${encodeURIComponent(topic)}/events`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${env.SLUICE_TOKEN}` },
      body,
    });
    if (response.status !== 201) throw new Error(await response.text());
    return ((await response.json()) as { cursor: string }).cursor;
  }
  async function eventsOf(topic: string): Promise<any[]> {
    const response = await fetch(`${env.SLUICE_URL}/v1/topics/${topic}/events?format=json&limit=1000`, {
      headers: { Authorization: `Bearer ${env.SLUICE_TOKEN}` },
    });
    return ((await response.json()) as { events: any[] }).events;
  }

  test('prints what a topic has, over many pages, each event as it was sent', async () => {
    const text = 'brackets ]}[{ and a "quote\\" in text';
    const many = Array.from({ length: 999 }, (_, n) => ({ data: { n, text, list: [[], [{}]] } }));
    await publish('many', '{"data":{"n":12345678901234567890,"x":1.10},"key":"k","type":"said"}');
    await publish('many', JSON.stringify(many));
    const { code, stdout, stderr } = await run(['replay', 'many', '--from', 'earliest', '--speed', 'max'], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = linesOf(stdout);
    expect(lines).toHaveLength(1000);
    expect(lines[0]).toContain('"data":{"n":12345678901234567890,');
    const events = lines.slice(1).map((line) => JSON.parse(line));
    expect(events.map(({ data }) => data)).toEqual(many.map(({ data }) => data));
  });

  test('begins after a cursor or at a time, and ends at a time', async () => {
    const first = await publish('times', '{"data":1}');
    await new Promise((resolve) => setTimeout(resolve, 5));
    await publish('times', '{"data":2}');
    await new Promise((resolve) => setTimeout(resolve, 5));
    await publish('times', '{"data":3}');
    const [one, two] = (await eventsOf('times')).map(({ time }) => time);
    const data = async (...args: string[]) => {
      const { stdout } = await run(['replay', 'times', '--speed', 'max', ...args], { env });
      return linesOf(stdout).map((line) => JSON.parse(line).data);
    };
    expect(await data('--from', first)).toEqual([2, 3]);
    expect(await data('--from', two)).toEqual([2, 3]);
    expect(await data('--from', one, '--to', two)).toEqual([1, 2]);
    expect(await data('--from', '1h')).toEqual([1, 2, 3]);
    expect(await data('--from', '1h', '--to', '30m')).toEqual([]);
  });

  test('publishes to another topic with type, key and data as they were, and prints the cursors', async () => {
    const inputs = Array.from({ length: 700 }, (_, n) => ({ type: `t${n % 3}`, key: `k${n}`, data: { n } }));
    await publish('from', JSON.stringify(inputs));
    const args = ['replay', 'from', '--from', 'earliest', '--speed', 'max', '--into', 'copy'];
    const { code, stdout, stderr } = await run(args, { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const copied = await eventsOf('copy');
    expect(copied.map(({ type, key, data }) => ({ type, key, data }))).toEqual(inputs);
    expect(linesOf(stdout).at(-1)).toBe(copied.at(-1).id);
  });

  test('says why the server does not take what is published', async () => {
    await publish('source', '[{"data":1},{"data":2}]');
    const token = await signHs256({ sub: 'b', sluice: { subscribe: ['**'] } });
    const args = ['replay', 'source', '--from', 'earliest', '--into', 'other'];
    expect(await run(args, { env: { ...env, SLUICE_TOKEN: token } })).toMatchObject({
      code: 3,
      stderr: 'sluice: Not allowed; 0 events were published\n',
    });
    expect(
      await run(['replay', 'source', '--from', 'earliest'], { env: { SLUICE_URL: env.SLUICE_URL } }),
    ).toMatchObject({
      code: 3,
    });
  });

  test('does not understand a replay without an end, without a start, or of no speed', async () => {
    for (const args of [
      ['times', '--from', 'earliest', '--into', 'times'],
      ['times'],
      ['times', '--from', 'latest'],
      ['times', '--from', 'yesterday'],
      ['times', '--from', 'earliest', '--to', 'x'],
      ['times', '--from', 'earliest', '--speed', '0'],
      ['times', '--from', 'earliest', '--speed', '-1'],
    ])
      expect((await run(['replay', ...args], { env })).code, args.join(' ')).toBe(2);
  });

  describe('of events that lie apart', () => {
    const START = Date.UTC(2030, 0, 1);
    const requests: string[] = [];
    let answers: (() => { status: number; body: string })[] = [];
    const server = createServer((request, response) => {
      requests.push(request.url ?? '');
      const { status, body } = answers.shift()?.() ?? { status: 500, body: '' };
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
    });
    let wire: { SLUICE_URL: string };
    beforeAll(async () => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      wire = { SLUICE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    });
    afterAll(() => {
      server.closeAllConnections();
      server.close();
    });
    const page = (seconds: readonly number[], rest: object = {}) => {
      const events = seconds.map((second) => ({
        id: `abcdefghij-${second + 1}`,
        topic: 't',
        time: new Date(START + second * 1000).toISOString(),
        type: 'message',
        data: second,
      }));
      const body = JSON.stringify({ events, cursor: `abcdefghij-${(seconds.at(-1) ?? 0) + 1}`, more: false, ...rest });
      return () => ({ status: 200, body });
    };

    test('keeps the pauses between them, divided by the speed, also from page to page', async () => {
      answers = [page([0, 0, 3600], { more: true }), page([7200])];
      const running = start(['replay', 't', '--from', 'earliest', '--speed', '7200'], wire);
      const seen: number[] = [];
      for (const count of [2, 3, 4]) {
        await running.until(({ stdout }) => linesOf(stdout()).length >= count);
        seen.push(performance.now());
      }
      expect((await running.ended).code).toBe(0);
      // An hour is half a second; what the machine adds only makes it longer, and the last is counted from the first.
      expect(seen[1]! - seen[0]!).toBeGreaterThan(350);
      expect(seen[2]! - seen[0]!).toBeGreaterThan(850);
      expect(requests.at(-1)).toContain('after=abcdefghij-3601');
    });

    test('ends cleanly at Ctrl-C, in the middle of a pause', async () => {
      answers = [page([0, 86_400])];
      const running = start(['replay', 't', '--from', 'earliest'], wire);
      await running.until(({ stdout }) => linesOf(stdout()).length === 1);
      running.child.kill('SIGINT');
      expect(await running.ended).toMatchObject({ code: 130, stderr: '' });
    });

    test('tells of what retention has let go, and goes on after a failure of the server', async () => {
      const gap = {
        topic: 't',
        requested: 'abcdefghij-0',
        oldest: 'abcdefghij-5',
        latest: 'abcdefghij-6',
        reason: 'expired',
      };
      const failure = () => ({ status: 503, body: '' });
      answers = [failure, page([5], { gap })];
      const ended = await run(['replay', 't', '--from', 'earliest'], { env: wire });
      expect(ended.code).toBe(0);
      expect(linesOf(ended.stdout)).toHaveLength(1);
      expect(ended.stderr).toContain('trying again');
      expect(ended.stderr).toContain('GAP in t');
      answers = [failure];
      expect((await run(['replay', 't', '--from', 'earliest', '--no-retry'], { env: wire })).code).toBe(4);
      answers = [() => ({ status: 200, body: '{"hello":1}' })];
      expect((await run(['replay', 't', '--from', 'earliest'], { env: wire })).code).toBe(1);
    });

    test('takes an event of megabytes', async () => {
      const long = `${'\\"x]'.repeat(500_000)}`;
      const body = `{"events":[{"time":"2030-01-01T00:00:00.000Z","data":"${long}"}],"cursor":"abcdefghij-1","more":false}`;
      answers = [() => ({ status: 200, body })];
      const { code, stdout } = await run(['replay', 't', '--from', 'earliest'], { env: wire });
      expect(code).toBe(0);
      expect(stdout).toBe(`{"time":"2030-01-01T00:00:00.000Z","data":"${long}"}\n`);
    });
  });
});
