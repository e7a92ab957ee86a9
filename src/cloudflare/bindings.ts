/** What a deployment gives to the Worker and its objects: see `wrangler.toml`. */
import { type Config, readConfig } from '../config/config.ts';
import { compileTopicPattern } from '../protocol/topic.ts';
import type { GateMethods } from './gate-object.ts';
import type { ObjectNamespace } from './platform.ts';
import type { RateLimiterBinding } from './rate-limit.ts';
import type { RelayMethods } from './relay-object.ts';
import type { SystemMethods } from './system-object.ts';
import type { TopicMethods } from './topic-object.ts';

/** Besides these, the settings of the documentation's table, as variables or secrets. */
export interface Bindings {
  readonly SLUICE_TOPICS: ObjectNamespace<TopicMethods>;
  readonly SLUICE_SYSTEM: ObjectNamespace<SystemMethods>;
  readonly SLUICE_GATES: ObjectNamespace<GateMethods>;
  readonly SLUICE_RELAYS: ObjectNamespace<RelayMethods>;
  /** Counts writes of a subject, or else of an address. None unless there is one. */
  readonly SLUICE_RATE_LIMITER?: RateLimiterBinding;
}

/** The settings, and what they say of topics. */
export interface Settings extends Config {
  /** Whether a topic keeps only the newest event of each key. */
  readonly compacts: (topic: string) => boolean;
}

/** The settings among the bindings. @throws Error that names every mistake */
export function settingsOf(env: object): Settings {
  const variables = Object.fromEntries(Object.entries(env).filter(([, value]) => typeof value === 'string'));
  const result = readConfig(variables, {}, 'serve');
  if (result.ok) {
    const { config } = result;
    const patterns = config.compactTopics.flatMap((pattern) => compileTopicPattern(pattern) ?? []);
    return { ...config, compacts: (topic) => patterns.some((matches) => matches(topic)) };
  }
  throw new Error(result.mistakes.map(({ name, message }) => `${name} ${message}`).join('; '));
}

/** The object of a topic. */
export function topicOf({ SLUICE_TOPICS }: Bindings, topic: string) {
  return SLUICE_TOPICS.get(SLUICE_TOPICS.idFromName(topic));
}

/** A relay of a topic. @param path the numbers that lead to it from the topic's object: `3`, or `3/0` */
export function relayOf({ SLUICE_RELAYS }: Bindings, topic: string, path: string) {
  // No topic has a line break.
  return SLUICE_RELAYS.get(SLUICE_RELAYS.idFromName(`${topic}\n${path}`));
}

/** How the readers of a topic are spread over objects. */
export interface Spread {
  /** The most readers that one object has itself. Two thousand unless `READERS_PER_OBJECT` says otherwise. */
  readonly readers: number;
  /** The most relays of one object. 64 unless `RELAYS_PER_OBJECT` says otherwise. */
  readonly relays: number;
}

export function spreadOf(env: object): Spread {
  const { READERS_PER_OBJECT, RELAYS_PER_OBJECT }: { readonly [name: string]: unknown } = { ...env };
  return { readers: countOf(READERS_PER_OBJECT, 2000), relays: countOf(RELAYS_PER_OBJECT, 64) };
}

function countOf(value: unknown, otherwise: number): number {
  const count = Number(value);
  return Number.isInteger(count) && count > 0 ? count : otherwise;
}

/** The object of what belongs to no topic. */
export function systemOf({ SLUICE_SYSTEM }: Bindings) {
  return SLUICE_SYSTEM.get(SLUICE_SYSTEM.idFromName('system'));
}

/** How many gates there are. Nodes are spread over them by their names; another number takes effect with the next deployment. */
const GATES = 8;

/** The gate of a node. */
export function gateOf(bindings: Bindings, node: string) {
  return gatesOf(bindings)[Number.parseInt(node.slice(0, 4), 36) % GATES] ?? gateAt(bindings, 0);
}

export function gatesOf(bindings: Bindings) {
  return Array.from({ length: GATES }, (_, index) => gateAt(bindings, index));
}

function gateAt({ SLUICE_GATES }: Bindings, index: number) {
  return SLUICE_GATES.get(SLUICE_GATES.idFromName(`gate-${index}`));
}
