/** The platform's own limiter, where a deployment has one: it counts for a whole location, where an isolate counts only what comes to it. */
import type { CallerLimiter } from '../http/caller-limiter.ts';

/** A binding of "Workers Rate Limiting". */
export interface RateLimiterBinding {
  limit(of: { readonly key: string }): Promise<{ readonly success: boolean }>;
}

/** The binding does not say when there is room again. Its periods are 10 or 60 s. */
const RETRY_MS = 10_000;

/** Has writes counted by the binding too. Without one, by the isolate alone. */
export function limitedBy(binding: RateLimiterBinding | undefined, callers: CallerLimiter): CallerLimiter {
  if (binding === undefined) return callers;
  return {
    stream: callers.stream,
    async write(principal, address) {
      const verdict = await callers.write(principal, address);
      const key = principal.sub === undefined ? address && `address:${address}` : `sub:${principal.sub}`;
      if (!verdict.ok || key === undefined || principal.grants.admin) return verdict;
      const { success } = await binding.limit({ key });
      return success ? verdict : { ok: false, retryAfterMs: RETRY_MS };
    },
  };
}
