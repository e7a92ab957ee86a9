/** Lets one tab at a time do something: the next one takes over when it has ended, was closed, or has crashed. */

/** `navigator.locks`, as far as it is needed. */
export interface Locks {
  request(name: string, options: { readonly signal: AbortSignal }, granted: () => Promise<void>): Promise<unknown>;
}

/**
 * Waits in the queue of a lock, and begins when it is granted.
 *
 * @param locks without them, it begins at once
 * @param begin returns how to end it
 * @param onError told why the lock could not be asked for; it has begun without it then
 * @returns gives the turn up, or the waiting for it
 */
export function takeTurn(
  name: string,
  locks: Locks | undefined,
  begin: () => () => void,
  onError: (error: unknown) => void,
): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  let began = false;

  async function run(): Promise<void> {
    if (signal.aborted || began) return;
    began = true;
    const end = begin();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    end();
  }

  if (locks === undefined) void run();
  else
    locks.request(name, { signal }, run).catch((error: unknown) => {
      if (signal.aborted) return;
      onError(error);
      void run();
    });
  return () => ending.abort();
}
