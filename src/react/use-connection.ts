/** How the connection is. */
import { useCallback } from 'react';
import type { ClientStatus } from '../client/create-client.ts';
import { useClient } from './use-client.ts';
import { useStore, whole } from './use-store.ts';

/** As a client is that has nothing to do yet: what a server shows. */
const NOT_CONNECTED: ClientStatus = {
  state: 'disconnected',
  lastHeartbeat: undefined,
  attempts: 0,
  trouble: undefined,
  transport: undefined,
  obstacle: undefined,
  quality: 'offline',
  roundTrip: undefined,
  queued: 0,
  dead: 0,
};

/**
 * The client's status: state of the connection, its quality, and how many writes wait. While it is shown, the round trip is measured every
 * 30 s.
 *
 * @param select what of it is shown, so that nothing is rendered when something else changes; all of it unless told
 * @example
 * ```tsx
 * const quality = useConnection((status) => status.quality);
 * ```
 */
export function useConnection(): ClientStatus;
export function useConnection<Selected>(select: (status: ClientStatus) => Selected): Selected;
export function useConnection(select: (status: ClientStatus) => unknown = whole): unknown {
  const client = useClient();
  const subscribe = useCallback((listener: () => void) => client.observe(listener), [client]);
  const read = useCallback(() => client.status, [client]);
  return useStore({ subscribe, read, initial }, select);
}

const initial = () => NOT_CONNECTED;
