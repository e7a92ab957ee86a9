/** Starts a deployment in workerd as a process group: Node with Miniflare in it, and workerd itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Killable } from '../crash/storm.ts';
import { until } from '../support/until.ts';

const SERVE = fileURLToPath(new URL('./serve.ts', import.meta.url));
const alive = new Set<ChildProcess>();

/** Ends what a test that failed has left running. */
export function killWorkers(): void {
  for (const child of alive) killGroup(child);
}

/**
 * @param env the settings, with `PORT` and `DIR`
 * @param onLine told what the Worker and its objects write to the console
 */
export async function startWorkerProcess(
  env: Readonly<Record<string, string>> & { readonly PORT: string },
  onLine?: (line: string) => void,
): Promise<Killable> {
  // A group of its own: what is killed is workerd, and not only who started it.
  const child = spawn(process.execPath, [SERVE], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', onLine === undefined ? 'ignore' : 'pipe', 'pipe'],
    detached: true,
  });
  alive.add(child);
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-20_000);
  });
  if (onLine !== undefined)
    for (const stream of [child.stdout, child.stderr]) if (stream) createInterface(stream).on('line', onLine);
  const exited = once(child, 'exit').then(() => alive.delete(child));
  await until('workerd answers', async () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${stderr}`);
    const answer = await fetch(`http://127.0.0.1:${env.PORT}/readyz`).catch(() => undefined);
    return answer?.status === 200;
  });
  return {
    async kill() {
      killGroup(child);
      await exited;
    },
  };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
