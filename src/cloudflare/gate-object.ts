/**
 * A gate: where nodes that hold streams can be reached. A node here is one request that holds a stream; it is gone when that is.
 *
 * It keeps nothing. A node is connected as long as its WebSocket is, and the gate sleeps whenever nobody says anything.
 */
import { DurableObject } from 'cloudflare:workers';
import type { Envelope } from '../bus/bus.ts';
import { answerPings, closeSocket, type ObjectState, socketPair, upgrade, type WorkerSocket } from './platform.ts';

/** What may be called. */
export interface GateMethods {
  /** Passes a signal on: to the node that it is for, else to all. @returns whether it is passed to anybody */
  pass(envelope: Envelope, to: string | undefined): Promise<boolean>;
}

/** The header that carries the name of a node. */
export const NODE_HEADER = 'Sluice-Node';

/** How long a node that is not here yet is waited for, in ms: its stream says its name before it is connected. */
const PATIENCE_MS = 1500;

export class SluiceGate extends DurableObject implements GateMethods {
  readonly #awaited = new Map<string, Set<() => void>>();

  constructor(ctx: ObjectState, env: unknown) {
    super(ctx, env);
    answerPings(ctx);
  }

  async fetch(request: Request): Promise<Response> {
    const node = request.headers.get(NODE_HEADER);
    if (node === null || request.headers.get('Upgrade') !== 'websocket') return new Response(null, { status: 400 });
    const [client, server] = socketPair();
    this.ctx.acceptWebSocket(server, [node]);
    for (const arrived of this.#awaited.get(node) ?? []) arrived();
    return upgrade(client);
  }

  async pass(envelope: Envelope, to: string | undefined): Promise<boolean> {
    const text = JSON.stringify(envelope);
    if (to !== undefined && this.ctx.getWebSockets(to).length === 0) await this.#arrival(to);
    const sockets = this.ctx.getWebSockets(to);
    for (const socket of sockets) send(socket, text);
    return sockets.length > 0;
  }

  webSocketMessage(): void {}

  webSocketClose(socket: WorkerSocket): void {
    closeSocket(socket);
  }

  webSocketError(socket: WorkerSocket): void {
    closeSocket(socket);
  }

  #arrival(node: string): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#awaited.get(node) ?? new Set();
      this.#awaited.set(node, waiting);
      const done = () => {
        clearTimeout(late);
        waiting.delete(done);
        if (waiting.size === 0) this.#awaited.delete(node);
        resolve();
      };
      const late = setTimeout(done, PATIENCE_MS);
      waiting.add(done);
    });
  }
}

function send(socket: WorkerSocket, text: string): void {
  try {
    socket.send(text);
  } catch {
    // It is closing.
  }
}
