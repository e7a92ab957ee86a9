/** Counts answers, and at debug level writes a line for each request, with the caller's trace (W3C Trace Context). */
import type { Log } from './log.ts';
import type { Middleware } from './services.ts';

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

export function observeRequests(log: Log, onResponse: (status: number) => void): Middleware {
  return async (c, next) => {
    const begun = performance.now();
    await next();
    const { status } = c.res;
    onResponse(status);
    if (status < 500 && log.isLevelEnabled?.('debug') === false) return;
    const [, trace, parent] = TRACEPARENT.exec(c.req.header('traceparent') ?? '') ?? [];
    // The path alone: a query may hold a ticket.
    const fields = {
      request: c.get('requestId'),
      method: c.req.method,
      path: c.req.path,
      status,
      ms: Math.round(performance.now() - begun),
      trace,
      parent,
    };
    if (status >= 500) log.warn(fields, 'request');
    else log.debug(fields, 'request');
  };
}
