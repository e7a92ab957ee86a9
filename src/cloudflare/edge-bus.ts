/** The bus of a Worker's request: reaches the requests that hold streams through the gates, and is reached while it holds one itself. */
import type { Bus, BusSignal, Envelope } from '../bus/bus.ts';
import { type Bindings, gateOf, gatesOf } from './bindings.ts';
import { NODE_HEADER } from './gate-object.ts';
import { type WorkerSocket, watchSocket } from './platform.ts';

export interface EdgeBus extends Bus {
  /** Lets others reach this node, until the bus is closed. */
  connect(): Promise<void>;
  /** Hands a signal to those who listen here. */
  hear(signal: BusSignal): void;
}

export interface EdgeBusOptions {
  readonly bindings: Bindings;
  readonly node: string;
  /** Keeps the request alive until something is done. */
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly follow: (topic: string) => () => void;
  readonly onFault: (error: unknown) => void;
}

const RETRY_MS = 500;

export function createEdgeBus({ bindings, node, waitUntil, follow, onFault }: EdgeBusOptions): EdgeBus {
  const listeners = new Set<readonly [receive: (envelope: Envelope) => void, resumed: () => void]>();
  let socket: WorkerSocket | undefined;
  let connecting: Promise<void> | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let stopWatching: () => void = () => undefined;
  let isClosed = false;

  function tell(envelope: Envelope): void {
    for (const [receive] of listeners) receive(envelope);
  }

  async function open(): Promise<void> {
    const headers = { Upgrade: 'websocket', [NODE_HEADER]: node };
    const { webSocket } = await gateOf(bindings, node).fetch('https://gate.sluice/', { headers });
    if (!webSocket) throw new Error('a gate gave no socket');
    let heard = 0;
    webSocket.addEventListener('message', ({ data }) => {
      heard += 1;
      if (typeof data === 'string' && data.startsWith('{')) tell(JSON.parse(data));
    });
    webSocket.addEventListener('close', lost);
    webSocket.addEventListener('error', lost);
    webSocket.accept();
    stopWatching = watchSocket(webSocket, () => heard, lost);
    socket = webSocket;
    if (isClosed) webSocket.close(1000);
    // What was said before was not heard.
    for (const [, resumed] of listeners) resumed();
  }

  function lost(): void {
    if (isClosed || socket === undefined) return;
    stopWatching();
    socket = undefined;
    connecting = undefined;
    retry = setTimeout(() => void connect(), RETRY_MS);
  }

  function connect(): Promise<void> {
    connecting ??= open().catch((error: unknown) => {
      onFault(error);
      connecting = undefined;
      if (!isClosed) retry = setTimeout(() => void connect(), RETRY_MS);
    });
    return connecting;
  }

  async function pass(signal: BusSignal): Promise<void> {
    const envelope: Envelope = { from: node, signal };
    const to = 'to' in signal ? signal.to : undefined;
    // Who asks must be there for the answer.
    if (signal.kind === 'call') await connect();
    if (to === undefined) await Promise.all(gatesOf(bindings).map((gate) => gate.pass(envelope, undefined)));
    else if (!(await gateOf(bindings, to).pass(envelope, to)) && signal.kind === 'call')
      tell({ from: to, signal: { kind: 'unheard', call: signal.call } });
  }

  return {
    send(signal) {
      // The objects of topics tell those who read them.
      if (signal.kind === 'call' || signal.kind === 'reply' || signal.kind === 'revoked')
        waitUntil(pass(signal).catch(onFault));
    },
    listen(receive, resumed) {
      const listener = [receive, resumed] as const;
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    follow,
    tellsUnheard: true,
    connected: true,
    connect,
    hear: (signal) => tell({ from: '', signal }),
    async close() {
      isClosed = true;
      clearTimeout(retry);
      stopWatching();
      socket?.close(1000);
    },
  };
}
