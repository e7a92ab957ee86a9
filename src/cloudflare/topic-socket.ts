/** The Worker's end of the WebSocket to an object that has readers. */
import type { Cursor } from '../protocol/cursor.ts';
import { StoreUnavailable } from '../store/store.ts';
import { reach } from './away.ts';
import { type Bindings, relayOf, topicOf } from './bindings.ts';
import { closeSocket, type UpgradedResponse, watchSocket } from './platform.ts';
import { errorOf } from './read-refusal.ts';
import {
  decodeFrame,
  decodeRefusal,
  encodeExchange,
  encodeRead,
  encodeTaken,
  PATH_HEADER,
  READ_HEADER,
  REFUSAL_HEADER,
  RELAY_HEADER,
  type ReadRequest,
  type TopicFrame,
} from './topic-frames.ts';

export interface TopicSocketObserver {
  /** @param size of the frame, in characters */
  frame(frame: TopicFrame, size: number): void;
  /** The socket is gone, by nobody's wish here. Told once. */
  lost(): void;
}

export interface TopicSocket {
  /** Where the reading begins; `undefined` where no events are read. */
  readonly position: Cursor | undefined;
  /** Tells the observer from now on, first what came since the socket was opened. */
  start(): void;
  /** Says that so many characters were taken. */
  taken(characters: number): void;
  /** Says what is to be read from now on. */
  exchange(read: ReadRequest): void;
  close(): void;
}

/** How long an object may take to say where a reading begins, in ms. */
export const HELLO_MS = 10_000;

/** Relays on the way to one that has room. */
const MOST_HOPS = 8;

/** Asks the object of a topic, and whichever relay that one names. */
async function open(bindings: Bindings, topic: string, headers: Readonly<Record<string, string>>) {
  let response = await reach(topicOf(bindings, topic).fetch('https://topic.sluice/', { headers }));
  let path = '';
  for (let hop = 0; hop < MOST_HOPS; hop += 1) {
    const relay = response.headers.get(RELAY_HEADER);
    if (relay === null) break;
    path = path === '' ? relay : `${path}/${relay}`;
    const onward = { ...headers, [PATH_HEADER]: path };
    response = await reach(relayOf(bindings, topic, path).fetch('https://relay.sluice/', { headers: onward }));
  }
  return response;
}

/** Opens a socket to the object of a topic. @throws StoreUnavailable */
export async function openTopicSocket(
  bindings: Bindings,
  read: ReadRequest,
  observer: TopicSocketObserver,
): Promise<TopicSocket> {
  return readFrom(await open(bindings, read.topic, readHeaders(read)), read, observer);
}

/** The headers of a request that opens a socket. */
export function readHeaders(read: ReadRequest): Readonly<Record<string, string>> {
  return { Upgrade: 'websocket', [READ_HEADER]: encodeRead(read) };
}

/**
 * Reads from an object that has answered with a socket, or else with why it has not.
 * @throws StoreUnavailable; what {@link errorOf} makes of another refusal
 */
export async function readFrom(
  response: UpgradedResponse,
  { topic }: ReadRequest,
  observer: TopicSocketObserver,
): Promise<TopicSocket> {
  const socket = response.webSocket;
  if (!socket) throw errorOf(decodeRefusal(response.headers.get(REFUSAL_HEADER)), topic);
  let waiting: (readonly [TopicFrame, number])[] | undefined = [];
  let isOver = false;
  let isClosed = false;
  let heard = 0;
  const hello = Promise.withResolvers<Extract<TopicFrame, { readonly kind: 'hello' }>>();

  function end(): void {
    hello.reject(new StoreUnavailable('the socket of a topic was closed'));
    if (isOver) return;
    isOver = true;
    stopWatching();
    if (waiting === undefined) observer.lost();
  }

  socket.addEventListener('message', ({ data }) => {
    heard += 1;
    if (isOver || typeof data !== 'string' || !data.startsWith('{')) return;
    const frame = decodeFrame(data);
    if (frame.kind === 'hello') hello.resolve(frame);
    else if (waiting !== undefined) waiting.push([frame, data.length]);
    else observer.frame(frame, data.length);
  });
  socket.addEventListener('close', end);
  socket.addEventListener('error', end);
  socket.accept();
  const stopWatching = watchSocket(
    socket,
    () => heard,
    () => {
      closeSocket(socket, 1000);
      end();
    },
  );
  const late = setTimeout(end, HELLO_MS);
  try {
    const { position } = await hello.promise;
    return {
      position,
      start() {
        const before = waiting ?? [];
        waiting = undefined;
        for (const [frame, size] of before) observer.frame(frame, size);
        if (isOver && !isClosed) observer.lost();
      },
      taken: (characters) => send(encodeTaken(characters)),
      exchange: (read) => send(encodeExchange(read)),
      close() {
        isOver = true;
        isClosed = true;
        stopWatching();
        closeSocket(socket, 1000);
      },
    };
  } catch (error) {
    // Whoever waits no more is not to be read for.
    isOver = true;
    stopWatching();
    closeSocket(socket, 1000);
    throw error;
  } finally {
    clearTimeout(late);
  }

  function send(text: string): void {
    try {
      socket?.send(text);
    } catch {
      end();
    }
  }
}
