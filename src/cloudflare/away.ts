/** Calls of objects: whatever fails in between says nothing of what has become of the call. */
import { StoreUnavailable } from '../store/store.ts';

/**
 * Waits for the answer of an object. The runtime keeps a line open with every answer, which would hold the object awake as long as the request
 * lasts that asked; so the answer, which is plain data, is let go of at once.
 *
 * @throws StoreUnavailable when the object cannot be reached, was reset, or has too much to do
 */
export async function reach<Answer>(call: Promise<Answer>): Promise<Answer> {
  let answer: Answer;
  try {
    answer = await call;
  } catch (cause) {
    throw new StoreUnavailable('the object cannot be reached', { cause });
  }
  if (isDisposable(answer)) answer[Symbol.dispose]();
  return answer;
}

/** As {@link reach}, of many calls at once. */
export function reachAll<Answer>(calls: readonly Promise<Answer>[]): Promise<Answer[]> {
  return Promise.all(calls.map((call) => reach(call)));
}

function isDisposable(value: unknown): value is Disposable {
  return typeof value === 'object' && value !== null && Symbol.dispose in value;
}
