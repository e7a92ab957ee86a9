/** What may be published, whether it comes over HTTP or from the code that embeds the app. */
import type { z } from 'zod';
import { DEFAULT_TYPE, type EventInput } from '../protocol/event.ts';
import type { Limits } from '../protocol/limits.ts';
import { publishSchema } from '../protocol/schemas.ts';
import type { EventTypes } from './event-definitions.ts';

export type EventInputs =
  | { readonly ok: true; readonly events: readonly EventInput[] }
  | { readonly ok: false; readonly reason: 'shape'; readonly issues: readonly z.core.$ZodIssue[] }
  /** Too many events, or one that is too large; `detail` says which, for whoever sent it. */
  | { readonly ok: false; readonly reason: 'size'; readonly detail: string };

/**
 * Reads one event or several.
 *
 * @param types what may be published to the topic: anything unless told. Data come out as their schema makes them
 * @param bytes how many bytes they came in, where that is known: within the bound of one event, none needs to be measured
 */
export function readEventInputs(
  value: unknown,
  limits: Limits,
  types?: EventTypes,
  bytes = Number.POSITIVE_INFINITY,
): EventInputs {
  const { eventBytes, eventsPerPublish } = limits;
  if (Array.isArray(value) && value.length > eventsPerPublish) return tooMany(eventsPerPublish);
  const result = publishSchema.safeParse(value);
  if (!result.success) return { ok: false, reason: 'shape', issues: result.error.issues };
  const events: readonly EventInput[] = Array.isArray(result.data) ? result.data : [result.data];
  const listed = Array.isArray(value);
  const read = types === undefined ? { ok: true as const, events } : readDefined(events, types, listed);
  // What came over HTTP is JSON, and as large as it was. What code gives, or a schema makes, may be anything.
  return read.ok && (types !== undefined || bytes > eventBytes) ? measure(read.events, eventBytes, listed) : read;
}

/** Whether every event can be stored. */
function measure(events: readonly EventInput[], eventBytes: number, listed: boolean): EventInputs {
  for (const [index, event] of events.entries()) {
    const bytes = byteLength(event);
    if (bytes === undefined) {
      const path = [...(listed ? [index] : []), 'data'];
      return { ok: false, reason: 'shape', issues: [{ code: 'custom', path, message: 'not JSON', input: undefined }] };
    }
    if (bytes > eventBytes) return { ok: false, reason: 'size', detail: `An event has at most ${eventBytes} bytes.` };
  }
  return { ok: true, events };
}

/** @param listed whether they came in a list: then the issues say where in it */
function readDefined(events: readonly EventInput[], types: EventTypes, listed: boolean): EventInputs {
  const issues: z.core.$ZodIssue[] = [];
  const read = events.map((event, index): EventInput => {
    const place = listed ? [index] : [];
    const { type = DEFAULT_TYPE, data } = event;
    const schema = Object.hasOwn(types, type) ? types[type] : undefined;
    if (schema === undefined) {
      const message = `this topic has no events of the type ${type}`;
      issues.push({ code: 'custom', path: [...place, 'type'], message, input: undefined });
      return event;
    }
    const result = schema.safeParse(data);
    if (result.success) return { ...event, data: result.data };
    for (const issue of result.error.issues) issues.push({ ...issue, path: [...place, 'data', ...issue.path] });
    return event;
  });
  return issues.length === 0 ? { ok: true, events: read } : { ok: false, reason: 'shape', issues };
}

export function tooMany(eventsPerPublish: number): Extract<EventInputs, { readonly reason: 'size' }> {
  return { ok: false, reason: 'size', detail: `A publish has at most ${eventsPerPublish} events.` };
}

/** @returns of an event as JSON; `undefined` where its data are none: a function has no text, nor has what holds itself */
function byteLength({ data, ...rest }: EventInput): number | undefined {
  try {
    const text = JSON.stringify(data);
    const others = JSON.stringify(rest);
    // In another order than in the event, and as long.
    const comma = others === '{}' ? '' : ',';
    if (text === undefined) return undefined;
    return new TextEncoder().encode(`${others}${comma}"data":${text}`).byteLength;
  } catch {
    return undefined;
  }
}
