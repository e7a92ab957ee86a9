/** The collections as their object serves them: as a node does, except that it rests whenever there is nothing to do. */
import { LocalBroker } from '../../broker/local-broker.ts';
import { createRetentionTask, type RetentionTask } from '../../broker/retention-task.ts';
import { LiveCollections } from '../../http/live-collections.ts';
import type { Log } from '../../http/log.ts';
import type { Collection } from '../../records/collection.ts';
import type { Database } from '../../store/postgres/database.ts';
import { requireSchema } from '../../store/postgres/hyperdrive.ts';
import type { RememberedIdentity } from '../../store/postgres/log-identity.ts';
import { createPooledStore } from '../../store/postgres/postgres-store.ts';
import type { Settings } from '../bindings.ts';
import { createHearingBus } from '../hearing-bus.ts';

export interface CollectionsNodeOptions {
  readonly database: Database;
  readonly collections: readonly Collection[];
  readonly settings: Settings;
  readonly log: Log;
  /** Told when there is nothing to do for now. */
  readonly onRest: () => void;
  /** Told after events were given to readers. */
  readonly onFlush: () => void;
  /** Ends the readers of a collection that cannot be served for now. */
  readonly endStreams: (collection: string) => void;
  readonly onFault: (error: unknown) => void;
}

export interface CollectionsNode {
  readonly live: LiveCollections;
  readonly broker: LocalBroker;
  readonly retention: RetentionTask;
}

/** Each look costs a way to the database and back, and a kick comes with every write of this API. */
const BUSY_MS = 100;

/**
 * Opens them. Nothing is moved before `live.wake`.
 * Collections that are not as they must be are left out until they are: the others go on.
 * @throws StoreUnavailable; Error when the database itself is not as it must be
 */
export async function openCollectionsNode({
  database,
  collections,
  settings,
  log,
  onRest,
  onFlush,
  endStreams,
  onFault,
}: CollectionsNodeOptions): Promise<CollectionsNode> {
  await requireSchema(database);
  const identity: RememberedIdentity = { id: '', confirmed: 0 };
  const store = createPooledStore(database, identity);
  const broker = new LocalBroker({
    log: store.log,
    bus: createHearingBus(),
    schedule: (work) => queueMicrotask(work),
    // Looked at by the object's alarm.
    tailCheckMs: 0,
    compacted: settings.compacts,
    observer: { onFlush, onFault },
  });
  const live = new LiveCollections({
    store,
    collections,
    broker,
    node: 'object',
    // It begins to move at every write, which is worth no line.
    log: { ...log, info: log.debug },
    onFault,
    endStreams,
    onRest,
    busyMs: BUSY_MS,
  });
  await live.open({ leavesOut: true });
  const names = new Set(collections.map(({ name }) => name));
  const retention = createRetentionTask({
    log: store.log,
    clock: Date.now,
    // What else is in the database may be another server's.
    retention: (topic) => (names.has(topic) ? settings.retention : {}),
    compact: (topic) => names.has(topic) && settings.compacts(topic),
    onPruned: () => undefined,
    onFault,
  });
  return { live, broker, retention };
}
