/**
 * What is attached to a reader's socket, so that it outlives hibernation. The platform lets 16 KiB be attached, by structured clone; the few
 * readers who choose by more than that have it in a row.
 */
import type { Cursor } from '../protocol/cursor.ts';
import type { ObjectState, WorkerSocket } from './platform.ts';
import type { ReadRequest } from './topic-frames.ts';

export interface ReaderAttachment {
  readonly read: ReadRequest;
  readonly position: Cursor | undefined;
  readonly live: boolean;
}

/** In the place of what is too large. */
type Elsewhere = { readonly row: number };

/** Characters of JSON that surely fit, two bytes each. */
const FITS = 7000;

export function attach({ storage }: ObjectState, socket: WorkerSocket, attachment: ReaderAttachment): void {
  const text = JSON.stringify(attachment);
  const row = rowOf(socket);
  if (text.length <= FITS && row === undefined) {
    socket.serializeAttachment(attachment);
    return;
  }
  const { sql } = storage;
  sql.exec('CREATE TABLE IF NOT EXISTS attachments (row INTEGER PRIMARY KEY, text TEXT NOT NULL)');
  if (row !== undefined) {
    sql.exec('UPDATE attachments SET text = ? WHERE row = ?', text, row);
    return;
  }
  const [made] = sql
    .exec<Elsewhere & { row: number }>('INSERT INTO attachments (text) VALUES (?) RETURNING row', text)
    .toArray();
  socket.serializeAttachment(made);
}

export function attached({ storage }: ObjectState, socket: WorkerSocket): ReaderAttachment {
  const row = rowOf(socket);
  if (row === undefined) return socket.deserializeAttachment() as ReaderAttachment;
  const [kept] = storage.sql.exec<{ text: string }>('SELECT text FROM attachments WHERE row = ?', row).toArray();
  return JSON.parse(kept?.text ?? 'null');
}

/** The socket is gone. */
export function detach({ storage }: ObjectState, socket: WorkerSocket): void {
  const row = rowOf(socket);
  if (row !== undefined) storage.sql.exec('DELETE FROM attachments WHERE row = ?', row);
}

function rowOf(socket: WorkerSocket): number | undefined {
  const attachment = socket.deserializeAttachment() as Partial<Elsewhere> | null;
  return attachment?.row;
}
