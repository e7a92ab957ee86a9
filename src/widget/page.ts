/** Pages of events (protocol section 2.7): for history, for catching up, for the long poll, and to learn why a stream is refused. */
import type { Gap } from '../protocol/control.ts';
import type { Event } from '../protocol/event.ts';

export interface Page {
  readonly events: readonly Event[];
  readonly cursor: string;
  readonly more: boolean;
  readonly gap?: Gap;
}

/** A page, or the code of a refusal that asking again will not change, or neither: then it may be had later. */
export interface Answer {
  readonly page?: Page | undefined;
  readonly code?: string | undefined;
}

/** What passes by itself although its status is one of a refusal: a time-out, too early, too many requests. */
const PASSING = [408, 425, 429];

/** @param timeout in ms */
export async function readPage(url: string, signal: AbortSignal, timeout: number): Promise<Answer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]) });
    const body = await response.json();
    const { status } = response;
    if (status === 200) return body.events ? { page: body } : {};
    return status < 500 && !PASSING.includes(status) ? { code: body.code } : {};
  } catch {
    // No network, no time, or an answer that is not the server's.
    return {};
  }
}
