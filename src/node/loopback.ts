/**
 * What makes `dev` safe: it answers to this machine only. A page on the web can make a browser send requests to loopback, and can
 * point its own name there (DNS rebinding), but it cannot make the browser say another `Host` and `Origin` than its own.
 */
import { problemResponse } from '../http/problem-error.ts';
import { peerAddress } from '../http/remote-address.ts';
import type { Middleware, RequestContext } from '../http/services.ts';

const NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);
const PLAIN_HOST = /^(?:127\.0\.0\.1|localhost)(?::\d{1,5})?$/;
const ADDRESS = /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$|^::1$/;

/** Whether a request comes from this machine: by its connection, its `Host`, and its `Origin` if it has one. */
export function isLocal(c: RequestContext): boolean {
  const address = peerAddress(c);
  return address !== undefined && ADDRESS.test(address) && saysLoopback(c);
}

/** Refuses requests under any name but loopback's. */
export const refuseStrangers: Middleware = async (c, next) => {
  if (!saysLoopback(c))
    return problemResponse(c, 'forbidden', { detail: 'This development server answers on loopback names only.' });
  await next();
};

function saysLoopback(c: Pick<RequestContext, 'req'>): boolean {
  const host = c.req.header('Host');
  const origin = c.req.header('Origin');
  return host !== undefined && isLoopbackHost(host) && (origin === undefined || isLoopbackUrl(origin));
}

/** The names that nearly every request gives need no parsing. */
function isLoopbackHost(host: string): boolean {
  return PLAIN_HOST.test(host) || isLoopbackUrl(`http://${host}`);
}

function isLoopbackUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { hostname } = new URL(text);
  return NAMES.has(hostname) || hostname.endsWith('.localhost');
}
