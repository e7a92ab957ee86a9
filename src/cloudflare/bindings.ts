/** What a deployment gives to the Worker and its objects: see `wrangler.toml`. */
import { type Config, readConfig } from '../config/config.ts';
import type { GateMethods } from './gate-object.ts';
import type { ObjectNamespace } from './platform.ts';
import type { SystemMethods } from './system-object.ts';
import type { TopicMethods } from './topic-object.ts';

/** Besides these, the settings of the documentation's table, as variables or secrets. */
export interface Bindings {
  readonly SLUICE_TOPICS: ObjectNamespace<TopicMethods>;
  readonly SLUICE_SYSTEM: ObjectNamespace<SystemMethods>;
  readonly SLUICE_GATES: ObjectNamespace<GateMethods>;
}

/** The settings among the bindings. @throws Error that names every mistake */
export function settingsOf(env: object): Config {
  const variables = Object.fromEntries(Object.entries(env).filter(([, value]) => typeof value === 'string'));
  const result = readConfig(variables, {}, 'serve');
  if (result.ok) return result.config;
  throw new Error(result.mistakes.map(({ name, message }) => `${name} ${message}`).join('; '));
}

/** The object of a topic. */
export function topicOf({ SLUICE_TOPICS }: Bindings, topic: string) {
  return SLUICE_TOPICS.get(SLUICE_TOPICS.idFromName(topic));
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
