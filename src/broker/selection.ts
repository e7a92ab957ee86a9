/** What a subscriber wants to see of a topic: types, filters, conflation. */
import type { LogEvent } from '../protocol/event-batch.ts';
import { compileFilters, type Filter, formatFilter } from '../protocol/filter.ts';

export interface Selection {
  readonly types?: readonly string[] | undefined;
  readonly filters?: readonly Filter[] | undefined;
}

/** A compiled selection. Two selections with the same `name` choose the same events, and can share the work. */
export interface Selector {
  readonly name: string;
  /** `undefined` chooses everything. */
  readonly chooses: ((event: LogEvent) => boolean) | undefined;
}

/** Chooses everything. */
export const EVERYTHING: Selector = { name: '', chooses: undefined };

export function compileSelection({ types = [], filters = [] }: Selection): Selector {
  if (types.length === 0 && filters.length === 0) return EVERYTHING;
  const wanted = new Set(types);
  const matches = compileFilters(filters);
  return {
    name: JSON.stringify([[...wanted].sort(), filters.map(formatFilter).sort()]),
    chooses: (event) => (wanted.size === 0 || wanted.has(event.type)) && (filters.length === 0 || matches(event.data)),
  };
}

/** Applies a selector to events. */
export function choose(events: readonly LogEvent[], { chooses }: Selector): readonly LogEvent[] {
  return chooses === undefined ? events : events.filter(chooses);
}

/** Conflates a run of events: of those with the same key only the newest stays, in the order of the log. */
export function conflate(events: readonly LogEvent[]): readonly LogEvent[] {
  const newest = new Map<string, LogEvent>();
  for (const event of events) if (event.key !== undefined) newest.set(event.key, event);
  return events.filter((event) => event.key === undefined || newest.get(event.key) === event);
}
