/** What must hold when the line between a command and a server is cut again and again. Run against each server there is. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { chooseSeed, seededRandom } from '../support/random.ts';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';
import { eventually, linesOf, type Running, run, start as startCommand } from './run.ts';

export function cuts(startUpstream: () => Promise<{ readonly port: number; close(): Promise<unknown> }>): void {
  const seed = chooseSeed();
  let upstream: Awaited<ReturnType<typeof startUpstream>>;
  let directory = '';
  const proxies: CuttingProxy[] = [];
  const started: Running[] = [];
  const start = (args: readonly string[], env: Readonly<Record<string, string>>) => {
    const running = startCommand(args, env);
    started.push(running);
    return running;
  };
  const cutting = async (least: number, most: number) => {
    const proxy = await startCuttingProxy(upstream.port, seededRandom(seed + proxies.length), [least, most]);
    proxies.push(proxy);
    return proxy;
  };
  const direct = () => ({ SLUICE_URL: `http://127.0.0.1:${upstream.port}` });

  beforeAll(async () => {
    upstream = await startUpstream();
    directory = await mkdtemp(join(tmpdir(), 'sluice-cuts-'));
  });
  // Only what a test here has started: the server may be a child process too, and is needed by the next test.
  afterEach(() => {
    for (const { child } of started.splice(0)) child.kill('SIGKILL');
  });
  afterAll(async () => {
    for (const proxy of proxies) await proxy.close();
    await upstream?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
  const read = async (topic: string, count: number) => {
    const { stdout } = await run(['tail', topic, '--after', 'earliest', '--json', '--count', String(count)], {
      env: direct(),
    });
    return linesOf(stdout).map((line) => JSON.parse(line).data as number);
  };

  test('publish loses nothing, doubles nothing and keeps the order', { timeout: 60_000 }, async () => {
    // A full batch and its answer are about 65 KB: some requests are cut before they arrive, some answers on their way back.
    const proxy = await cutting(20_000, 200_000);
    const publishing = start(['publish', 'cuts:up', '--quiet'], { SLUICE_URL: proxy.url });
    let sent = 0;
    // Paced by the server's appetite and by time, so that there are many batches.
    while (sent < 6000) {
      const lines = numbers(200).map((index) => `${sent + index}\n`);
      sent += 200;
      if (!publishing.child.stdin.write(lines.join('')))
        await new Promise((resolve) => publishing.child.stdin.once('drain', resolve));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    publishing.child.stdin.end();
    const { code, stderr } = await publishing.ended;
    expect({ code, stderr: code === 0 ? '' : stderr, seed }).toEqual({ code: 0, stderr: '', seed });
    expect(proxy.cuts(), `seed ${seed}`).toBeGreaterThan(2);
    // One more, so that a doubled event at the end would show.
    await run(['publish', 'cuts:up', '6000'], { env: direct() });
    expect(await read('cuts:up', 6001), `seed ${seed}`).toEqual(numbers(6001));
  });

  test('tail loses nothing, doubles nothing and keeps the order', { timeout: 60_000 }, async () => {
    const proxy = await cutting(3000, 60_000);
    const tailing = start(['tail', 'cuts:down', '--after', 'earliest', '--json', '--count', '2000'], {
      SLUICE_URL: proxy.url,
    });
    const publishing = start(['publish', 'cuts:down', '--quiet'], direct());
    for (let sent = 0; sent < 2000; sent += 50) {
      publishing.child.stdin.write(
        numbers(50)
          .map((index) => `${sent + index}\n`)
          .join(''),
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    publishing.child.stdin.end();
    const { code, stdout, stderr } = await tailing.ended;
    expect(code, stderr).toBe(0);
    expect(proxy.cuts(), `seed ${seed}`).toBeGreaterThan(2);
    expect(
      linesOf(stdout).map((line) => JSON.parse(line).data),
      `seed ${seed}`,
    ).toEqual(numbers(2000));
  });

  test('tail with a cursor file goes on where it ended, through cuts and restarts', { timeout: 60_000 }, async () => {
    const proxy = await cutting(3000, 40_000);
    const topics = ['cuts:left', 'cuts:right'];
    const file = join(directory, 'cursor');
    const args = ['tail', ...topics, '--after', 'earliest', '--json', '--cursor-file', file];
    const seen: { topic: string; data: number }[] = [];
    const publishing = topics.map((topic) => start(['publish', topic, '--quiet'], direct()));
    for (let round = 0; round < 5; round += 1) {
      const tailing = start(args, { SLUICE_URL: proxy.url });
      for (const { child } of publishing)
        child.stdin.write(
          numbers(200)
            .map((index) => `${round * 200 + index}\n`)
            .join(''),
        );
      const wanted = round === 4 ? 2000 - seen.length : 150;
      await tailing.until(({ stdout }) => linesOf(stdout()).length >= wanted);
      tailing.child.kill('SIGTERM');
      const { code, stdout } = await tailing.ended;
      expect(code).toBe(143);
      seen.push(...linesOf(stdout).map((line) => JSON.parse(line)));
    }
    for (const { child } of publishing) child.stdin.end();
    await eventually(() => seen.length >= 2000, 'all events have been seen');
    for (const topic of topics)
      expect(
        seen.filter((event) => event.topic === topic).map((event) => event.data),
        `seed ${seed}`,
      ).toEqual(numbers(1000));
  });
}
