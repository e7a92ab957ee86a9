/** What a request that failed means for a connection. */
import type { Answer } from '../request.ts';
import type { Trouble } from './state.ts';
import type { TransportEnd } from './transport.ts';

/** @param answer one that is not what was asked for; even an `ok` is strange then */
export function endOf(answer: Answer): TransportEnd {
  switch (answer.kind) {
    case 'refused': {
      const { code, status, errors = [] } = answer.problem;
      // What is wrong with a topic is told at `topics.2`, or below it; of a change, at `add.2`.
      const refused = errors.flatMap(({ path }) => /^(?:topics|add)\.(\d+)/.exec(path)?.[1] ?? []).map(Number);
      return { trouble: { kind: 'refused', code, status }, retryAfter: answer.retryAfter, refused };
    }
    case 'strange':
      return { trouble: { kind: 'strange', status: answer.status, what: answer.what }, retryAfter: answer.retryAfter };
    case 'unreachable':
      return { trouble: { kind: 'unreachable', why: answer.why } };
    default:
      return { trouble: { kind: 'strange', status: 200, what: 'media-type' } };
  }
}

/** Whether trying the same again, with the same token, is of no use. */
export function isFinal(trouble: Trouble): trouble is Extract<Trouble, { kind: 'refused' }> {
  return trouble.kind === 'refused' && trouble.status < 500 && ![408, 425, 429].includes(trouble.status);
}
