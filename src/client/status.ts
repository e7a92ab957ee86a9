/** What is known of the connection, for people to see. */
import type { ConnectionState, Trouble } from './connection/state.ts';

/** One moment. The same object as long as nothing has changed. */
export interface Status {
  readonly state: ConnectionState['kind'];
  /** ms since 1970 */
  readonly lastHeartbeat: number | undefined;
  /** Failed attempts in a row. */
  readonly attempts: number;
  /** Why there is no connection. */
  readonly trouble: Trouble | undefined;
  /** `tab`: another tab's connection is used. */
  readonly transport: 'stream' | 'poll' | 'tab' | undefined;
}
