/** What the answer to a mutation's request means for the mutation. */
import type { MutationAnswer, MutationRefusal, Write } from '../mutation.ts';
import type { Answer, Refusal } from '../request.ts';

export type Verdict =
  | {
      readonly kind: 'acknowledged';
      readonly answer: MutationAnswer;
      /** Whether the log has it. What is ephemeral cannot be waited for. */
      readonly stored: boolean;
    }
  | {
      readonly kind: 'retry';
      /** Whether other lanes would fare no better: then all of them wait. */
      readonly everywhere: boolean;
      /** How long the server asked to wait, in ms. */
      readonly after: number | undefined;
      /** Whether the server said that it did not apply it. */
      readonly refused: boolean;
    }
  /** Somebody else changed the record meanwhile. It was not applied. */
  | { readonly kind: 'conflict'; readonly problem: Refusal }
  | { readonly kind: 'dead'; readonly refusal: MutationRefusal };

/** Whether a refusal says nothing about the request itself: it may do better later, or under another token. */
export function isPassing({ status }: Refusal): boolean {
  return status >= 500 || [401, 408, 425, 429].includes(status);
}

/**
 * Refusals that say also of earlier attempts that they were not applied: those that follow from the request alone, which is the same each
 * time (400, 413, 415); and those that are decided after the server has looked for the idempotency key, and so does not know it (409, and 400
 * for a constraint of the table). What is decided before that, by rights that may have been others, leaves it open; and so does 404, which is
 * also what the answer to an earlier attempt becomes for a caller whose claims have changed (protocol section 6.4).
 */
const CONCLUSIVE = [400, 409, 413, 415];

/**
 * Judges an answer.
 *
 * @param doubt whether an earlier attempt of the same revision may have been applied
 */
export function judge(write: Write, answer: Answer, doubt: boolean): Verdict {
  const { kind } = answer;
  if (kind === 'ok') {
    const { status, headers, body } = answer;
    // A success that a Sluice server does not give to such a request is somebody else's.
    if (write.kind === 'delete' ? status !== 204 : !isObject(body)) return retry(undefined, true, false);
    const merged = headers.get('Merged') === 'true';
    return { kind: 'acknowledged', answer: { version: versionOf(answer), body, merged }, stored: status !== 202 };
  }
  if (kind === 'unreachable') return retry(undefined, true, false);
  if (kind === 'strange') return retry(answer.retryAfter, true, false);
  const { problem, retryAfter } = answer;
  const { status } = problem;
  // A fault (500) may be of this one write alone, and so may be a body that is too slow (408). The others are of the server or the caller.
  if (isPassing(problem)) return retry(retryAfter, status !== 500 && status !== 408, status < 500 && !doubt);
  if (status === 412 || problem.code === 'conflict') return { kind: 'conflict', problem };
  return { kind: 'dead', refusal: { kind: doubt && !CONCLUSIVE.includes(status) ? 'uncertain' : 'refused', problem } };
}

function retry(after: number | undefined, everywhere: boolean, refused: boolean): Verdict {
  return { kind: 'retry', after, everywhere, refused };
}

/** The version of the record that an answer holds: the tag's, which no definition of a collection can hide, or else the body's. */
export function versionOf({ headers, body }: Extract<Answer, { readonly kind: 'ok' }>): number | undefined {
  const tag = /^(?:W\/)?"(\d+)"$/.exec(headers.get('ETag') ?? '');
  return tag === null ? versionIn(body) : Number(tag[1]);
}

/** The version in a record. */
export function versionIn(record: unknown): number | undefined {
  return isObject(record) && typeof record['version'] === 'number' ? record['version'] : undefined;
}

export function isObject(value: unknown): value is { readonly [member: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
