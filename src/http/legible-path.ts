/**
 * Refuses paths whose percent-encoding does not give UTF-8. The router would take such escapes for themselves, and one topic
 * would have two addresses.
 */
import { ProblemError } from './problem-error.ts';
import type { Middleware } from './services.ts';

export const requireLegiblePath: Middleware = async (c, next) => {
  const { url } = c.req;
  if (url.includes('%') && !isLegible(pathOf(url)))
    throw new ProblemError('invalid-topic', { detail: 'The path is not percent-encoded UTF-8.' });
  await next();
};

function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

function isLegible(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
