/** A stretch of a topic's log as events. */
import { type LogEvent, logEvents } from '../protocol/event-batch.ts';
import type { LogRange, LogStore } from '../store/store.ts';

export interface EventPage extends LogRange {
  readonly events: readonly LogEvent[];
  /** Everything in the log up to here is in `events`, or gone. */
  readonly end: number;
}

/** Reads on after a seq, at least one event if there is one and at most about `limit`. @throws StoreUnavailable */
export async function readPage(log: LogStore, topic: string, after: number, limit: number): Promise<EventPage> {
  const { batches, ...range } = await log.read(topic, after, limit);
  const events: LogEvent[] = [];
  for (const batch of batches) {
    for (const event of logEvents(topic, range.epoch, batch)) {
      if (event.seq > after && event.seq >= range.oldest) events.push(event);
    }
  }
  const last = batches.at(-1);
  return { ...range, events, end: last === undefined ? range.latest : last.first + last.bodies.length - 1 };
}
