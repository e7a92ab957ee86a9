/**
 * Tickets: what stands in a URL where a header cannot be sent (protocol section 4).
 *
 * A ticket is `slt1_` and the base64url of a MAC and the JSON that it covers. It is self-contained, so any node with the key can
 * read it and none has to remember it, and it looks nothing like a JWT, so that a token put into a URL by mistake is told
 * apart. It allows reading exactly the topics that it names, and if it says so who is at them, until it ends or is revoked.
 */
import { base64url } from 'jose';
import { z } from 'zod';
import type { Grants } from '../protocol/grants.ts';
import { roleSchema } from './claims.ts';
import type { Authentication, Principal } from './principal.ts';
import { EXPIRED, INVALID } from './refusals.ts';
import { VerifiedCache } from './verified-cache.ts';

/** The longest ticket, in characters, so that it fits into any URL. */
export const MAX_TICKET_LENGTH = 4096;

const PREFIX = 'slt1_';
const TICKET = /^slt1_[A-Za-z0-9_-]+$/;
const MAC_BYTES = 32;
const ID_BYTES = 16;
const KEY_BYTES = 32;

/** Stands before the JSON in what is signed, so that no other use of the same key can be passed off as a ticket. */
const DOMAIN = new TextEncoder().encode('sluice ticket 1\0');

/** Short names: every character counts in a URL. */
const payloadSchema = z.object({
  /** the ticket's own id */
  i: z.string(),
  /** topics */
  t: z.array(z.string()),
  /** whether it also tells who is at the topics */
  p: z.literal(1).optional(),
  /** ends, ms since 1970 */
  e: z.number(),
  /** `sub` of the token */
  s: z.string().optional(),
  /** its role */
  r: roleSchema,
  /** when it was issued, ms since 1970 */
  a: z.number(),
  /** its ids */
  j: z.array(z.string()),
  /** its claims but `sluice`; taken as they are, without a copy */
  c: z.custom<Readonly<Record<string, unknown>>>((value) => typeof value === 'object' && value !== null),
});
type Payload = z.infer<typeof payloadSchema>;

export type IssuedTicket =
  | {
      readonly ok: true;
      readonly ticket: string;
      /** Names the ticket in a revocation, as `jti`. */
      readonly id: string;
      readonly topics: readonly string[];
      /** ms since 1970 */
      readonly expires: number;
    }
  /**
   * `too-large`: the topics and the token's claims do not fit into {@link MAX_TICKET_LENGTH}. No claim is left out to make room:
   * a row-level security policy may depend on any. `token-expired`: it would have ended already. `forbidden`: a
   * ticket was to be made from a ticket.
   */
  | { readonly ok: false; readonly code: 'too-large' | 'token-expired' | 'forbidden' };

export interface Tickets {
  /**
   * Makes a ticket. Whether the principal may subscribe to the topics is for the caller to have asked.
   *
   * @param ttlSeconds how long it shall live; it never outlives the principal
   * @param presence whether it also allows to see who is at the topics, which is for the caller to have asked as well
   */
  issue(principal: Principal, topics: readonly string[], ttlSeconds: number, presence?: boolean): Promise<IssuedTicket>;

  /** Verifies a ticket, at once when it was verified lately: `token-invalid`, `token-expired`, or its principal. */
  verify(ticket: string): Authentication | Promise<Authentication>;
}

export interface TicketsOptions {
  /** 32 random bytes, the same on every node. */
  readonly key: Uint8Array;
  /** ms since 1970 */
  readonly clock?: (() => number) | undefined;
  /** Fills the array with random bytes. */
  readonly random?: ((bytes: Uint8Array<ArrayBuffer>) => Uint8Array) | undefined;
}

const utf8 = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true });

/** @throws TypeError when the key is not 32 bytes long */
export function createTickets(options: TicketsOptions): Tickets {
  const clock = options.clock ?? Date.now;
  const random = options.random ?? ((bytes) => crypto.getRandomValues(bytes));
  if (options.key.byteLength !== KEY_BYTES) throw new TypeError(`a ticket key is ${KEY_BYTES} bytes long`);
  const keyBytes = new Uint8Array(options.key);
  const verified = new VerifiedCache();
  let imported: CryptoKey | undefined;

  /** Imports at first use. The key is kept, not its promise, so that no request waits for another's. */
  async function key(): Promise<CryptoKey> {
    imported ??= await crypto.subtle.importKey('raw', keyBytes, { name: 'HMAC', hash: 'SHA-256' }, false, [
      'sign',
      'verify',
    ]);
    return imported;
  }

  async function check(ticket: string): Promise<Authentication> {
    const bytes = decode(ticket);
    if (bytes === undefined) return INVALID;
    const mac = bytes.subarray(0, MAC_BYTES);
    const json = bytes.subarray(MAC_BYTES);
    // Compares in constant time.
    if (!(await crypto.subtle.verify('HMAC', await key(), mac, signedBytes(json)))) return INVALID;
    const payload = payloadSchema.safeParse(JSON.parse(strict.decode(json)));
    if (!payload.success) return INVALID;
    const now = clock();
    if (payload.data.e <= now) return EXPIRED;
    return verified.add(ticket, principalOf(payload.data), now);
  }

  return {
    async issue(principal, topics, ttlSeconds, presence = false) {
      if (principal.kind === 'ticket') return { ok: false, code: 'forbidden' };
      const now = clock();
      const expires = Math.min(now + ttlSeconds * 1000, principal.expires ?? Number.POSITIVE_INFINITY);
      if (expires <= now) return { ok: false, code: 'token-expired' };
      const id = base64url.encode(random(new Uint8Array(ID_BYTES)));
      const { sluice: _, ...claims } = principal.claims;
      const payload: Payload = {
        i: id,
        t: [...new Set(topics)],
        ...(presence && { p: 1 }),
        e: expires,
        s: principal.sub,
        r: principal.role,
        a: principal.issued,
        j: [...principal.ids],
        c: claims,
      };
      const json = utf8.encode(JSON.stringify(payload));
      if (encodedLength(json.byteLength) > MAX_TICKET_LENGTH) return { ok: false, code: 'too-large' };
      const mac = new Uint8Array(await crypto.subtle.sign('HMAC', await key(), signedBytes(json)));
      return { ok: true, ticket: PREFIX + base64url.encode(concat(mac, json)), id, topics: payload.t, expires };
    },

    verify(ticket) {
      return verified.get(ticket, clock()) ?? check(ticket);
    },
  };
}

/** Whether `text` has the shape of a JWT or of another compact JOSE object: two to four dots, and JSON at its head. */
export function looksLikeToken(text: string): boolean {
  return /^eyJ[\w-]*(\.[\w-]*){2,4}$/.test(text);
}

/** MAC and JSON; `undefined` when this cannot be a ticket. Only the canonical spelling is accepted, so a ticket has one text. */
function decode(ticket: string): Uint8Array<ArrayBuffer> | undefined {
  if (ticket.length > MAX_TICKET_LENGTH || !TICKET.test(ticket)) return undefined;
  const text = ticket.slice(PREFIX.length);
  // A single character left over is no byte (RFC 4648 section 4).
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(base64url.decode(text));
  // The bits left over after the last byte must be zero (RFC 4648 section 3.5).
  return bytes.byteLength > MAC_BYTES && base64url.encode(bytes) === text ? bytes : undefined;
}

function encodedLength(jsonBytes: number): number {
  return PREFIX.length + Math.ceil(((MAC_BYTES + jsonBytes) * 4) / 3);
}

function signedBytes(json: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(DOMAIN, json);
}

function concat(head: Uint8Array, tail: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(head.byteLength + tail.byteLength);
  bytes.set(head);
  bytes.set(tail, head.byteLength);
  return bytes;
}

function principalOf(payload: Payload): Principal {
  const topics = new Set(payload.t);
  const seesMembers = payload.p === 1;
  const grants: Grants = {
    admin: false,
    allows: (action, topic) => (action === 'subscribe' || (action === 'presence' && seesMembers)) && topics.has(topic),
  };
  return {
    kind: 'ticket',
    sub: payload.s,
    role: payload.r,
    grants,
    expires: payload.e,
    issued: payload.a,
    ids: [payload.i, ...payload.j],
    // The claims say what this credential may do, not what the token could.
    claims: { ...payload.c, sluice: { subscribe: payload.t, ...(seesMembers && { presence: payload.t }) } },
  };
}
