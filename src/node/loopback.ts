/**
 * What makes `dev` safe: it answers to this machine only. A page on the web can make a browser send requests to loopback, and can
 * point its own name there (DNS rebinding), but it cannot make the browser say another `Host` and `Origin` than its own.
 */

import { isLoopbackName } from '../config/loopback-name.ts';
import { problemResponse } from '../http/problem-error.ts';
import { peerAddress } from '../http/remote-address.ts';
import type { Middleware, RequestContext } from '../http/services.ts';

const PLAIN_HOST = /^(?:127\.0\.0\.1|localhost)(?::\d{1,5})?$/;
/** How IPv6 sockets write the address of an IPv4 peer (RFC 4291, 2.5.5.2). */
const MAPPED = '::ffff:';

/** Whether a request comes from this machine: by its connection, its `Host`, and its `Origin` if it has one. */
export function isLocal(c: RequestContext): boolean {
  const address = peerAddress(c);
  if (address === undefined || !saysLoopback(c)) return false;
  return isLoopbackName(address.startsWith(MAPPED) ? address.slice(MAPPED.length) : address);
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
  return URL.canParse(text) && isLoopbackName(new URL(text).hostname);
}
