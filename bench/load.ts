/** The load on a server: readers and writers, each in a process of its own, so that neither takes the server's time. */
import type { OpenStreams, ReaderCommand, Reading, StreamRequest } from './load/reader-process.ts';
import type { OpenTable, TableWriterCommand, Update, Updating } from './load/table-writer-process.ts';
import type { OpenWriters, Write, WriterCommand, Writing } from './load/writer-process.ts';
import { type Running, start } from './processes.ts';
import type { Server } from './servers.ts';

export type { Reading, StreamRequest } from './load/reader-process.ts';
export type { Updating } from './load/table-writer-process.ts';
export type { Writing } from './load/writer-process.ts';

/** How long a stream's outstanding deliveries are waited for, in milliseconds. */
const SETTLE_MS = 30_000;

/** Many open streams of one topic. */
export interface Readers {
  /** Forgets what was counted so far. */
  mark(): Promise<void>;
  /**
   * Waits until every stream has had `each` deliveries, at most `timeoutMs`, and a moment for one too many. Of several numbers,
   * the streams take them in turn.
   */
  settle(each: number | readonly number[], timeoutMs?: number): Promise<Reading>;
  close(): Promise<void>;
}

export interface ReaderOptions {
  readonly topic: string;
  readonly connections: number;
  /** One delivery in so many has its latency taken. Default 1. */
  readonly sampleEvery?: number;
  /** How many loopback addresses the streams come from. Default 1. */
  readonly sources?: number;
  /** The query of the stream's address, to read from the beginning. Such a stream counts from its first byte. */
  readonly query?: string;
  /** What the streams ask for, taken in turn, where they do not all ask for the topic. */
  readonly requests?: readonly StreamRequest[];
  /** How much text stands between the mark and the time. Default 0. */
  readonly beforeTime?: number;
}

/** Opens the streams and resolves when every one is live, or has begun if it reads history. */
export async function openReaders(server: Server, options: ReaderOptions): Promise<Readers> {
  const child = start({ name: 'the readers', file: 'bench/load/reader-process.ts', ipc: true });
  const ask = <Reply>(command: ReaderCommand): Promise<Reply> => child.ask<Reply>(command);
  const plan: OpenStreams = {
    kind: 'open',
    port: server.port,
    requests: options.requests ?? [
      { path: server.streamPath(options.topic) + (options.query ?? ''), headers: server.headers },
    ],
    connections: options.connections,
    ready: options.query === undefined ? server.ready : '\r\n\r\n',
    sources: options.sources ?? 1,
    sampleEvery: options.sampleEvery ?? 1,
    beforeTime: options.beforeTime ?? 0,
  };
  await orEnd(child, ask(plan));
  return {
    mark: async () => {
      await ask({ kind: 'mark' });
    },
    settle: (each, timeoutMs = SETTLE_MS) => ask<Reading>({ kind: 'settle', each, timeoutMs }),
    close: async () => {
      child.kill();
      await child.ended;
    },
  };
}

/** Publishers with open connections. */
export interface Writers {
  write(plan: Omit<Write, 'kind'>): Promise<Writing>;
  close(): Promise<void>;
}

export async function openWriters(server: Server, topic: string, connections: number): Promise<Writers> {
  const child = start({ name: 'the writers', file: 'bench/load/writer-process.ts', ipc: true });
  const ask = <Reply>(command: WriterCommand): Promise<Reply> => child.ask<Reply>(command);
  const { port, headers } = server;
  const plan: OpenWriters = { kind: 'open', port, path: server.publishPath(topic), headers, connections };
  await orEnd(child, ask(plan));
  return {
    write: (write) => ask<Writing>({ kind: 'write', ...write }),
    close: async () => {
      child.kill();
      await child.ended;
    },
  };
}

/** Writers of a table, each with a connection to the database. */
export interface TableWriters {
  update(plan: Omit<Update, 'kind'>): Promise<Updating>;
  close(): Promise<void>;
}

export async function openTableWriters(url: string, writers: number): Promise<TableWriters> {
  const child = start({ name: 'the writers', file: 'bench/load/table-writer-process.ts', ipc: true });
  const ask = <Reply>(command: TableWriterCommand): Promise<Reply> => child.ask<Reply>(command);
  const plan: OpenTable = { kind: 'open', url, writers };
  await orEnd(child, ask(plan));
  return {
    update: (update) => ask<Updating>({ kind: 'update', ...update }),
    close: async () => {
      child.kill();
      await child.ended;
    },
  };
}

async function orEnd(child: Running, opening: Promise<unknown>): Promise<void> {
  try {
    await opening;
  } catch (error) {
    child.kill();
    throw error;
  }
}

/** What is wrong with a load that was not wholly accepted and delivered; `undefined` when nothing is. */
export function shortfall(writing: Writing, reading: Reading, streams: number, batch = 1): string | undefined {
  if (writing.refusal !== undefined) return `a publish was refused: ${firstLine(writing.refusal)}`;
  if (writing.accepted !== writing.sent) return `${writing.accepted} of ${writing.sent} publishes were answered`;
  const expected = writing.accepted * batch * streams;
  if (reading.delivered !== expected) return `${reading.delivered} of ${expected} deliveries arrived`;
  if (reading.wrong > 0) return `${reading.wrong} streams had too many or too few deliveries`;
  if (reading.closed > 0) return `${reading.closed} streams were closed`;
  return undefined;
}

function firstLine(text: string): string {
  return text.split('\r\n', 1)[0] ?? '';
}
