/**
 * Refuses URLs whose percent-encoding does not give UTF-8. The router would take such escapes for themselves, and one topic would
 * have two addresses.
 */
import { ProblemError } from './problem-error.ts';
import type { Middleware } from './services.ts';

export const requireLegibleUrl: Middleware = async (c, next) => {
  const { url } = c.req;
  if (url.includes('%')) {
    const query = url.indexOf('?');
    const path = query === -1 ? url : url.slice(0, query);
    if (!isLegible(path)) throw new ProblemError('invalid-topic', { detail: 'The path is not percent-encoded UTF-8.' });
    if (!isLegible(url)) throw new ProblemError('malformed', { detail: 'The query is not percent-encoded UTF-8.' });
  }
  await next();
};

function isLegible(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
