/** Events for a loop that takes them one by one: bounded, and honest about being full. */
import type { Event } from '../../protocol/event.ts';

/** The most events that wait for a loop; when so few are left, there is room again. */
const FULL = 1000;
const ROOM = 500;

export interface EventBuffer<Data> extends AsyncIterator<Event<Data>> {
  readonly full: boolean;
  push(event: Event<Data>): void;
  /** Ends the loop, with an error or without, after what waits has been taken. */
  end(error?: Error): void;
}

/** @param onRoom called when it was full and has room again; @param onEnd when the loop has ended by itself */
export function createEventBuffer<Data>(onRoom: () => void, onEnd: () => void): EventBuffer<Data> {
  let waiting: Event<Data>[] = [];
  const takers: PromiseWithResolvers<IteratorResult<Event<Data>>>[] = [];
  let full = false;
  let ended: { readonly error: Error | undefined } | undefined;

  function finish(taker: PromiseWithResolvers<IteratorResult<Event<Data>>>, error: Error | undefined): void {
    if (error === undefined) taker.resolve({ done: true, value: undefined });
    else taker.reject(error);
  }

  return {
    get full() {
      return full;
    },
    push(event) {
      if (ended !== undefined) return;
      const taker = takers.shift();
      if (taker === undefined) waiting.push(event);
      else taker.resolve({ done: false, value: event });
      if (waiting.length >= FULL) full = true;
    },
    end(error) {
      ended ??= { error };
      for (const taker of takers.splice(0)) finish(taker, error);
    },
    next() {
      const taker = Promise.withResolvers<IteratorResult<Event<Data>>>();
      const event = waiting.shift();
      if (event !== undefined) taker.resolve({ done: false, value: event });
      else if (ended !== undefined) finish(taker, ended.error);
      else takers.push(taker);
      if (full && waiting.length <= ROOM) {
        full = false;
        onRoom();
      }
      return taker.promise;
    },
    async return() {
      waiting = [];
      this.end();
      onEnd();
      return { done: true, value: undefined };
    },
  };
}
