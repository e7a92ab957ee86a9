/** The Worker's end of the WebSocket to a topic's object. */
import type { Cursor } from '../protocol/cursor.ts';
import { StoreUnavailable } from '../store/store.ts';
import { reach } from './away.ts';
import { type Bindings, relayOf, topicOf } from './bindings.ts';
import { closeSocket, watchSocket } from './platform.ts';
import {
  decodeFrame,
  encodeRead,
  encodeTaken,
  PATH_HEADER,
  READ_HEADER,
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
  close(): void;
}

/** How long an object may take to say where a reading begins, in ms. */
const HELLO_MS = 10_000;

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

/** @throws StoreUnavailable */
export async function openTopicSocket(
  bindings: Bindings,
  read: ReadRequest,
  observer: TopicSocketObserver,
): Promise<TopicSocket> {
  const headers = { Upgrade: 'websocket', [READ_HEADER]: encodeRead(read) };
  const response = await open(bindings, read.topic, headers);
  const socket = response.webSocket;
  if (!socket) throw new StoreUnavailable(`the object of a topic answered ${response.status}`);
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
