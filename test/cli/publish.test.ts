import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { endAll, eventually, linesOf, run, start, whereNobodyListens } from './run.ts';
import { startWireServer, type WireServer } from './wire-server.ts';

describe('sluice publish', { timeout: 60_000 }, () => {
  let server: WireServer;
  let directory = '';
  let env: { SLUICE_URL: string };
  beforeAll(async () => {
    server = await startWireServer();
    env = { SLUICE_URL: server.url };
    directory = await mkdtemp(join(tmpdir(), 'sluice-publish-'));
  });
  afterEach(() => {
    endAll();
    server.fault = undefined;
  });
  afterAll(async () => {
    await server.close();
    await rm(directory, { recursive: true });
  });
  const dataOf = (topic: string) => (server.log.get(topic) ?? []).map((event) => event.data);

  test('publishes one event from an argument and prints its cursor', async () => {
    const ended = await run(['publish', 'one', '{"a":[1]}', '--type', 'said', '--key', 'k'], { env });
    const [event] = server.log.get('one') ?? [];
    expect(ended).toEqual({ code: 0, stdout: `${event?.id}\n`, stderr: '' });
    expect(event).toMatchObject({ type: 'said', key: 'k', data: { a: [1] } });
  });

  test('takes an argument that is not JSON as a string, unless told to be strict', async () => {
    expect((await run(['publish', 'loose', 'hello world', '--quiet'], { env })).stdout).toBe('');
    const strict = await run(['publish', 'loose', 'hello world', '--json'], { env });
    expect(strict).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'sluice: the data cannot be published: it is not JSON\n',
    });
    await run(['publish', 'loose', '42', '--text'], { env });
    expect(dataOf('loose')).toEqual(['hello world', '42']);
  });

  test('sends an IRI as topic, the token, and says ephemeral', async () => {
    const args = ['publish', 'https://example.com/books/1', '1', '--ephemeral', '--token', 'abc'];
    expect(await run(args, { env })).toMatchObject({ code: 0, stdout: '', stderr: '' });
    const request = server.requests.at(-1);
    expect(request?.url).toBe('/v1/topics/https%3A%2F%2Fexample.com%2Fbooks%2F1/events');
    expect(request?.headers.authorization).toBe('Bearer abc');
    expect(JSON.parse(request?.body ?? '')).toEqual({ type: 'message', data: 1, ephemeral: true });
  });

  test('publishes the lines of stdin in order, in batches of at most 500', async () => {
    const before = server.requests.length;
    const input = Array.from({ length: 1234 }, (_, index) => (index % 2 === 0 ? `line ${index}` : `{"n":${index}}`));
    const { code, stdout } = await run(['publish', 'lines'], { env, input: input.join('\n\n') });
    expect(code).toBe(0);
    expect(dataOf('lines')).toEqual(input.map((line, index) => (index % 2 === 0 ? line : { n: index })));
    const requests = server.requests.slice(before);
    expect(linesOf(stdout)).toHaveLength(requests.length);
    expect(stdout.trim().split('-').at(-1)).toBe('1234');
    expect(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(requests.length);
    for (const { body } of requests) expect(linesOf(body).length).toBeLessThanOrEqual(500);
  });

  test('publishes a line within moments although stdin stays open, as tail -F needs it', async () => {
    const running = start(['publish', 'live'], env);
    running.child.stdin.write('first\nsec');
    await eventually(() => dataOf('live').length === 1, 'the first line is published');
    running.child.stdin.write('ond\n');
    await eventually(() => dataOf('live').length === 2, 'the second line is published');
    running.child.stdin.end('without a line break');
    expect((await running.ended).code).toBe(0);
    expect(dataOf('live')).toEqual(['first', 'second', 'without a line break']);
  });

  test('does not read on while the server does not take', async () => {
    let open = false;
    server.fault = () => (open ? undefined : { status: 503 });
    const running = start(['publish', 'pressed', '--quiet'], env);
    const line = `${'x'.repeat(1000)}\n`;
    let written = 0;
    // Written until nobody takes more: what fits into the pipe and into the bounds of the command.
    const write = () => {
      while (written < 20_000) {
        written += 1;
        if (!running.child.stdin.write(line)) return;
      }
      running.child.stdin.end();
    };
    running.child.stdin.on('drain', write);
    write();
    await eventually(() => server.requests.filter(({ url }) => url.includes('pressed')).length >= 3, 'three attempts');
    expect(written * line.length).toBeLessThan(3_000_000);
    open = true;
    expect((await running.ended).code).toBe(0);
    expect(dataOf('pressed')).toHaveLength(20_000);
  });

  test('tries again after every kind of failure, and appends each event once', async () => {
    const faults = [
      'cut-before',
      'cut-after',
      { status: 503 },
      { status: 429 },
      { status: 500 },
      { status: 502 },
    ] as const;
    const begun = server.requests.length;
    server.fault = () => faults[server.requests.length - begun - 1];
    const { code, stderr } = await run(['publish', 'faults'], { env, input: 'a\nb\n' });
    expect(code, stderr).toBe(0);
    expect(dataOf('faults')).toEqual(['a', 'b']);
    const requests = server.requests.slice(begun);
    expect(requests).toHaveLength(faults.length + 1);
    expect(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(linesOf(stderr)).toEqual([
      `sluice: the connection to ${server.url} was cut; trying again`,
      'sluice: connected again',
    ]);
  });

  test('honours Retry-After', async () => {
    let first = true;
    server.fault = () => {
      const fault = first ? { status: 429, headers: { 'Retry-After': '1' } } : undefined;
      first = false;
      return fault;
    };
    const begin = performance.now();
    expect((await run(['publish', 'later', '1'], { env })).code).toBe(0);
    expect(performance.now() - begin).toBeGreaterThan(1000);
  });

  test('splits a batch that is too large for the server', async () => {
    const begun = server.requests.length;
    server.fault = () =>
      (server.requests.at(-1)?.body.length ?? 0) > 2000 ? { status: 413, body: { title: 'Too large' } } : undefined;
    const input = Array.from({ length: 100 }, (_, index) => `number ${index} ${'x'.repeat(50)}`);
    expect((await run(['publish', 'split'], { env, input: input.join('\n') })).code).toBe(0);
    expect(dataOf('split')).toEqual(input);
    const requests = server.requests.slice(begun);
    expect(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(requests.length);
  });

  test('says which events the server refused, in its words, and ends with 3', async () => {
    server.fault = () => ({
      status: 403,
      body: { title: 'Not allowed', detail: 'publish on\u001b[31m t', status: 403 },
    });
    expect(await run(['publish', 'refused'], { env, input: 'a\nb\n' })).toEqual({
      code: 3,
      stdout: '',
      stderr: 'sluice: Not allowed; publish on\\u001b[31m t (events 1 to 2)\n',
    });
  });

  test('publishes what came before a line that cannot be read, then names the line', async () => {
    const { code, stderr } = await run(['publish', 'half', '--json'], { env, input: '1\n2\nthree\n4\n' });
    expect(code).toBe(2);
    expect(stderr).toContain('line 3');
    expect(dataOf('half')).toEqual([1, 2]);
  });

  test('reads a file by lines, a .json file as one event, and whole events', async () => {
    await writeFile(join(directory, 'lines.ndjson'), '1\n"two"\n');
    await writeFile(join(directory, 'one.json'), '{\n  "pretty": true\n}\n');
    await writeFile(join(directory, 'events'), '{"type":"said","data":1,"key":"k"}\n{"data":2}\n');
    for (const [file, ...more] of [['lines.ndjson'], ['one.json'], ['events', '--events', '--key', 'forced']])
      expect(await run(['publish', 'files', '--file', join(directory, file!), ...more], { env })).toMatchObject({
        code: 0,
      });
    expect(server.log.get('files')?.map(({ type, key, data }) => [type, key, data])).toEqual([
      ['message', undefined, 1],
      ['message', undefined, 'two'],
      ['message', undefined, { pretty: true }],
      ['said', 'forced', 1],
      ['message', 'forced', 2],
    ]);
    const missing = await run(['publish', 'files', '--file', join(directory, 'none')], { env });
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toContain('ENOENT');
  });

  test('shows progress when asked to', async () => {
    const { stderr } = await run(['publish', 'progress', '--progress', '--quiet'], { env, input: 'a\nb\n' });
    expect(stderr).toMatch(/^2 events, .*events\/s\npublished 2 events/);
  });

  test('tells a newcomer that no server is there, soon, and ends with 4', async () => {
    await whereNobodyListens(async (url) => {
      const text = `no Sluice at ${url} — start one with \`sluice dev\``;
      const ended = await run(['publish', 'nowhere', '1', '--no-retry', '--url', url]);
      expect(ended).toEqual({ code: 4, stdout: '', stderr: `sluice: ${text}\n` });
      const patient = await run(['publish', 'nowhere', '1', '--retry-for', '1s', '--url', url]);
      expect(patient).toEqual({ code: 4, stdout: '', stderr: `sluice: ${text}; trying again\nsluice: ${text}\n` });
    });
  });

  test('refuses what cannot be a topic, a type, a URL or a duration, with 2', async () => {
    for (const args of [
      ['two words', '1'],
      ['t', '1', '--type', '$mine'],
      ['t', '1', '--url', 'ftp://x'],
      ['t', '1', '--url', 'nonsense'],
      ['t', '1', '--retry-for', 'long'],
      ['t', '1', '--file', 'x'],
      ['t', '1', '--json', '--text'],
      [],
    ]) {
      const { code, stderr } = await run(['publish', ...args], { env });
      expect({ args, code }).toEqual({ args, code: 2 });
      expect(stderr).not.toBe('');
    }
  });

  test('when interrupted it still sends what it read, and ends with 130', async () => {
    const running = start(['publish', 'interrupted'], env);
    running.child.stdin.write('a\n');
    await eventually(() => dataOf('interrupted').length === 1, 'the first is published');
    running.child.stdin.write('b\n');
    running.child.kill('SIGINT');
    const { code } = await running.ended;
    expect(code).toBe(130);
    // Whether the second was read before the signal is a race; that nothing is doubled or torn is not.
    expect(['a', 'a,b']).toContain(dataOf('interrupted').join());
  });

  test('one press of Ctrl-C that arrives twice is one, and a second press ends it at once', async () => {
    const attempts = () => server.requests.filter(({ url }) => url.includes('twice')).length;
    let healed = false;
    server.fault = () => (healed ? undefined : { status: 503 });
    const patient = start(['publish', 'twice'], env);
    patient.child.stdin.write('a\n');
    await eventually(() => attempts() > 0, 'it has tried');
    patient.child.kill('SIGINT');
    patient.child.kill('SIGINT');
    healed = true;
    expect((await patient.ended).code).toBe(130);
    expect(dataOf('twice')).toEqual(['a']);

    healed = false;
    const before = attempts();
    const hurried = start(['publish', 'twice'], env);
    hurried.child.stdin.write('b\n');
    await eventually(() => attempts() > before, 'it has tried');
    hurried.child.kill('SIGINT');
    const begin = performance.now();
    // Two presses are told apart by the time between them, so time is what this waits for.
    await new Promise((resolve) => setTimeout(resolve, 700));
    hurried.child.kill('SIGINT');
    expect((await hurried.ended).code).toBe(130);
    // Alone, the first press would let it try for three seconds.
    expect(performance.now() - begin).toBeLessThan(2500);
  });
});
