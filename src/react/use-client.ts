/** The client itself, for what has no hook: publishing, requests, another token. */
import type { Client } from '../client/create-client.ts';
import { useScope } from './sluice-provider.ts';

/**
 * The client of the nearest provider.
 *
 * @throws Error when there is no provider
 * @example
 * ```tsx
 * const client = useClient();
 * <button onClick={() => client.publish('chat:lobby', { type: 'said', data: { text } })}>Send</button>
 * ```
 */
export function useClient(): Client {
  return useScope().client;
}
