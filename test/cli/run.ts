/** Runs the command line as real child processes. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<Ended>;
  /** Resolves when the condition holds; rejects when the process ends before. */
  until(condition: (running: Running) => boolean): Promise<void>;
}

const alive = new Set<ChildProcessWithoutNullStreams>();

/** Ends what a test that failed has left running. */
export function endAll(): void {
  for (const child of alive) child.kill('SIGKILL');
}

/** The environment of a command: nothing of ours but what it needs to run. */
export function start(args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd?: string): Running {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'] ?? '', ...env }, cwd });
  alive.add(child);
  child.on('exit', () => alive.delete(child));
  let stdout = '';
  let stderr = '';
  const checks = new Set<() => void>();
  const look = () => {
    for (const check of checks) check();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    look();
  });
  // A command that has ended does not read on.
  child.stdin.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error;
  });
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  const running: Running = {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    until(condition) {
      return new Promise((resolve, reject) => {
        const check = () => {
          if (!condition(running)) return;
          checks.delete(check);
          resolve();
        };
        checks.add(check);
        void ended.then(({ code }) => {
          if (checks.has(check)) reject(new Error(`ended with ${code} before its time:\n${stdout}\n${stderr}`));
        });
        check();
      });
    },
  };
  return running;
}

export async function run(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string; readonly cwd?: string } = {},
): Promise<Ended> {
  const running = start(args, options.env, options.cwd);
  running.child.stdin.end(options.input ?? '');
  return running.ended;
}

/** Resolves when the condition holds, looking every few milliseconds. */
export async function eventually(condition: () => boolean, what: string, ms = 15_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

/**
 * Calls `use` with a URL that refuses connections. The port is held on another loopback address for as long, so that nothing
 * else can begin to listen there.
 */
export async function whereNobodyListens(use: (url: string) => Promise<void>): Promise<void> {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.9:${(holder.address() as AddressInfo).port}`);
  } finally {
    holder.close();
  }
}
