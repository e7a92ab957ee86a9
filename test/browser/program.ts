/** Programs that some tests want beside Node: a browser, a proxy. */
import { existsSync } from 'node:fs';

/**
 * Where a program is. Without it the tests are skipped with one line that says what to do; with `CI` set they fail, so that
 * nobody takes a run without them for a whole one.
 *
 * @param variable the environment variable that names it where it is somewhere else
 * @param places where it usually is
 * @param install what to do when it is missing
 */
export function findProgram(variable: string, places: readonly string[], install: string): string | undefined {
  const given = process.env[variable];
  const found = [...(given === undefined || given === '' ? [] : [given]), ...places].find((place) => existsSync(place));
  if (found !== undefined) return found;
  const text = `${places[0]} is missing, so its tests do not run. Install it (${install}) or set ${variable}.`;
  if (process.env['CI']) throw new Error(text);
  console.warn(`\n!!! SKIPPED: ${text}\n`);
  return undefined;
}
