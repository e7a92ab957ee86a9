/** The events that an app defines: their types and data, by topic. What is published to such a topic has to be one of them. */
import type { z } from 'zod';
import { compileTopicPattern } from '../protocol/topic.ts';

/** By topic pattern (protocol section 4.2), the schema of the data of each type. */
export type EventDefinitions = Readonly<Record<string, Readonly<Record<string, z.ZodType>>>>;

/** The schemas of the types of one topic. */
export type EventTypes = Readonly<Record<string, z.ZodType>>;

/**
 * @returns what gives the types of a topic: those of the first pattern that it belongs to; `undefined` where anything may be published
 * @throws TypeError when a pattern is not legal
 */
export function compileEventDefinitions(definitions: EventDefinitions = {}): (topic: string) => EventTypes | undefined {
  const compiled = Object.entries(definitions).map(([pattern, types]) => {
    const covers = compileTopicPattern(pattern);
    if (covers === undefined) throw new TypeError(`not a topic pattern: ${JSON.stringify(pattern)}`);
    return { covers, types };
  });
  return (topic) => compiled.find(({ covers }) => covers(topic))?.types;
}
