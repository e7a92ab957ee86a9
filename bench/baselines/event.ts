/** What the baseline servers share: they take the same publish as Sluice, and send an event of the same members and length. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

let seq = 0;

/** An event ready to be sent: its id and its JSON. */
export interface Outgoing {
  readonly id: string;
  readonly event: { readonly [name: string]: unknown };
}

/** Reads a publish and makes the event of it. The log that would make the id mean something is missing. */
export function toEvent(input: { readonly data: unknown }): Outgoing {
  const id = `baseline00-${++seq}`;
  const time = new Date().toISOString();
  return { id, event: { id, topic: 'bench:00000000', time, type: 'message', data: input.data, actor: 'bench' } };
}

/** Tells the bench where the server listens. */
export function announce(server: Pick<Server, 'address'>): void {
  process.send?.({ port: (server.address() as AddressInfo).port });
  process.on('disconnect', () => process.exit());
}
