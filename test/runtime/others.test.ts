/** Other runtimes, where they are at hand: publish, stream, resume, and a page. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openReader } from '../cloudflare/reader.ts';
import { publishUntilAcknowledged } from '../crash/clients.ts';
import { freePort } from '../support/server-process.ts';
import { until } from '../support/until.ts';

const SERVE = fileURLToPath(new URL('./others/serve.ts', import.meta.url));

const RUNTIMES = [
  { name: 'Deno', program: find('deno'), args: ['run', '--allow-all', SERVE] },
  { name: 'Bun', program: find('bun'), args: ['run', SERVE] },
] as const;

function find(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

for (const { name, program, args } of RUNTIMES) {
  describe.skipIf(program === undefined)(`on ${name}`, () => {
    it('publishes, streams, resumes and gives pages', { timeout: 60_000 }, async () => {
      const port = await freePort();
      const child = spawn(program ?? '', args, {
        env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', PORT: `${port}` },
        stdio: 'ignore',
      });
      try {
        const url = `http://127.0.0.1:${port}/v1/topics/t/events`;
        await until(
          'it answers',
          async () => (await fetch(url.replace(/v1.*/, 'healthz')).catch(() => undefined))?.status === 200,
        );
        const live = openReader(port, '/v1/topics/t/events');
        await until('the stream is live', live.isReady);
        const [first] = (await publishUntilAcknowledged(port, 't', [1])).events;
        await publishUntilAcknowledged(port, 't', [2]);
        await until('both are there', () => live.events().length === 2);
        const resumed = openReader(port, `/v1/topics/t/events?after=${first?.id}`);
        await until('the second is there again', () => resumed.events().length === 1);
        expect(resumed.events()[0].data).toBe(2);
        const page = (await (await fetch(`${url}?format=json`)).json()) as any;
        expect(page.events.map(({ data }: any) => data)).toEqual([1, 2]);
        for (const { connection } of [live, resumed]) connection.close();
      } finally {
        child.kill('SIGKILL');
      }
    });
  });
}
