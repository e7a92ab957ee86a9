/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** The seed of this run: from `SEED` to repeat one, else a new one. Printed by whoever uses it when something fails. */
export function chooseSeed(): number {
  const given = Number(process.env['SEED']);
  return Number.isInteger(given) && given !== 0 ? given : Math.floor(Math.random() * 2 ** 31);
}
