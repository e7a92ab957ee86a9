/**
 * The places between two pages of a list. A place is that of the last row that was looked at, and with {@link scope} the caller may
 * not be able to see that row: so the token is sealed (AES-GCM), not merely encoded. The seal also binds it to its collection,
 * order and filters, since those are what makes it a place.
 */

/** The values by which rows are ordered, as Postgres writes them as text. */
export type Place = readonly (string | null)[];

const IV_BYTES = 12;
/** Texts are filled up to a multiple of so many bytes, so that a token's length says little about the values. */
const PADDING = 64;
/** The longest token that is looked at, in characters. */
export const MAX_PAGE_TOKEN = 8192;

const utf8 = new TextEncoder();

export interface PageTokens {
  /** @param list all that the place belongs to: collection, order and filters */
  seal(list: string, place: Place): Promise<string>;
  /** `undefined` when the token was not sealed for this list. */
  open(list: string, token: string): Promise<Place | undefined>;
}

/**
 * @param secret gives 32 random bytes, the same on every node
 * @param random fills the array with random bytes
 */
export function createPageTokens(
  secret: () => Promise<Uint8Array>,
  random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array = (bytes) => crypto.getRandomValues(bytes),
): PageTokens {
  let imported: Promise<CryptoKey> | undefined;
  const key = () => {
    if (imported !== undefined) return imported;
    const importing = secret().then((bytes) =>
      crypto.subtle.importKey('raw', new Uint8Array(bytes), 'AES-GCM', false, ['encrypt', 'decrypt']),
    );
    imported = importing;
    // A failure is not kept: the next request asks again.
    importing.catch(() => {
      imported = undefined;
    });
    return importing;
  };
  return {
    async seal(list, place) {
      const iv = new Uint8Array(IV_BYTES);
      random(iv);
      const bytes = utf8.encode(JSON.stringify(place));
      const padded = new Uint8Array(Math.ceil(bytes.byteLength / PADDING) * PADDING).fill(0x20);
      padded.set(bytes);
      const algorithm = { name: 'AES-GCM', iv, additionalData: utf8.encode(list) };
      const sealed = new Uint8Array(await crypto.subtle.encrypt(algorithm, await key(), padded));
      const token = new Uint8Array(IV_BYTES + sealed.byteLength);
      token.set(iv);
      token.set(sealed, IV_BYTES);
      return encode(token);
    },
    async open(list, token) {
      if (token.length > MAX_PAGE_TOKEN || !/^[A-Za-z0-9_-]+$/.test(token)) return undefined;
      const bytes = decode(token);
      if (bytes === undefined || bytes.byteLength <= IV_BYTES) return undefined;
      const algorithm = { name: 'AES-GCM', iv: bytes.subarray(0, IV_BYTES), additionalData: utf8.encode(list) };
      const opening = await key();
      let text: ArrayBuffer;
      try {
        text = await crypto.subtle.decrypt(algorithm, opening, bytes.subarray(IV_BYTES));
      } catch {
        return undefined;
      }
      return JSON.parse(new TextDecoder().decode(text)) as Place;
    },
  };
}

/** In steps, because a call takes only so many arguments. */
function encode(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function decode(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (unit) => unit.charCodeAt(0));
  } catch {
    return undefined;
  }
}
