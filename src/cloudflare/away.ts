/** Calls of objects: whatever fails in between says nothing of what has become of the call. */
import { StoreUnavailable } from '../store/store.ts';

/** @throws StoreUnavailable when the object cannot be reached, was reset, or has too much to do */
export async function reach<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (cause) {
    throw new StoreUnavailable('the object cannot be reached', { cause });
  }
}
