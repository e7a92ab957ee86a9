/** A bridge to TanStack Query 5 (`sluice/query`), whatever the framework. */
export { type BridgeOptions, bridgeQueries } from './bridge-queries.ts';
export { type Live, type Queried, type RecordsQuery, recordsQuery } from './records-query.ts';
export type { CollectionRule, Rule, TopicRule } from './rule.ts';
