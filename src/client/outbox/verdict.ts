/** What the answer to a mutation's request makes of the mutation. */
import { isFinal } from '../connection/answers.ts';
import type { Mutation } from '../mutation.ts';
import { isRow } from '../records/json.ts';
import type { Answer } from '../request.ts';
import type { Kept } from './store.ts';

/**
 * Refusals that say also of earlier attempts that they were not applied: those that follow from the request alone, which is the same each
 * time (400, 413, 415); and those that are decided after the server has looked for the idempotency key, and so does not know it (409, 412, and
 * 400 for a constraint of the table). What is decided before that, by rights that may have been others, leaves it open; and so does 404, which
 * is also what the answer to an earlier attempt becomes for a caller whose claims have changed (protocol section 6.4).
 */
const CONCLUSIVE = [400, 409, 412, 413, 415];

/**
 * Judges an answer.
 *
 * @param doubt whether an earlier attempt of the same revision may have been applied
 * @param watched whether a stream is to show it before it is settled. What is ephemeral (202), no stream of the log shows
 * @returns what changes: it is acknowledged, it waits again, or it is dead
 */
export function judge({ write, sent }: Mutation, answer: Answer, doubt: boolean, watched: boolean): Partial<Kept> {
  // A success that a Sluice server does not give to such a request is somebody else's.
  if (answer.kind === 'ok' && (write.kind === 'delete' ? answer.status === 204 : isRow(answer.body))) {
    const { status, headers, body } = answer;
    return {
      state: 'acknowledged',
      answer: { version: versionOf(body, headers), body, merged: headers.get('Merged') === 'true' },
      refusal: undefined,
      gone: watched && status !== 202 ? undefined : 'settled',
    };
  }
  const { problem } = answer;
  const status = problem?.status ?? 500;
  const isOpen = status >= 500 || (doubt && !CONCLUSIVE.includes(status));
  const open = { sent: isOpen ? sent : undefined };
  // It may do better later, or under another token.
  return !problem || !isFinal(answer) || status === 401
    ? { ...open, state: 'pending' }
    : { ...open, state: 'dead', refusal: { kind: isOpen ? 'uncertain' : 'refused', problem } };
}

/**
 * The version of a record: of its answer's tag, which no definition of a collection can hide, or else of its body.
 * @param headers of the answer, where it is the answer's body
 */
export function versionOf(body: unknown, headers?: Headers): number | undefined {
  const tag = /"(\d+)"/.exec(headers?.get('ETag') ?? '')?.[1];
  // Versions count from 1.
  return Number(tag ?? (isRow(body) && body['version'])) || undefined;
}
