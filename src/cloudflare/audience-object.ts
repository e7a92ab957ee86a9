/** An object that has readers: what comes on their sockets is its audience's. */
import { DurableObject } from 'cloudflare:workers';
import type { Audience } from './audience.ts';
import type { Bindings } from './bindings.ts';
import type { WorkerSocket } from './platform.ts';

/** @typeParam Given what the deployment gives to it */
export abstract class AudienceObject<Given extends Bindings = Bindings> extends DurableObject<Given> {
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
