/**
 * Checks that each topic's events come once and without a hole.
 *
 * Programs treat cursors as opaque. This page is there to show the log at work, so it reads the `seq` of `<epoch>-<seq>`.
 */

/** `<epoch>-<seq>` in its two parts; `undefined` for an ephemeral event. */
export function readId(id) {
  if (typeof id !== 'string') return undefined;
  const dash = id.lastIndexOf('-');
  const seq = Number(id.slice(dash + 1));
  return dash > 0 && Number.isSafeInteger(seq) ? { epoch: id.slice(0, dash), seq } : undefined;
}

export function createContinuity() {
  /** For each topic the epoch and the first and last seq seen. */
  const seen = new Map();

  return {
    /** `first` of its topic, `next` after the one before, `past` before all seen, a `repeat`, after a `hole`, or `none` if ephemeral. */
    see({ topic, id }) {
      const position = readId(id);
      if (position === undefined) return 'none';
      const known = seen.get(topic);
      if (known === undefined || known.epoch !== position.epoch) {
        seen.set(topic, { epoch: position.epoch, first: position.seq, last: position.seq });
        return 'first';
      }
      if (position.seq > known.last) {
        const hole = position.seq > known.last + 1;
        known.last = position.seq;
        return hole ? 'hole' : 'next';
      }
      if (position.seq >= known.first) return 'repeat';
      return 'past';
    },
    /** After a gap that the server told of, the next event of the topic is a first one again. */
    forget: (topic) => seen.delete(topic),
    clear: () => seen.clear(),
  };
}
