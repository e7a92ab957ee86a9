/** What may be published, whether it comes over HTTP or from the code that embeds the app. */
import type { z } from 'zod';
import type { EventInput } from '../protocol/event.ts';
import { publishSchema } from '../protocol/schemas.ts';

export type EventInputs =
  | { readonly ok: true; readonly events: readonly EventInput[] }
  | { readonly ok: false; readonly issues: readonly z.core.$ZodIssue[] };

/** Reads one event or several. */
export function readEventInputs(value: unknown): EventInputs {
  const result = publishSchema.safeParse(value);
  if (!result.success) return { ok: false, issues: result.error.issues };
  return { ok: true, events: Array.isArray(result.data) ? result.data : [result.data] };
}
