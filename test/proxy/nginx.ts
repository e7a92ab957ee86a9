/** A real nginx in front of a server, with a configuration of the test's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../browser/program.ts';

export const NGINX = findProgram('NGINX', ['/usr/sbin/nginx', '/usr/bin/nginx'], 'apt-get install nginx');

export interface Nginx {
  readonly url: string;
  /** Ends it with no time for anything: every connection breaks, and nobody listens. */
  kill(): Promise<void>;
  /** Begins anew on the same port, once it was killed. */
  restart(directives: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** @param directives what stands in `location /`, beside `proxy_pass` */
export async function startNginx(target: string, directives: readonly string[]): Promise<Nginx> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-nginx-'));
  const port = await freePort();
  let end = await run(dir, port, target, directives);
  return {
    url: `http://127.0.0.1:${port}`,
    kill: () => end('SIGKILL'),
    async restart(others) {
      end = await run(dir, port, target, others);
    },
    async close() {
      await end('SIGTERM');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** @returns ends it */
async function run(dir: string, port: number, target: string, directives: readonly string[]) {
  if (NGINX === undefined) throw new Error('there is no nginx: guard the tests with describe.skipIf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const configuration = `
daemon off;
master_process off;
error_log stderr warn;
pid ${dir}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${dir}/${name};`).join('\n  ')}
  # For those who keep pages.
  proxy_cache_path ${dir}/pages keys_zone=pages:1m;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${target};
      ${directives.map((directive) => `${directive};`).join('\n      ')}
    }
  }
}
`;
  await writeFile(join(dir, 'nginx.conf'), configuration);
  const child = spawn(NGINX, ['-p', dir, '-c', join(dir, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (bytes: Buffer) => {
    complaints = (complaints + bytes.toString()).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  await answers(port, child, () => complaints);
  return async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    child.kill(signal);
    await ended;
  };
}

/** A port that is free at the moment: nginx cannot be told to take any. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

async function answers(port: number, child: ChildProcess, complaints: () => string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${complaints()}`);
    const there = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('close', () => socket.destroy());
      socket.once('connect', () => socket.end());
    });
    if (there) return;
    if (Date.now() > deadline) throw new Error(`nginx does not listen: ${complaints()}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}
