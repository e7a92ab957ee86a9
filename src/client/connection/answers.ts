/** What a request that failed means for a connection. */
import type { Answer } from '../request.ts';
import type { Trouble } from './state.ts';
import type { TopicRequest, TransportEnd } from './transport.ts';

/**
 * @param answer one that is not what was asked for; even an `ok` is strange then
 * @param topics those that were asked for, in their order
 */
export function endOf(answer: Answer, topics: readonly TopicRequest[]): TransportEnd {
  if (answer.kind === 'ok') return { trouble: { kind: 'strange', status: answer.status, what: 'media-type' } };
  return {
    trouble: answer,
    retryAfter: answer.retryAfter,
    // What is wrong with a topic is told at `topics.2`, or below it; of a change, at `add.2`.
    refused: answer.problem?.errors?.flatMap(({ path }) => {
      const [, place, member] = path.split('.');
      const topic = topics[Number(place)]?.topic;
      return topic === undefined ? [] : { topic, presence: member === 'presence' };
    }),
  };
}

/** Whether trying the same again, with the same token, is of no use. */
export function isFinal(trouble: Trouble): trouble is Extract<Trouble, { kind: 'refused' }> {
  return trouble.kind === 'refused' && trouble.status < 500 && ![408, 425, 429].includes(trouble.status);
}
