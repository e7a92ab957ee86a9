/** Calling what the application has given: what it throws is its own, and harms nobody else. */

/** @param onError told what was thrown */
export function guarded(call: () => unknown, onError: (error: unknown) => void): void {
  try {
    call();
  } catch (error) {
    onError(error);
  }
}
