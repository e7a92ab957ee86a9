/** Running a server until a signal asks it to end. */
import type { Config } from '../config/config.ts';
import type { RunningServer } from '../node/server.ts';
import { StartError } from '../node/start-error.ts';
import type { Context } from './context.ts';
import { CommandError, EXIT } from './exit.ts';
import { pause } from './pause.ts';

/** The drain is promised to take 10 s at most; beyond this the process ends anyway, in milliseconds. */
const DRAIN_MS = 15_000;

/**
 * Starts the server, tells `onStarted`, and drains at the first signal. A second signal ends the process at once.
 *
 * @returns the exit code
 * @throws CommandError when the server cannot start
 */
export async function runServer(
  context: Context,
  config: Config,
  onStarted: (url: string) => Promise<void> = async () => {},
): Promise<number> {
  const { signal } = context.interruption;
  // Loaded here, so that commands which only talk to a server do not wait for a database to be read from disk.
  const { startServer } = await import('../node/server.ts');
  const server = await startServer(config, { mode: config.mode }).catch((error: unknown) => {
    if (error instanceof StartError) throw new CommandError(EXIT.failure, error.message);
    throw error;
  });
  await onStarted(server.url);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  return drain(server);
}

async function drain(server: RunningServer): Promise<number> {
  const end = new AbortController();
  const late = pause(DRAIN_MS, end.signal).then(() => EXIT.failure);
  try {
    return await Promise.race([late, server.close().then(() => EXIT.ok)]);
  } finally {
    end.abort();
  }
}
