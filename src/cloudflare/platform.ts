/** What the Workers runtime gives, as far as it is used here: `ctx` of Workers and of Durable Objects, their stubs and WebSockets. */
import type { SqlStorage } from '../store/durable-object/sql.ts';

/** `ctx` of a Worker's request. */
export interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void;
}

/** A WebSocket of the runtime: it can be accepted, and what is attached to it outlives hibernation. */
export interface WorkerSocket {
  accept(): void;
  send(message: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close' | 'error', listener: () => void): void;
  /** At most 16 KiB, by structured clone. */
  serializeAttachment(value: unknown): void;
  deserializeAttachment(): unknown;
}

/** `ctx.storage` of an object. */
export interface ObjectStorage extends SqlStorage {
  getAlarm(): Promise<number | null>;
  /** @param time ms since 1970 */
  setAlarm(time: number): Promise<void>;
}

/** `ctx` of a Durable Object. */
export interface ObjectState {
  readonly storage: ObjectStorage;
  /** Lets nothing else in until it is done. */
  blockConcurrencyWhile<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Takes a socket over: its events come to the object's methods, and it may be hibernated under it. @param tags at most 10 */
  acceptWebSocket(socket: WorkerSocket, tags?: readonly string[]): void;
  getWebSockets(tag?: string): WorkerSocket[];
  /** Has the runtime itself answer a message on all sockets, without waking the object. */
  setWebSocketAutoResponse(pair: object): void;
}

/** A namespace of objects of one class. @typeParam Methods those that may be called */
export interface ObjectNamespace<Methods> {
  idFromName(name: string): unknown;
  get(id: unknown): Methods & { fetch(url: string, init?: RequestInit): Promise<UpgradedResponse> };
}

/** A response that may have become a socket. */
export type UpgradedResponse = Response & { readonly webSocket?: WorkerSocket | null };

declare const WebSocketPair: new () => { readonly 0: WorkerSocket; readonly 1: WorkerSocket };

/** Two ends of one socket. */
export function socketPair(): readonly [client: WorkerSocket, server: WorkerSocket] {
  const pair = new WebSocketPair();
  return [pair[0], pair[1]];
}

declare const WebSocketRequestResponsePair: new (request: string, response: string) => object;

/** What a Worker asks to learn whether a socket still lives, and what the runtime answers for the object. */
export const PING = 'ping';
const PONG = 'pong';

/** Has the sockets of an object answered when they are asked whether they live. */
export function answerPings(ctx: ObjectState): void {
  ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
}

/** How often a socket is asked, and how long the answer may take, in ms. */
const PING_MS = 30_000;
const PONG_MS = 10_000;

/**
 * Finds out that a socket is dead though nobody has closed it.
 * @param heard how often something came on it
 * @param dead called once it must be
 * @returns ends it
 */
export function watchSocket(socket: WorkerSocket, heard: () => number, dead: () => void): () => void {
  let late: ReturnType<typeof setTimeout> | undefined;
  const timer = setInterval(() => {
    const before = heard();
    try {
      socket.send(PING);
    } catch {
      dead();
      return;
    }
    late = setTimeout(() => heard() === before && dead(), PONG_MS);
  }, PING_MS);
  return () => {
    clearInterval(timer);
    clearTimeout(late);
  };
}

/** Closes a socket, be it open or not. */
export function closeSocket(socket: WorkerSocket, code?: number): void {
  try {
    socket.close(code);
  } catch {
    // It is closed already.
  }
}

/** The answer that gives a client its end of a socket. */
export function upgrade(socket: WorkerSocket): Response {
  const init: ResponseInit & { readonly webSocket: WorkerSocket } = { status: 101, webSocket: socket };
  return new Response(null, init);
}
