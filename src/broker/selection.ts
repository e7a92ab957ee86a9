/** What a subscriber wants to see of a topic, and may: types, filters, a projection, conflation. */
import type { LogEvent } from '../protocol/event-batch.ts';
import { compileFilters, type Filter, formatFilter, valueAt } from '../protocol/filter.ts';

export interface Selection {
  readonly types?: readonly string[] | undefined;
  readonly filters?: readonly Filter[] | undefined;
  /** Applied before the types. A topic that has one leaves the filters to it. */
  readonly projection?: Projection | undefined;
}

/** What some readers see in place of each event. */
export interface Projection {
  /** Projections of one topic with the same name do the same. */
  readonly name: string;
  /** What is seen of an event, or `undefined` for nothing. Pure. */
  readonly project: (event: LogEvent) => LogEvent | undefined;
  readonly index?: SelectionIndex | undefined;
}

/** A text that an event has and a reader asks for, so that readers are found by it and need not be asked one by one. */
export interface SelectionIndex {
  /** Selections whose indexes have the same attribute are kept together. */
  readonly attribute: string;
  /** The values of an event; `undefined` for one that may concern every reader. */
  readonly valuesOf: (event: LogEvent) => Iterable<string> | undefined;
  /** An event of which none of these is a value is nothing to the reader. */
  readonly values: readonly string[];
}

/** A compiled selection. Two selections with the same `name` choose the same events, and can share the work. */
export interface Selector {
  readonly name: string;
  /** What is seen of an event; `undefined` where everything is, as it is. */
  readonly choose: ((event: LogEvent) => LogEvent | undefined) | undefined;
  readonly index?: SelectionIndex | undefined;
}

/** Chooses everything. */
export const EVERYTHING: Selector = { name: '', choose: undefined };

export function compileSelection({ types = [], filters = [], projection }: Selection): Selector {
  if (types.length === 0 && filters.length === 0 && projection === undefined) return EVERYTHING;
  const wanted = new Set(types);
  const matches = projection === undefined && filters.length > 0 ? compileFilters(filters) : undefined;
  const project = projection?.project;
  return {
    name: JSON.stringify([[...wanted].sort(), filters.map(formatFilter).sort(), projection?.name]),
    choose(event) {
      const seen = project === undefined ? event : project(event);
      if (seen === undefined || (wanted.size > 0 && !wanted.has(seen.type))) return undefined;
      return matches === undefined || matches(seen.data) ? seen : undefined;
    },
    index: projection === undefined ? indexOf(filters) : projection.index,
  };
}

/** Applies a selector to events. */
export function choose(events: readonly LogEvent[], selector: Selector): readonly LogEvent[] {
  if (selector.choose === undefined) return events;
  const chosen: LogEvent[] = [];
  for (const event of events) {
    const seen = selector.choose(event);
    if (seen !== undefined) chosen.push(seen);
  }
  return chosen;
}

/** Conflates a run of events: of those with the same key only the newest stays, in the order of the log. */
export function conflate(events: readonly LogEvent[]): readonly LogEvent[] {
  const newest = new Map<string, LogEvent>();
  for (const event of events) if (event.key !== undefined) newest.set(event.key, event);
  return events.filter((event) => event.key === undefined || newest.get(event.key) === event);
}

/** The condition that names values: the first that asks for equality. */
export function namingFilter(filters: readonly Filter[]): Filter | undefined {
  return filters.find(({ operator }) => operator === 'eq' || operator === 'in');
}

/** The texts under which a value of an event is looked for: those that an equal text of a filter may be written as. */
export function indexText(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}

/** The texts under which a filter's value is kept: as it is, and as a number that is equal to it is written. */
export function indexTexts(values: readonly string[]): readonly string[] {
  return [...new Set(values.flatMap((value) => [value, String(Number(value))]))];
}

function indexOf(filters: readonly Filter[]): SelectionIndex | undefined {
  const filter = namingFilter(filters);
  if (filter === undefined) return undefined;
  const { path } = filter;
  return {
    attribute: JSON.stringify(path),
    values: indexTexts(filter.values),
    valuesOf(event) {
      const text = indexText(valueAt(event.data, path));
      return text === undefined ? [] : [text];
    },
  };
}
