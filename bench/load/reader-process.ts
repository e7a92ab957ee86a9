/**
 * Reads many event streams and counts what arrives, as cheaply as Node can: bare sockets that all read into one buffer, and
 * a search for one byte in it. Nothing is decoded but a sample of the time stamps. Driven over IPC by `load.ts`.
 */
import { connect, type Socket } from 'node:net';
import { MARK_BYTE, microseconds, type Spread, spread, TIME_DIGITS } from './clock.ts';

/** What is asked for when a stream is opened. */
export interface StreamRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface OpenStreams {
  readonly kind: 'open';
  readonly port: number;
  /** The requests of the streams, which take them in turn. */
  readonly requests: readonly StreamRequest[];
  readonly connections: number;
  /** The stream is open once this text has arrived; what is counted comes after it. */
  readonly ready: string;
  /** How many addresses of 127.0.0.0/8 the connections come from. */
  readonly sources: number;
  /** One delivery in so many has its latency taken. */
  readonly sampleEvery: number;
  /** How much text stands between the mark and the time. */
  readonly beforeTime: number;
}

export type ReaderCommand =
  | OpenStreams
  /** Forget what was counted. */
  | { readonly kind: 'mark' }
  /** Wait until every stream has had so many deliveries, or the time is up. Of several numbers, the streams take them in turn. */
  | { readonly kind: 'settle'; readonly each: number | readonly number[]; readonly timeoutMs: number };

export interface Reading {
  readonly delivered: number;
  /** Streams that had more or fewer deliveries than expected. */
  readonly wrong: number;
  /** Streams that ended. */
  readonly closed: number;
  /** When the streams were asked for, and the last delivery, in microseconds of the machine's clock. */
  readonly openedAt: number;
  readonly lastAt: number;
  /** From the publisher's write to here. */
  readonly latency: Spread;
  /** Seconds of processor time that reading took, in this process. */
  readonly cpu: number;
}

/** A stream that has not opened within so much text never will. */
const MAX_HEAD = 64 * 1024;
/** Connections being opened at one time: below the usual accept queue. */
const OPENING = 100;
/** Latencies kept; later ones are not taken. */
const MAX_SAMPLES = 1 << 20;
/** After the last expected delivery, wait so long for one too many, in milliseconds. */
const EXCESS_MS = 150;

interface Stream {
  /** What has arrived, until the stream is open. */
  head: string | undefined;
  count: number;
}

const shared = Buffer.allocUnsafe(256 * 1024);
const samples = new Float64Array(MAX_SAMPLES);
let sampled = 0;
const streams: Stream[] = [];
let total = 0;
let closed = 0;
let openedAt = 0;
let lastAt = 0;
let sampleEvery = 1;
let beforeTime = 0;
let untilSample = 1;
let usage = process.cpuUsage();

function count(stream: Stream, bytes: Buffer): void {
  let at = bytes.indexOf(MARK_BYTE);
  if (at === -1) return;
  lastAt = microseconds();
  let found = 0;
  for (; at !== -1; at = bytes.indexOf(MARK_BYTE, at + 1)) {
    found += 1;
    untilSample -= 1;
    if (untilSample > 0) continue;
    untilSample = sampleEvery;
    // A time that is cut off by the end of this read is left out of the sample.
    const from = at + 1 + beforeTime;
    if (from + TIME_DIGITS > bytes.length || sampled === MAX_SAMPLES) continue;
    const sent = Number(bytes.toString('latin1', from, from + TIME_DIGITS));
    if (sent > 0) samples[sampled++] = lastAt - sent;
  }
  stream.count += found;
  total += found;
}

/** Resolves when the stream is open; rejects when it will not open. */
function openStream(options: OpenStreams, index: number): Promise<void> {
  const stream: Stream = { head: '', count: 0 };
  streams.push(stream);
  return new Promise((opened, refused) => {
    const arrive = (bytes: Buffer): void => {
      if (stream.head === undefined) {
        count(stream, bytes);
        return;
      }
      stream.head += bytes.toString('latin1');
      // A stream that begins with history may bring much of it along with its head, so that is looked for first.
      const accepted = 'HTTP/1.1 200'.startsWith(stream.head.slice(0, 12));
      const at = accepted ? stream.head.indexOf(options.ready) : -1;
      if (at === -1) {
        if (!accepted || stream.head.length > MAX_HEAD)
          refused(new Error(`the stream did not open: ${stream.head.slice(0, 300)}`));
        return;
      }
      const rest = Buffer.from(stream.head.slice(at + options.ready.length), 'latin1');
      stream.head = undefined;
      opened();
      count(stream, rest);
    };
    const socket: Socket = connect({
      host: '127.0.0.1',
      port: options.port,
      localAddress: `127.0.0.${1 + (index % options.sources)}`,
      noDelay: true,
      onread: {
        buffer: shared,
        callback: (length) => {
          arrive(shared.subarray(0, length));
          return true;
        },
      },
    });
    const { path, headers: named } = options.requests[index % options.requests.length] as StreamRequest;
    const headers = Object.entries(named).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${options.port}\r\nAccept: text/event-stream\r\n${headers.join('')}\r\n`,
    );
    // An error is always followed by `close`, which counts; while opening it is the reason given.
    socket.on('error', refused);
    socket.once('close', () => {
      closed += 1;
      refused(new Error('the stream ended while opening'));
    });
  });
}

async function open(options: OpenStreams): Promise<void> {
  ({ sampleEvery, beforeTime } = options);
  openedAt = microseconds();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < options.connections) await openStream(options, next++);
  };
  await Promise.all(Array.from({ length: OPENING }, lane));
}

function mark(): void {
  for (const stream of streams) stream.count = 0;
  total = 0;
  sampled = 0;
  usage = process.cpuUsage();
}

async function settle(each: number | readonly number[], timeoutMs: number): Promise<Reading> {
  const deadline = microseconds() + timeoutMs * 1000;
  const expectedOf = (index: number): number => (typeof each === 'number' ? each : (each[index % each.length] ?? 0));
  const expected = streams.reduce((sum, _, index) => sum + expectedOf(index), 0);
  while (total < expected && closed === 0 && microseconds() < deadline)
    await new Promise((tick) => setTimeout(tick, 10));
  await new Promise((tick) => setTimeout(tick, EXCESS_MS));
  const { user, system } = process.cpuUsage(usage);
  return {
    delivered: total,
    wrong: streams.filter((stream, index) => stream.count !== expectedOf(index)).length,
    closed,
    openedAt,
    lastAt,
    latency: spread(samples.subarray(0, sampled)),
    cpu: (user + system) / 1e6,
  };
}

async function obey(command: ReaderCommand): Promise<object> {
  if (command.kind === 'settle') return settle(command.each, command.timeoutMs);
  if (command.kind === 'mark') mark();
  else await open(command);
  return {};
}

process.on('message', (command: ReaderCommand) => {
  obey(command).then(
    (reply) => process.send?.(reply),
    (error: Error) => process.send?.({ fault: error.message }),
  );
});
process.on('disconnect', () => process.exit());
