/** `/v1/collections/{name}` and `/v1/collections/{name}/{key}`: rows of tables as resources (protocol section 6). */
import { type Context, Hono } from 'hono';
import {
  baseVersionSchema,
  collectionParamSchema,
  historyQuerySchema,
  recordListQuerySchema,
  recordParamSchema,
  recordQuerySchema,
} from '../../protocol/collection-schemas.ts';
import type { Action } from '../../protocol/grants.ts';
import { formatTag, MAX_TAGS, type Preconditions, parseTagList, type TagList } from '../../protocol/preconditions.ts';
import { PROBLEM_TYPE, problem } from '../../protocol/problem.ts';
import type { Conflict, Refusal, Written } from '../../records/outcome.ts';
import type { Records, WriteRequest } from '../../records/records.ts';
import { requireAdmin, requireRight } from '../authenticate.ts';
import { mediaType, readBytes, readJson, readText } from '../body.ts';
import { callerOf } from '../caller.ts';
import { ProblemError } from '../problem-error.ts';
import { type Env, type RequestContext, readerOf, type Services } from '../services.ts';
import { validate } from '../validate.ts';
import { digestOf, idempotencyKey, keyOwner, requireRate } from '../write-request.ts';

const DEFAULT_LIMIT = 100;
const DEFAULT_VERSIONS = 20;
const JSON_TYPE = { 'Content-Type': 'application/json' };
/** A compressed answer would carry a weak tag, which `If-Match` never matches. */
const ONE_RECORD = { ...JSON_TYPE, 'Cache-Control': 'private, no-cache, no-transform' };
const JSON_TYPES = ['application/json'];
const PATCH_TYPES = ['application/merge-patch+json', 'application/json'];

export type CollectionServices = Pick<Services, 'rights' | 'callers' | 'limits'> &
  Partial<Pick<Services, 'collections' | 'audit'>> & { readonly records: Records };

export function collectionsRoute(services: CollectionServices): Hono<Env> {
  const { records } = services;
  const collection = validate('param', collectionParamSchema);
  const record = validate('param', recordParamSchema);
  return new Hono<Env>()
    .get('/collections/:name', collection, validate('query', recordListQuerySchema), async (c) => {
      const { name } = c.req.valid('param');
      requireAccess(services, c, 'subscribe', name);
      const { filter: filters = [], order, limit = DEFAULT_LIMIT, page } = c.req.valid('query');
      const listed = await records.list(name, callerOf(c.get('principal')), { filters, order, limit, page });
      if (listed.kind === 'refused') throw problemOf(c, listed);
      services.audit?.note(readerOf(c), { kind: 'list', name });
      const rest = JSON.stringify({ cursor: listed.cursor, next: listed.next }).slice(1);
      const body = new TextEncoder().encode(`{"records":[${listed.records.join(',')}],${rest}`);
      // Its length tells the compression whether it is worth while.
      const length = String(body.byteLength);
      return c.body(body, 200, { ...JSON_TYPE, 'Cache-Control': 'private, no-store', 'Content-Length': length });
    })
    .post('/collections/:name', collection, async (c) => {
      const { name } = c.req.valid('param');
      refuseHeaders(c, 'If-Match', 'If-None-Match', 'Base-Version');
      const { request, bytes } = await readWrite(services, c, name, JSON_TYPES);
      const value = readJson(readText(bytes));
      const written = await records.create(name, { ...request, value });
      if (written.kind === 'refused') throw problemOf(c, written);
      noteWritten(services, c, name, written);
      if (!Array.isArray(value)) return oneRecord(c, written, `${pathOf(c)}/`);
      const all = written.records.map((each) => each.record);
      return c.body(`{"records":[${all.join(',')}]}`, 201, { ...JSON_TYPE, ...replayed(written) });
    })
    .get('/collections/:name/:key', record, validate('query', recordQuerySchema), async (c) => {
      const { name, key } = c.req.valid('param');
      const { at } = c.req.valid('query');
      requireAccess(services, c, 'subscribe', name);
      if (at !== undefined) requirePastAccess(services, c, name);
      const request = { caller: callerOf(c.get('principal')), key, preconditions: preconditionsOf(c) };
      const read = await (at === undefined
        ? records.read(name, request)
        : records.readAt(name, { ...request, at: Date.parse(at) }));
      if (read.kind === 'refused') throw problemOf(c, read);
      services.audit?.note(readerOf(c), { kind: at === undefined ? 'record' : 'history', name, key });
      const headers = { ...ONE_RECORD, ETag: formatTag(read.version) };
      return read.kind === 'unchanged' ? c.body(null, 304, headers) : c.body(read.record, 200, headers);
    })
    .get('/collections/:name/:key/history', record, validate('query', historyQuerySchema), async (c) => {
      const { name, key } = c.req.valid('param');
      requireAccess(services, c, 'subscribe', name);
      requirePastAccess(services, c, name);
      const { limit = DEFAULT_VERSIONS, before } = c.req.valid('query');
      const past = await records.history(name, { caller: callerOf(c.get('principal')), key, limit, before });
      if (past.kind === 'refused') throw problemOf(c, past);
      services.audit?.note(readerOf(c), { kind: 'history', name, key });
      const rest = JSON.stringify({ next: past.next, complete: past.complete }).slice(1);
      const body = new TextEncoder().encode(`{"versions":[${past.versions.join(',')}],${rest}`);
      const length = String(body.byteLength);
      return c.body(body, 200, { ...JSON_TYPE, 'Cache-Control': 'private, no-store', 'Content-Length': length });
    })
    .put('/collections/:name/:key', record, async (c) => {
      const { name, key } = c.req.valid('param');
      refuseHeaders(c, 'Base-Version');
      const { request, bytes } = await readWrite(services, c, name, JSON_TYPES);
      const value = readJson(readText(bytes));
      const written = await records.replace(name, { ...request, key, preconditions: preconditionsOf(c), value });
      if (written.kind === 'refused') throw problemOf(c, written);
      noteWritten(services, c, name, written);
      return oneRecord(c, written);
    })
    .patch('/collections/:name/:key', record, async (c) => {
      const { name, key } = c.req.valid('param');
      const { request, bytes } = await readWrite(services, c, name, PATCH_TYPES);
      const baseVersion = baseVersionOf(c);
      const value = readJson(readText(bytes));
      const preconditions = preconditionsOf(c);
      const written = await records.patch(name, { ...request, key, preconditions, value, baseVersion });
      if (written.kind === 'refused') throw problemOf(c, written);
      if (written.kind === 'conflict') services.audit?.note(readerOf(c), { kind: 'record', name, key });
      else noteWritten(services, c, name, written);
      return written.kind === 'conflict' ? conflictResponse(c, written) : oneRecord(c, written);
    })
    .delete('/collections/:name/:key', record, async (c) => {
      const { name, key } = c.req.valid('param');
      refuseHeaders(c, 'Base-Version');
      const { request } = await readWrite(services, c, name);
      const written = await records.remove(name, { ...request, key, preconditions: preconditionsOf(c) });
      if (written.kind === 'refused') throw problemOf(c, written);
      return c.body(null, 204, replayed(written));
    });
}

/**
 * Passes when the caller may ask at all. What `rls()` shows them is then for Postgres to say; a ticket carries only its topics, and
 * never writes. A name that no collection has is refused exactly as one is that the caller has no grant for.
 */
function requireAccess(services: CollectionServices, c: RequestContext, action: Action, name: string): void {
  const principal = c.get('principal');
  const info = services.records.find(name);
  if (info?.decidedByPostgres !== true || principal.kind === 'ticket')
    requireRight(services, principal, action, [name]);
  if (info === undefined) throw new ProblemError('not-found');
  if (action === 'publish' && info.readOnly) throw readOnly();
}

/** Policies say who sees a row as it is. Of the past they cannot be asked, so only those may ask who may see everything. */
function requirePastAccess({ records }: CollectionServices, c: RequestContext, name: string): void {
  if (records.find(name)?.decidedByPostgres === true) requireAdmin(c.get('principal'));
}

function readOnly(): ProblemError {
  return new ProblemError('method-not-allowed', {
    headers: { Allow: 'GET, HEAD' },
    detail: 'The collection is read-only.',
  });
}

/** What all writes have in common. A write without a body has no media type to be checked. */
async function readWrite(
  services: CollectionServices,
  c: RequestContext,
  name: string,
  types?: readonly string[],
): Promise<{ readonly request: WriteRequest; readonly bytes: Uint8Array }> {
  requireAccess(services, c, 'publish', name);
  const principal = c.get('principal');
  await requireRate(services.callers.write(principal, c.get('address')));
  const type = mediaType(c);
  if (types !== undefined && !types.includes(type))
    throw new ProblemError('unsupported-media-type', { detail: `Send ${types.join(' or ')}.` });
  const key = idempotencyKey(c);
  const bytes = await readBytes(c, services.limits.requestBytes);
  const request = { caller: callerOf(c.get('principal')), mutation: key };
  if (key === undefined) return { request, bytes };
  const conditions = ['If-Match', 'If-None-Match', 'Base-Version'].map((header) => c.req.header(header) ?? '');
  const digest = await digestOf([c.req.method, pathOf(c), type, ...conditions], bytes);
  return { request: { ...request, idempotency: { scope: await keyOwner(principal), key, digest } }, bytes };
}

/** The path as it was sent, below whatever the app is mounted at. */
function pathOf(c: Context): string {
  return new URL(c.req.url).pathname;
}

/** A condition that cannot be heeded is not to be taken for one that held. @throws ProblemError `invalid` */
function refuseHeaders(c: Context, ...names: readonly string[]): void {
  const errors = names
    .filter((name) => c.req.header(name) !== undefined)
    .map((name) => ({ path: name, message: `${c.req.method} of this resource has no such condition` }));
  if (errors.length > 0) throw new ProblemError('invalid', { errors });
}

/** Whoever writes a record reads it: the answer has all of it. */
function noteWritten({ audit }: CollectionServices, c: RequestContext, name: string, { records }: Written): void {
  for (const { key } of records) audit?.note(readerOf(c), { kind: 'record', name, key });
}

/** @throws ProblemError `invalid` */
function preconditionsOf(c: Context): Preconditions {
  return { ifMatch: tagsOf(c, 'If-Match'), ifNoneMatch: tagsOf(c, 'If-None-Match') };
}

function tagsOf(c: Context, name: string): TagList | undefined {
  const header = c.req.header(name);
  if (header === undefined) return undefined;
  const tags = parseTagList(header);
  if (tags !== undefined) return tags;
  throw new ProblemError('invalid', {
    errors: [{ path: name, message: `at most ${MAX_TAGS} quoted tags separated by commas, or *` }],
  });
}

/** @throws ProblemError `invalid` */
function baseVersionOf(c: Context): number | undefined {
  const header = c.req.header('Base-Version');
  if (header === undefined) return undefined;
  const version = baseVersionSchema.safeParse(header);
  if (version.success) return version.data;
  throw new ProblemError('invalid', { errors: [{ path: 'Base-Version', message: 'a version: a whole number' }] });
}

/** @param parent the path that a created record's own is below; without it, the one that the path of the request is below */
function oneRecord(c: Context, written: Written, parent?: string): Response {
  const [one] = written.records;
  if (one === undefined) throw new Error('a write of one record answers one');
  const created = written.effect === 'created';
  // The record's own key: the one in the path may have been another text of it, or a trigger may have chosen another.
  const location = `${parent ?? pathOf(c).replace(/[^/]*$/, '')}${encodeURIComponent(one.key)}`;
  return c.body(one.record, created ? 201 : 200, {
    ...ONE_RECORD,
    ETag: formatTag(one.version),
    ...(created && { Location: location }),
    ...(written.merged && { Merged: 'true' }),
    ...replayed(written),
  });
}

function replayed({ replayed: again }: Written): Record<string, string> {
  return again ? { 'Idempotent-Replayed': 'true' } : {};
}

/** The records are JSON text already, so they are put beside the problem's own members as they are. */
function conflictResponse(c: Context, { base, current, yours, fields }: Conflict): Response {
  const document = JSON.stringify(problem('conflict', 'Somebody else changed the same fields.')).slice(0, -1);
  const sides = `${base === undefined ? '' : `,"base":${base}`},"current":${current},"yours":${yours}`;
  return c.body(`${document}${sides},"fields":${JSON.stringify(fields)}}`, 409, { 'Content-Type': PROBLEM_TYPE });
}

/** What Postgres does not let someone do who is nobody yet, a token may. */
function problemOf(c: RequestContext, { code, detail, errors }: Refusal): ProblemError {
  if (code === 'method-not-allowed') return readOnly();
  if (code === 'forbidden' && c.get('principal').kind === 'anonymous') return new ProblemError('token-required');
  return new ProblemError(code, { detail, errors });
}
