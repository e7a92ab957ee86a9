/** What may be published, whether it comes over HTTP or from the code that embeds the app. */
import type { z } from 'zod';
import type { EventInput } from '../protocol/event.ts';
import type { Limits } from '../protocol/limits.ts';
import { publishSchema } from '../protocol/schemas.ts';

export type EventInputs =
  | { readonly ok: true; readonly events: readonly EventInput[] }
  | { readonly ok: false; readonly reason: 'shape'; readonly issues: readonly z.core.$ZodIssue[] }
  /** Too many events, or one that is too large; `detail` says which, for whoever sent it. */
  | { readonly ok: false; readonly reason: 'size'; readonly detail: string };

/**
 * Reads one event or several.
 *
 * @param bytes how many bytes they came in, where that is known: within the bound of one event, none needs to be measured
 */
export function readEventInputs(value: unknown, limits: Limits, bytes = Number.POSITIVE_INFINITY): EventInputs {
  const { eventBytes, eventsPerPublish } = limits;
  if (Array.isArray(value) && value.length > eventsPerPublish) return tooMany(eventsPerPublish);
  const result = publishSchema.safeParse(value);
  if (!result.success) return { ok: false, reason: 'shape', issues: result.error.issues };
  const events: readonly EventInput[] = Array.isArray(result.data) ? result.data : [result.data];
  if (bytes > eventBytes && events.some((event) => byteLength(event) > eventBytes)) {
    return { ok: false, reason: 'size', detail: `An event has at most ${eventBytes} bytes.` };
  }
  return { ok: true, events };
}

export function tooMany(eventsPerPublish: number): Extract<EventInputs, { readonly reason: 'size' }> {
  return { ok: false, reason: 'size', detail: `A publish has at most ${eventsPerPublish} events.` };
}

function byteLength(event: EventInput): number {
  return new TextEncoder().encode(JSON.stringify(event)).byteLength;
}
