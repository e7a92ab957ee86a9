import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { endAll, eventually, linesOf, run, start, whereNobodyListens } from './run.ts';
import { startWireServer, type WireServer } from './wire-server.ts';

describe('sluice tail', { timeout: 60_000 }, () => {
  let server: WireServer;
  let directory = '';
  let env: { SLUICE_URL: string };
  beforeAll(async () => {
    server = await startWireServer();
    env = { SLUICE_URL: server.url };
    directory = await mkdtemp(join(tmpdir(), 'sluice-tail-'));
  });
  afterEach(() => {
    endAll();
    server.refuse = undefined;
    server.heartbeat = 25;
  });
  afterAll(async () => {
    await server.close();
    await rm(directory, { recursive: true });
  });
  const open = (count = 1) => eventually(() => server.streams.size === count, `${count} streams are open`);
  const cut = () => {
    for (const stream of server.streams) stream.destroy();
  };
  const fill = (topic: string, count: number) => {
    for (let index = 1; index <= count; index += 1) server.publish(topic, index);
  };
  const dataOf = (stdout: string) => linesOf(stdout).map((line) => JSON.parse(line).data);

  test('prints events as they come, one line of JSON each, as the server sent them', async () => {
    fill('json', 1);
    const running = start(['tail', 'json', '--json', '--count', '2'], env);
    await open();
    const events = [server.publish('json', { b: 'ü\u2028' }), server.publish('json', null, { key: 'k' })];
    const ended = await running.ended;
    expect(ended).toEqual({
      code: 0,
      stdout: events.map((event) => `${JSON.stringify(event)}\n`).join(''),
      stderr: '',
    });
  });

  test('prints time, topic, type, key and data for people, without colours into a pipe', async () => {
    const { time } = server.publish('people', { text: 'hi \u009b31m\u202e' }, { type: 'said', key: 'ada' });
    const { stdout } = await run(['tail', 'people', '--last', '1', '--count', '1'], { env });
    expect(stdout).toBe(`${time}  people  said  ada  {"text":"hi \\u009b31m\\u202e"}\n`);
  });

  test('begins where it is told to', async () => {
    fill('start', 5);
    const cursor = server.log.get('start')![2]!.id;
    const numbers = async (...args: string[]) =>
      dataOf((await run(['tail', 'start', '--json', ...args], { env })).stdout);
    expect(await numbers('--last', '2', '--count', '2')).toEqual([4, 5]);
    expect(await numbers('--after', 'earliest', '--count', '3')).toEqual([1, 2, 3]);
    expect(await numbers('--after', cursor, '--count', '2')).toEqual([4, 5]);
  });

  test('asks the server with the options given', async () => {
    const ask = async (...args: string[]) => {
      const running = start(['tail', ...args], env);
      await open();
      running.child.kill('SIGINT');
      expect((await running.ended).code).toBe(130);
      await open(0);
      return new URL(server.requests.at(-1)!.url, server.url);
    };
    const one = await ask(
      'a:b',
      '--since',
      '2030-01-31T12:00:00+01:00',
      '--types',
      'x,y',
      '--filter',
      'n=gt.1',
      '--filter',
      'm=is.null',
    );
    expect(one.pathname).toBe('/v1/topics/a%3Ab/events');
    expect([...one.searchParams]).toEqual([
      ['filter', 'n=gt.1'],
      ['filter', 'm=is.null'],
      ['types', 'x,y'],
      ['since', '2030-01-31T11:00:00.000Z'],
    ]);
    const many = await ask('a', 'b', '--since', '10m');
    expect(many.pathname).toBe('/v1/events');
    expect(many.searchParams.getAll('topic')).toEqual(['a', 'b']);
    const ago = Date.now() - Date.parse(many.searchParams.get('since')!);
    expect(ago).toBeGreaterThan(599_000);
    expect(ago).toBeLessThan(630_000);
  });

  test('goes on after a cut, before and after the first event', async () => {
    const file = join(directory, 'cut');
    const running = start(['tail', 'cut', '--json', '--count', '3', '--cursor-file', file], env);
    // The position of $ready is enough to go on from: what is published while nobody listens is not lost.
    await eventually(() => existsSync(file), 'it has seen $ready');
    cut();
    server.publish('cut', 1);
    await running.until(({ stdout }) => dataOf(stdout()).length === 1);
    cut();
    server.publish('cut', 2);
    await running.until(({ stdout }) => dataOf(stdout()).length === 2);
    cut();
    server.publish('cut', 3);
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(0);
    expect(dataOf(stdout)).toEqual([1, 2, 3]);
    expect(stderr).toContain('trying again');
  });

  test('a line that is silent for longer than two heartbeats is dead, and is mended', async () => {
    server.heartbeat = 0.2;
    const running = start(['tail', 'dead', '--json', '--count', '1'], env);
    await open();
    const before = server.requests.length;
    await eventually(() => server.requests.length > before, 'it asked again by itself');
    expect(running.stderr()).toContain('has been silent');
    server.publish('dead', 1);
    expect((await running.ended).code).toBe(0);
  });

  test('waits as long as $close asks, and says why the stream ended', async () => {
    const running = start(['tail', 'closing', '--json', '--count', '1'], env);
    await open();
    const before = performance.now();
    server.raw('event: $close\nretry: 900\ndata: {"reason":"draining","retry":900}\n\n');
    for (const stream of server.streams) stream.end();
    await open(0);
    await open(1);
    expect(performance.now() - before).toBeGreaterThan(850);
    expect(running.stderr()).toContain('the server ended the stream (draining)');
    server.publish('closing', 1);
    expect((await running.ended).code).toBe(0);
  });

  test('tells a gap loudly on stderr, and as JSON when asked for JSON', async () => {
    const gap = {
      topic: 'gappy',
      requested: 'aaaaaaaaaa-1',
      oldest: 'aaaaaaaaaa-5',
      latest: 'aaaaaaaaaa-9',
      reason: 'expired',
    };
    for (const flags of [[], ['--json']]) {
      const running = start(['tail', 'gappy', '--count', '1', ...flags], env);
      await open();
      server.raw(`event: $gap\ndata: ${JSON.stringify(gap)}\n\n`);
      await running.until(({ stderr }) => stderr() !== '');
      server.publish('gappy', 1);
      const { stderr } = await running.ended;
      if (flags.length > 0) expect(JSON.parse(stderr)).toEqual({ control: 'gap', ...gap });
      else expect(stderr).toMatch(/^GAP in gappy: events from aaaaaaaaaa-1 to aaaaaaaaaa-5 are missing/);
      await open(0);
    }
  });

  test('ends quietly when nobody reads its output', async () => {
    fill('pipe', 3000);
    const running = start(['tail', 'pipe', '--after', 'earliest'], env);
    await running.until(({ stdout }) => stdout() !== '');
    running.child.stdout.destroy();
    const publishing = setInterval(() => server.publish('pipe', 'more'), 10);
    const { code, stderr } = await running.ended;
    clearInterval(publishing);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('a refusal ends it with 3 and the words of the server', async () => {
    server.refuse = () => ({
      status: 401,
      body: { title: 'A token is required', status: 401, detail: 'Send a bearer.' },
    });
    expect(await run(['tail', 'secret'], { env })).toEqual({
      code: 3,
      stdout: '',
      stderr: 'sluice: A token is required; Send a bearer.\n',
    });
  });

  test('a server that is busy is asked again', async () => {
    let refusals = 2;
    server.refuse = () => {
      refusals -= 1;
      return refusals >= 0 ? { status: 503, body: { title: 'Temporarily unavailable' } } : undefined;
    };
    fill('busy', 1);
    const { code, stderr } = await run(['tail', 'busy', '--last', '1', '--count', '1'], { env });
    expect(code).toBe(0);
    expect(linesOf(stderr)).toEqual(['sluice: Temporarily unavailable; trying again']);
  });

  test('without retry it ends with 4, and tells how to start a server', async () => {
    await whereNobodyListens(async (url) => {
      const stderr = `sluice: no Sluice at ${url} — start one with \`sluice dev\`\n`;
      expect(await run(['tail', 't', '--no-retry', '--url', url])).toEqual({ code: 4, stdout: '', stderr });
    });
  });

  test('what is not a Sluice server is called so', async () => {
    server.refuse = () => ({ status: 200, body: {} });
    const { code, stderr } = await run(['tail', 't'], { env });
    expect(code).toBe(1);
    expect(stderr).toContain('is this a Sluice server?');
  });

  test('the cursor file holds exactly what was printed, also when it ends in the middle of a burst', async () => {
    fill('kept', 10);
    const file = join(directory, 'kept');
    const args = ['tail', 'kept', '--json', '--after', 'earliest', '--cursor-file', file, '--count', '4'];
    expect(dataOf((await run(args, { env })).stdout)).toEqual([1, 2, 3, 4]);
    expect(await readFile(file, 'utf8')).toBe(`${server.log.get('kept')![3]!.id}\n`);
    expect(dataOf((await run(args, { env })).stdout)).toEqual([5, 6, 7, 8]);
  });

  test('a cursor file that holds something else is refused, not overwritten', async () => {
    const file = join(directory, 'foreign');
    await writeFile(file, 'my notes\n');
    const { code, stderr } = await run(['tail', 't', '--cursor-file', file], { env });
    expect(code).toBe(2);
    expect(stderr).toContain('does not hold a cursor');
    expect(await readFile(file, 'utf8')).toBe('my notes\n');
  });

  test('kill -9 in the middle loses nothing that was not printed', async () => {
    const file = join(directory, 'killed');
    const args = ['tail', 'killed', '--json', '--after', 'earliest', '--cursor-file', file];
    const seen = new Set<number>();
    const publishing = setInterval(() => fill('killed', 20), 5);
    for (let round = 0; round < 3; round += 1) {
      const running = start(args, env);
      await running.until(({ stdout }) => linesOf(stdout()).length > 200);
      running.child.kill('SIGKILL');
      const { stdout } = await running.ended;
      // What was on its way through the pipe when it died counts as printed only if the line is whole.
      for (const line of stdout.split('\n').slice(0, -1)) seen.add(Number(JSON.parse(line).id.split('-')[1]));
    }
    clearInterval(publishing);
    const most = Math.max(...seen);
    expect(seen.size).toBe(most);
  });

  test('refuses options that cannot be, with 2', async () => {
    for (const args of [
      [],
      ['a b'],
      ['t', '--since', 'yesterday'],
      ['t', '--last', '-1'],
      ['t', '--after', 'here'],
      ['t', '--filter', 'n>1'],
      ['t', '--count', '0'],
      ['t', '--last', '1', '--after', 'earliest'],
      ['t', '--since', '1m', '--last', '1'],
      ['t', '--nonsense'],
    ])
      expect({ args, code: (await run(['tail', ...args], { env })).code }).toEqual({ args, code: 2 });
  });
});
