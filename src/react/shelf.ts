/**
 * Things that several hold at once: opened for the first who wants one, and closed a moment after the last has let go. React lets go and
 * comes back when it mounts twice (Strict Mode), and when one screen takes the place of another.
 */

export interface Held<Value> {
  readonly value: Value;
  /** Lets go, once; further calls do nothing. */
  release(): void;
}

export interface Shelf<Value> {
  /** What is kept under a key, if anything is. */
  peek(key: string): Value | undefined;
  hold(key: string, open: () => Value): Held<Value>;
}

/** How long something stays open when nobody holds it any more, in ms. */
export const LINGER_MS = 1000;

interface Place<Value> {
  readonly value: Value;
  holders: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export function createShelf<Value>(close: (value: Value) => void): Shelf<Value> {
  const places = new Map<string, Place<Value>>();

  function release(key: string, place: Place<Value>): void {
    place.holders -= 1;
    if (place.holders > 0) return;
    place.timer = setTimeout(() => {
      places.delete(key);
      close(place.value);
    }, LINGER_MS);
  }

  return {
    peek: (key) => places.get(key)?.value,
    hold(key, open) {
      const place = places.get(key) ?? { value: open(), holders: 0, timer: undefined };
      places.set(key, place);
      clearTimeout(place.timer);
      place.holders += 1;
      let isHeld = true;
      return {
        value: place.value,
        release() {
          if (isHeld) release(key, place);
          isHeld = false;
        },
      };
    },
  };
}
