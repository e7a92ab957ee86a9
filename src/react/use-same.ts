/** Options that are written where they are used are another object at every render, and say the same. */
import { useMemo } from 'react';

/** The same object as before while it says the same, as JSON: whoever depends on it begins anew only when it says something else. */
export function useSame<Value>(value: Value): Value {
  const text = JSON.stringify(value);
  return useMemo(() => (text === undefined ? undefined : JSON.parse(text)), [text]);
}
