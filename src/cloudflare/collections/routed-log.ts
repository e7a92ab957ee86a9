/** The logs of a Worker with collections: those of collections are in Postgres, all others in their objects. */
import type { LogRange, LogStore, TopicStatus } from '../../store/store.ts';

/**
 * @param names of the collections
 * @param postgres their logs
 * @param objects all other logs
 */
export function createRoutedLog(names: readonly string[], postgres: LogStore, objects: LogStore): LogStore {
  const collections = new Set(names);
  const of = (topic: string) => (collections.has(topic) ? postgres : objects);
  return {
    ...objects,
    append: (append) => of(append.topic).append(append),
    read: (topic, after, limit) => of(topic).read(topic, after, limit),
    async ranges(topics) {
      const ranges = new Map<string, LogRange>();
      for (const log of [postgres, objects]) {
        const some = topics.filter((topic) => of(topic) === log);
        const found = some.length === 0 ? [] : await log.ranges(some);
        found.forEach((range, index) => void ranges.set(some[index] ?? '', range));
      }
      return topics.flatMap((topic) => ranges.get(topic) ?? []);
    },
    seek: (topic, time) => of(topic).seek(topic, time),
    async topics(query) {
      const { prefix = '', after = '', limit } = query;
      const asked = names.filter((name) => name.startsWith(prefix) && isAfter(name, after));
      const found = await Promise.all([objects.topics(query), ...asked.map((name) => postgres.topic(name))]);
      return found
        .flat()
        .filter((status) => status !== undefined)
        .toSorted((one, other) => (isAfter(one.topic, other.topic) ? 1 : -1))
        .slice(0, limit);
    },
    topic: (name): Promise<TopicStatus | undefined> => of(name).topic(name),
    compact: (topic, upTo) => of(topic).compact(topic, upTo),
    drop: (topic) => of(topic).drop(topic),
  };
}

/** By code points, as stores order names. */
function isAfter(one: string, other: string): boolean {
  const [points, others] = [Array.from(one), Array.from(other)];
  for (const [index, point] of points.entries()) {
    const difference = (point.codePointAt(0) ?? 0) - (others[index]?.codePointAt(0) ?? -1);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
