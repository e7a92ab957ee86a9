/** A server of this package in a process of its own, to be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface ServerProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it wrote on stderr so far, or the end of it. */
  readonly stderr: () => string;
  /** The code that it exited with, or the signal that ended it, as soon as it has. */
  readonly exited: Promise<number | string>;
  /** Whether it runs still. */
  readonly running: () => boolean;
  /** Ends it with no time for anything, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Text of a server's log that is kept, in characters. */
const KEPT = 20_000;
const alive = new Set<ChildProcess>();

/** Ends what a test that failed has left running. */
export function killServers(): void {
  for (const child of alive) child.kill('SIGKILL');
}

/** A port that was free a moment ago, for a server that is to come back on the same one. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Starts the server, and resolves when it answers.
 * @param env its whole environment but for the path; `PORT` is required
 */
export async function startServerProcess(
  command: 'dev' | 'serve',
  env: Readonly<Record<string, string>> & { readonly PORT: string },
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [MAIN, command], {
    env: { PATH: process.env['PATH'] ?? '', HOST: '127.0.0.1', LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  alive.add(child);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-KEPT);
  });
  const exited = once(child, 'exit').then(([code, signal]) => {
    alive.delete(child);
    return (code ?? signal) as number | string;
  });
  const running = () => child.exitCode === null && child.signalCode === null;
  const url = `http://127.0.0.1:${env.PORT}`;
  await until(`the server answers (${command})`, async () => {
    if (!running()) throw new Error(`the server ended with ${child.exitCode ?? child.signalCode}:\n${stderr}`);
    return answers(`${url}/readyz`);
  });
  return {
    child,
    pid: child.pid ?? 0,
    stderr: () => stderr,
    exited,
    running,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Whether a GET is answered with success. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    // Refused, cut or late: it does not answer, which is what was asked.
    return false;
  }
}
