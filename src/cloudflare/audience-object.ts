/** An object that has readers: what comes on their sockets is its audience's. */
import { DurableObject } from 'cloudflare:workers';
import type { Audience } from './audience.ts';
import type { Bindings } from './bindings.ts';
import type { WorkerSocket } from './platform.ts';

export abstract class AudienceObject extends DurableObject<Bindings> {
  protected abstract readonly audience: Audience;

  webSocketMessage(socket: WorkerSocket, message: unknown): void {
    this.audience.hear(socket, message);
  }

  webSocketClose(socket: WorkerSocket): void {
    this.audience.forget(socket);
  }

  webSocketError(socket: WorkerSocket): void {
    this.audience.forget(socket);
  }
}
