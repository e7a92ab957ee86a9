/** What tabs of one browser say to each other on a `BroadcastChannel`. All are of one origin and one client, and trust each other. */
import type { TopicRequest, TransportObserver } from '../connection/transport.ts';

/** From a tab that reads by another's connection. `id` names one reading, for all time. */
export type Wish =
  | { readonly kind: 'who-leads' }
  | {
      readonly kind: 'read';
      readonly id: string;
      /** The tab that asks: a lock of this name is its own as long as it lives. */
      readonly tab: string;
      readonly topics: readonly TopicRequest[];
    }
  | {
      readonly kind: 'change';
      readonly id: string;
      readonly add: readonly TopicRequest[];
      readonly remove: readonly string[];
    }
  | { readonly kind: 'end'; readonly id: string };

/** From the tab that has the connection. */
export type Word =
  /** It is there. `idle`: nobody sees it, and it has no connection; another might do better. */
  | { readonly kind: 'lead'; readonly leader: string; readonly idle: boolean }
  /** What the observer of a transport is told, by its method's name. */
  | Told<keyof TransportObserver>;

export interface Told<Name extends keyof TransportObserver> {
  readonly kind: 'tell';
  readonly id: string;
  readonly what: Name;
  readonly data: Parameters<TransportObserver[Name]>[0];
}

/** The tabs of one client, as far as one of them hears and reaches the others. */
export interface TabLine {
  send(word: Wish | Word): void;
  /** @returns how to stop listening */
  listen(hear: (word: Wish | Word) => void): () => void;
}

/** @param name the same in all tabs of one client, and in no other's */
export function createTabLine(name: string, Channel: typeof BroadcastChannel): TabLine & { close(): void } {
  const channel = new Channel(name);
  return {
    send: (word) => channel.postMessage(word),
    listen(hear) {
      const listener = ({ data }: MessageEvent<Wish | Word>) => hear(data);
      channel.addEventListener('message', listener);
      return () => channel.removeEventListener('message', listener);
    },
    close: () => channel.close(),
  };
}
