/** Pages: what lies after the places of some topics, at once or as a long poll (protocol sections 2.7 and 2.8). */
import type { Gap } from '../../protocol/control.ts';
import type { Event } from '../../protocol/event.ts';
import type { Request, RequestOptions } from '../request.ts';
import { endOf } from './answers.ts';
import type { TopicRequest, TransportEnd } from './transport.ts';

export interface Page {
  readonly events: readonly Event[];
  readonly cursor: string;
  readonly more: boolean;
  readonly gap?: Gap;
}

/** @param wait in seconds */
export async function readPage(
  request: Request,
  topics: readonly TopicRequest[],
  wait = 0,
  options: RequestOptions = {},
): Promise<Page | TransportEnd> {
  const answer = await request('POST', '/v1/streams', {
    ...options,
    body: { topics, format: 'json', limit: 1000, wait },
  });
  return answer.kind === 'ok' && isPage(answer.body) ? answer.body : endOf(answer, topics);
}

function isPage(body: unknown): body is Page {
  const { events, cursor }: Partial<Page> = body ?? {};
  return Array.isArray(events) && events.every(Boolean) && typeof cursor === 'string';
}
