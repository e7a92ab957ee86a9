/** The portable part: the app, and the store in memory. What needs Node is in `sluice/node`. */
export type { Credentials, Policy, Principal } from './auth/principal.ts';
export type { Broker, Origin } from './broker/broker.ts';
export type { Bus, BusSignal, Envelope } from './bus/bus.ts';
export type { AuditScope } from './http/audit.ts';
export type { CallerLimits } from './http/caller-limiter.ts';
export type { Log } from './http/log.ts';
export type { RealtimeObserver } from './http/observer.ts';
export type { Realtime, RealtimeOptions } from './http/realtime.ts';
export { createRealtime } from './http/realtime.ts';
export type { Event, EventInput } from './protocol/event.ts';
export type { GrantsClaim } from './protocol/grants.ts';
export type { Limits } from './protocol/limits.ts';
export type { Access, AccessEnd, AccessKind, AccessQuery, AuditStore, StoredAccess } from './store/audit-store.ts';
export type { MemoryStoreOptions } from './store/memory.ts';
export { createMemoryStore } from './store/memory.ts';
export type { PresenceStore } from './store/presence-store.ts';
export type { LogStore, Retention, RevocationStore, Store } from './store/store.ts';
export { StoreUnavailable } from './store/store.ts';
