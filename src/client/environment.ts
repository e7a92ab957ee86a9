/** What the surroundings tell: the network comes and goes, the page is hidden and shown, the machine sleeps and wakes. */

export interface Signals {
  /** There is a network again, or another one. */
  network(): void;
  offline(): void;
  /** The page is shown, or goes on after it was frozen or left, be it seen or not. */
  wake(): void;
  /** The page is about to be frozen, or is left. */
  sleep?(): void;
}

export interface Environment {
  /** @returns how to stop listening */
  listen(signals: Signals): () => void;
  /** Whether nobody sees the page. */
  hidden(): boolean;
}

/** The events of a page or a worker (HTML; Page Lifecycle; Network Information). Elsewhere nothing is told. */
export function createEnvironment(): Environment {
  const hidden = () => typeof document === 'object' && document.hidden;
  return {
    hidden,
    listen({ network, offline, wake, sleep = () => undefined }) {
      const stop = new AbortController();
      // Those of the document are heard on their way down to it; where there is none, this may not be asked for (workerd).
      const options = { capture: typeof document === 'object', signal: stop.signal };
      const events = {
        online: network,
        offline,
        // Whoever was put to sleep goes on, also where nobody sees it.
        pageshow: wake,
        resume: wake,
        visibilitychange: () => hidden() || wake(),
        freeze: sleep,
        pagehide: sleep,
      };
      for (const [name, listener] of Object.entries(events)) globalThis.addEventListener?.(name, listener, options);
      const connection: unknown = typeof navigator === 'object' && 'connection' in navigator && navigator.connection;
      if (connection instanceof EventTarget) connection.addEventListener('change', network, options);
      return () => stop.abort();
    },
  };
}
