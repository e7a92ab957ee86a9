/**
 * Publishes over HTTP/1.1 keep-alive connections, one request at a time on each, at a set rate or as fast as it is answered.
 * Driven over IPC by `load.ts`.
 */
import { connect, type Socket } from 'node:net';
import { microseconds, type Spread, spread, stamp } from './clock.ts';

export interface OpenWriters {
  readonly kind: 'open';
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
}

export interface Write {
  readonly kind: 'write';
  /** Events a second over all connections; absent: as fast as it is answered. */
  readonly rate?: number;
  /** When to stop, in seconds from now. */
  readonly seconds: number;
  /** Stop after so many requests, if that is earlier. */
  readonly requests?: number;
  /** Events in one request; more than one are sent as an array. */
  readonly batch?: number;
}

export type WriterCommand = OpenWriters | Write;

export interface Writing {
  readonly sent: number;
  /** Requests that were answered with 2xx. */
  readonly accepted: number;
  /** The first answer of another kind. */
  readonly refusal: string | undefined;
  /** The first request, and the last answer, in microseconds of the machine's clock. */
  readonly startedAt: number;
  readonly lastAt: number;
  /** From request to answer. */
  readonly latency: Spread;
}

const MAX_SAMPLES = 1 << 20;
/** How long unanswered requests are waited for at the end, in milliseconds. */
const ANSWER_MS = 30_000;

interface Connection {
  readonly socket: Socket;
  busy: boolean;
  sentAt: number;
  answer: string;
}

let head = '';
let connections: Connection[] = [];
let onFree: (connection: Connection) => void = () => {};
const samples = new Float64Array(MAX_SAMPLES);
let sampled = 0;
let accepted = 0;
let refusal: string | undefined;
let lastAt = 0;
let gone: Error | undefined;

/** Whether the text is one whole answer: its length is known from `Content-Length`, the last chunk, or the status alone. */
function isWhole(answer: string): boolean {
  const end = answer.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer.slice(0, end));
  if (length !== null) return answer.length >= end + 4 + Number(length[1]);
  return answer.startsWith('HTTP/1.1 204') || answer.endsWith('0\r\n\r\n');
}

function receive(connection: Connection, bytes: Buffer): void {
  connection.answer += bytes.toString('latin1');
  if (!isWhole(connection.answer)) return;
  lastAt = microseconds();
  if (sampled < MAX_SAMPLES) samples[sampled++] = lastAt - connection.sentAt;
  if (connection.answer.startsWith('HTTP/1.1 2')) accepted += 1;
  else refusal ??= connection.answer.slice(0, 500);
  connection.answer = '';
  connection.busy = false;
  onFree(connection);
}

function open(options: OpenWriters): Promise<void> {
  const headers = Object.entries(options.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  head =
    `POST ${options.path} HTTP/1.1\r\nHost: 127.0.0.1:${options.port}\r\n` +
    `Content-Type: application/json\r\n${headers.join('')}Content-Length: `;
  const opened = Array.from({ length: options.connections }, () => {
    return new Promise<Connection>((connected, refused) => {
      const socket = connect({ host: '127.0.0.1', port: options.port, noDelay: true });
      const connection: Connection = { socket, busy: false, sentAt: 0, answer: '' };
      socket.once('connect', () => connected(connection));
      socket.on('data', (bytes) => receive(connection, bytes));
      socket.on('error', (error) => {
        gone = error;
        refused(error);
      });
      socket.once('close', () => {
        gone ??= new Error('the server closed a publishing connection');
      });
    });
  });
  return Promise.all(opened).then((all) => {
    connections = all;
  });
}

function send(connection: Connection, time: number, batch: number): void {
  const event = `{"data":"${stamp(time)}"}`;
  const body = batch === 1 ? event : `[${Array(batch).fill(event).join(',')}]`;
  connection.busy = true;
  connection.sentAt = microseconds();
  connection.socket.write(`${head}${body.length}\r\n\r\n${body}`, 'latin1');
}

async function write(plan: Write): Promise<Writing> {
  const batch = plan.batch ?? 1;
  const limit = plan.requests ?? Number.MAX_SAFE_INTEGER;
  const startedAt = microseconds();
  const stopAt = startedAt + plan.seconds * 1e6;
  let sent = 0;
  accepted = 0;
  sampled = 0;
  refusal = undefined;
  const more = (): boolean => sent < limit && microseconds() < stopAt && refusal === undefined && gone === undefined;

  if (plan.rate === undefined) {
    const next = (connection: Connection): void => {
      if (!more()) return;
      sent += 1;
      send(connection, microseconds(), batch);
    };
    onFree = next;
    for (const connection of connections) next(connection);
    while (more()) await new Promise((tick) => setTimeout(tick, 20));
  } else {
    onFree = () => {};
    while (more()) {
      const now = microseconds();
      const due = startedAt + (sent * 1e6) / plan.rate;
      const free = due <= now ? connections.find((connection) => !connection.busy) : undefined;
      if (free === undefined) {
        await new Promise((tick) => setTimeout(tick, 1));
        continue;
      }
      sent += 1;
      // An event that had to wait for a connection for longer than timers are late is timed from when it was due.
      send(free, now - due > 5000 ? due : now, batch);
    }
  }
  const deadline = microseconds() + ANSWER_MS * 1000;
  while (connections.some((one) => one.busy) && gone === undefined && microseconds() < deadline)
    await new Promise((tick) => setTimeout(tick, 5));
  if (gone !== undefined) throw gone;
  return { sent, accepted, refusal, startedAt, lastAt, latency: spread(samples.subarray(0, sampled)) };
}

process.on('message', (command: WriterCommand) => {
  const done: Promise<object> = command.kind === 'open' ? open(command).then(() => ({})) : write(command);
  done.then(
    (reply) => process.send?.(reply),
    (error: Error) => process.send?.({ fault: error.message }),
  );
});
process.on('disconnect', () => process.exit());
