/** Waits for a condition, looking every few milliseconds; fails with what it waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, ms = 45_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms for: ${what}`);
    await pause(5);
  }
}

/** Lets time pass where the passing of time is what is tested, or between two attempts. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
