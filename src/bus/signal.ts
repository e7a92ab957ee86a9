/**
 * Bus signals as text. What arrives is parsed strictly, because whoever may speak on the medium (anyone who can
 * `NOTIFY` in the database) is not thereby trusted: a signal is of a known kind and shape, or it is nothing.
 *
 * The text is JSON in ASCII, so that its length in characters is its length in bytes, in any encoding of the medium,
 * and it can be cut anywhere.
 */
import { z } from 'zod';
import { isTopic } from '../protocol/topic.ts';
import type { BusSignal } from './bus.ts';

/** The names that a node may have: they stand in frames and in the names of database sessions. */
export const NODE_NAME = /^[A-Za-z0-9_.-]{1,64}$/;

/**
 * The most characters of one `appended` or `presence` signal. What has more heads is sent as several signals, each short enough for
 * one notification of Postgres (8,000 bytes), so that heads never depend on the joining of parts.
 */
export const MAX_APPENDED_LENGTH = 7_000;

const node = z.string().regex(NODE_NAME);
const name = z.string().min(1).max(128);
const topic = z.string().refine(isTopic);

/** The members that an {@link EventBody} may have; `id`, `topic` and `time` are the log's to say. */
const bodySchema = z.strictObject({
  type: z.string(),
  data: z.unknown(),
  key: z.string().optional(),
  actor: z.string().optional(),
  mutation: z.string().optional(),
  version: z.int().optional(),
});

const heads = z.array(z.tuple([topic, z.int().min(0)])).min(1);

const signalSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('appended'), heads }),
  z.strictObject({ kind: z.literal('presence'), heads }),
  z.strictObject({
    kind: z.literal('ephemeral'),
    topic,
    // The times that a Date can hold.
    time: z.int().min(0).max(8.64e15),
    bodies: z.array(z.string().refine(isEventBody)).min(1),
  }),
  z.strictObject({ kind: z.literal('revoked') }),
  z.strictObject({ kind: z.literal('call'), call: name, to: node.optional(), operation: name, body: z.unknown() }),
  z.strictObject({ kind: z.literal('reply'), call: name, to: node, body: z.unknown() }),
]);

/**
 * Writes a signal. The `body` of a call or reply travels as JSON does: `undefined` as `null`.
 *
 * @returns `undefined` when a body is nothing that JSON can say (a cycle, a BigInt)
 */
export function encodeSignal(signal: BusSignal): string | undefined {
  try {
    return toAscii(JSON.stringify('body' in signal ? { ...signal, body: signal.body ?? null } : signal));
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Reads a signal; `undefined` when it is malformed in any way. */
export function decodeSignal(text: string): BusSignal | undefined {
  return signalSchema.safeParse(readJson(text)).data;
}

/** Escapes what is not ASCII as JSON does. */
export function toAscii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Bodies are written to streams as they are, so one that could break a line or hold a foreign member is refused. */
function isEventBody(body: string): boolean {
  return !/[\r\n]/.test(body) && bodySchema.safeParse(readJson(`{${body}`)).success;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: `undefined` satisfies no schema here.
    return undefined;
  }
}
