/** One connection for all tabs of a browser. */

import type { Link } from '../connect.ts';
import type { OpenTransport } from '../connection/transport.ts';
import { createId } from '../create-id.ts';
import { createLeadership } from './leadership.ts';
import { serveTabs } from './serve-tabs.ts';
import { tabTransport } from './tab-transport.ts';
import { createTabLine } from './tab-words.ts';

export interface SharedConnection {
  /** How this tab reads: by the leader's connection, or `undefined` while it is the leader. */
  elsewhere(): OpenTransport | undefined;
  /** Takes part from now on. */
  start(link: Link): void;
  /** The page is about to be frozen, or is left: another tab is to have the connection. */
  suspend(): void;
  resume(): void;
  close(): void;
}

export interface ShareOptions {
  /** The same in all tabs that can share: of one server and one user. */
  readonly name: string;
  readonly locks: LockManager;
  readonly Channel: typeof BroadcastChannel;
  readonly hidden: () => boolean;
}

export function shareConnection({ name, locks, Channel, hidden }: ShareOptions): SharedConnection {
  const line = createTabLine(name, Channel);
  const tab = `${name}/${createId()}`;
  let link: Link | undefined;
  let stopServing: (() => void) | undefined;
  const held = Promise.withResolvers<void>();
  const gone = new AbortController();

  const leadership = createLeadership({
    name,
    tab,
    locks,
    line,
    hidden,
    connected: () => link?.status.state === 'connected',
    onChange() {
      stopServing?.();
      stopServing = undefined;
      if (link === undefined) return;
      const { subscribe, observe } = link;
      const of = link;
      if (leadership.leads()) stopServing = serveTabs({ line, locks, subscribe, observe, status: () => of.status });
      link.reopen();
    },
  });
  return {
    elsewhere: () => (leadership.leads() ? undefined : tabTransport(line, tab, held.promise)),
    start(of) {
      link = of;
      // Whoever reads for this tab is given the lock when the tab is gone.
      const hold = () =>
        new Promise<void>((resolve) => {
          if (gone.signal.aborted) return resolve();
          gone.signal.onabort = () => resolve();
          held.resolve();
        });
      // Aborted by `close`. Where locks fail, this tab asks nobody to read for it, and is found silent.
      locks.request(tab, { signal: gone.signal }, hold).catch(() => undefined);
      leadership.run();
    },
    suspend: leadership.resign,
    resume: leadership.run,
    close() {
      stopServing?.();
      leadership.close();
      line.close();
      gone.abort();
    },
  };
}
