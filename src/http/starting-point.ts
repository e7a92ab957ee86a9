/** Where a reader begins: the first that is given of Last-Event-ID, lastEventId, after, since, last (protocol section 2). */
import type { Start, SubscribeRequest } from '../broker/broker.ts';
import { type Cursor, parseCompoundCursor, positionsOf } from '../protocol/cursor.ts';
import { type Filter, parseFilter } from '../protocol/filter.ts';
import type { ReadQuery, StreamTopic } from '../protocol/schemas.ts';
import { ProblemError } from './problem-error.ts';

/** @throws ProblemError `invalid-cursor` when the header holds none */
export function subscribeRequests(
  topics: readonly string[],
  query: ReadQuery,
  lastEventId: string | undefined,
  fallback: 'earliest' | 'latest',
): readonly SubscribeRequest[] {
  const filters = parseFilters(query.filter);
  const start = startOf({ ...query, after: lastEventId || query.lastEventId || query.after }, fallback);
  return topics.map((topic) => ({
    topic,
    start: start(topic, topics.length === 1),
    types: query.types,
    filters,
    conflate: query.conflate,
  }));
}

/** One topic of a stream that is opened with a body. */
export function subscribeRequest(topic: StreamTopic, fallback: 'earliest' | 'latest' = 'latest'): SubscribeRequest {
  return {
    topic: topic.topic,
    start: startOf(topic, fallback)(topic.topic, true),
    types: topic.types,
    filters: parseFilters(topic.filter),
    conflate: topic.conflate,
  };
}

function startOf(
  asked: {
    readonly after?: string | undefined;
    readonly since?: string | undefined;
    readonly last?: number | undefined;
  },
  fallback: 'earliest' | 'latest',
): (topic: string, alone: boolean) => Start {
  const { after, since, last } = asked;
  if (after === 'earliest' || after === 'latest') return () => ({ kind: after });
  if (after !== undefined) {
    const positions = parseCompoundCursor(after);
    if (positions === undefined) throw new ProblemError('invalid-cursor');
    return (topic, alone) => startAt(topic, alone, positions);
  }
  if (since !== undefined) return () => ({ kind: 'since', time: Date.parse(since) });
  if (last !== undefined) return () => ({ kind: 'last', count: last });
  return () => ({ kind: fallback });
}

/**
 * A topic that the cursor never held begins live: nothing of it was ever promised. A reader of one topic who comes with
 * another's cursor is told by a gap, since it believes to have a position.
 */
function startAt(topic: string, alone: boolean, positions: readonly Cursor[]): Start {
  const own = positionsOf(topic, positions);
  const cursors = own.length === 0 && alone ? positions.slice(0, 1) : own;
  return cursors.length === 0 ? { kind: 'latest' } : { kind: 'cursor', cursors };
}

function parseFilters(texts: readonly string[] | undefined): readonly Filter[] {
  return (texts ?? []).map((text) => {
    const filter = parseFilter(text);
    if (filter === undefined) throw new ProblemError('invalid-filter');
    return filter;
  });
}
