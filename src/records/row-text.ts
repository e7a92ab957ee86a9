/**
 * JSON texts cut without being parsed. A row's image keeps every digit that Postgres wrote only for as long as nobody turns
 * its numbers into doubles, and cutting is also cheaper than parsing and writing again.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The top-level members of a JSON object as raw text, in the order in which they stand. Of members with one name the last
 * counts, as for `JSON.parse`. One scan from left to right, which looks into values only for where they end.
 *
 * @param json a valid JSON object, such as Postgres writes; white space between tokens is allowed
 * @returns each member's name (unescaped), and its value's raw text without white space around it
 * @throws TypeError when the text is no object or ends too early. It is no validator: other faults may pass.
 */
export function splitObject(json: string): Map<string, string> {
  const members = new Map<string, string>();
  let at = skipSpace(json, 0);
  if (json[at] !== '{') throw broken();
  at = skipSpace(json, at + 1);
  if (json[at] === '}') return members;
  for (;;) {
    const afterName = endOfString(json, at);
    const name = readName(json, at, afterName);
    at = skipSpace(json, afterName);
    if (json[at] !== ':') throw broken();
    const start = skipSpace(json, at + 1);
    const end = endOfValue(json, start);
    members.set(name, json.slice(start, end));
    at = skipSpace(json, end);
    if (json[at] === '}') return members;
    if (json[at] !== ',') throw broken();
    at = skipSpace(json, at + 1);
  }
}

/** Writes the members of an object, as {@link splitObject} reads them. */
export function joinObject(members: ReadonlyMap<string, string>): string {
  return `{${[...members].map(([name, raw]) => `${JSON.stringify(name)}:${raw}`).join(',')}}`;
}

/** The text of a raw JSON string, or the raw text itself for every other value. */
export function textOfRaw(raw: string): string {
  if (raw.charCodeAt(0) !== QUOTE) return raw;
  return raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
}

function readName(json: string, start: number, end: number): string {
  const name = json.slice(start + 1, end - 1);
  return name.includes('\\') ? (JSON.parse(json.slice(start, end)) as string) : name;
}

function endOfValue(json: string, start: number): number {
  const first = json[start];
  if (first === '"') return endOfString(json, start);
  if (first === '{' || first === '[') return endOfNested(json, start);
  let at = start;
  while (at < json.length && !isScalarEnd(json.charCodeAt(at))) at += 1;
  if (at === start || at === json.length) throw broken();
  return at;
}

/** Brackets of both kinds are counted alike, because in valid JSON they match. */
function endOfNested(json: string, start: number): number {
  let depth = 0;
  for (let at = start; at < json.length; at += 1) {
    const unit = json.charCodeAt(at);
    if (unit === QUOTE) at = endOfString(json, at) - 1;
    else if (unit === 0x7b || unit === 0x5b) depth += 1;
    else if (unit === 0x7d || unit === 0x5d) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  throw broken();
}

/** The position after the closing quote of the string that opens at `start`. */
function endOfString(json: string, start: number): number {
  if (json.charCodeAt(start) !== QUOTE) throw broken();
  for (let from = start + 1; ; ) {
    const quote = json.indexOf('"', from);
    if (quote === -1) throw broken();
    let slashes = quote;
    while (json.charCodeAt(slashes - 1) === BACKSLASH) slashes -= 1;
    if ((quote - slashes) % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}

function skipSpace(json: string, from: number): number {
  let at = from;
  while (isSpace(json.charCodeAt(at))) at += 1;
  return at;
}

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

function isScalarEnd(unit: number): boolean {
  return unit === 0x2c || unit === 0x7d || isSpace(unit);
}

/** The text itself is not told: it may be somebody's data. */
function broken(): TypeError {
  return new TypeError('not the text of a JSON object');
}
