/** Reading a request's body: bounded, strict UTF-8, JSON of bounded depth. */
import { decodeUtf8, parseJson } from '../protocol/json.ts';
import { ProblemError } from './problem-error.ts';
import type { Middleware, RequestContext } from './services.ts';

/**
 * Reads the body's bytes.
 * @throws ProblemError `too-large` beyond `limit` bytes, however the body is sent
 */
export async function readBytes(c: RequestContext, limit: number): Promise<Uint8Array> {
  const declared = c.req.header('Content-Length');
  if (declared !== undefined) {
    if (Number(declared) > limit) throw tooLarge(limit);
    return new Uint8Array(await c.req.arrayBuffer());
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of c.req.raw.body ?? []) {
    size += part.byteLength;
    if (size > limit) throw tooLarge(limit);
    parts.push(part);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}

/** The media type of the body, in lower case and without parameters. */
export function mediaType(c: RequestContext): string {
  return (c.req.header('Content-Type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** @throws ProblemError `malformed` */
export function readText(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new ProblemError('malformed', { detail: 'The body is not UTF-8.' });
  return text;
}

/** @throws ProblemError `malformed` */
export function readJson(text: string): unknown {
  const result = parseJson(text);
  if (result.ok) return result.value;
  throw new ProblemError('malformed', {
    detail: result.reason === 'depth' ? 'The JSON is nested too deeply.' : 'The body is not JSON.',
  });
}

/** Reads a JSON body and leaves it where the `json` validator looks for it. */
export function jsonBody(limit: number): Middleware {
  return async (c, next) => {
    if (mediaType(c) !== 'application/json')
      throw new ProblemError('unsupported-media-type', { detail: 'Send application/json.' });
    const value = readJson(readText(await readBytes(c, limit)));
    c.req.bodyCache.json = Promise.resolve(value);
    await next();
  };
}

/**
 * The JSON of a body that may be left out, then `{}`. Numbers are as they were written (see `parseJson`).
 * @throws ProblemError `unsupported-media-type`, `too-large`, `malformed`
 */
export async function readOptionalJson(c: RequestContext, limit: number): Promise<unknown> {
  const bytes = await readBytes(c, limit);
  if (bytes.byteLength === 0 && mediaType(c) === '') return {};
  if (mediaType(c) !== 'application/json')
    throw new ProblemError('unsupported-media-type', { detail: 'Send application/json.' });
  return readJson(readText(bytes));
}

function tooLarge(limit: number): ProblemError {
  return new ProblemError('too-large', { detail: `A request has at most ${limit} bytes.` });
}
