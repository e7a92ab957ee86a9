/** Where a request comes from. */
import type { RequestContext } from './services.ts';

/**
 * @param trustProxy how many proxies in front are believed: the caller is the entry that the outermost of them added to
 *   `X-Forwarded-For`. What stands before it was sent by the caller and proves nothing.
 * @returns a reader of the address; `undefined` where the runtime does not say
 */
export function remoteAddress(trustProxy: number): (c: RequestContext) => string | undefined {
  return (c) => {
    const peer = peerAddress(c);
    if (trustProxy === 0) return peer;
    const hops = (c.req.header('X-Forwarded-For') ?? '').split(',').map((hop) => hop.trim());
    return hops.at(-trustProxy) || peer;
  };
}

/** The address at the other end of the connection. */
export function peerAddress(c: RequestContext): string | undefined {
  const incoming = c.env?.incoming as { readonly socket?: { readonly remoteAddress?: string } } | undefined;
  return incoming?.socket?.remoteAddress;
}
