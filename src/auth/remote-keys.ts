/**
 * The public keys of a JWKS host (RFC 7517), kept through its rotations and its outages.
 *
 * jose fetches, parses and selects; when to fetch is decided here, because what is wanted differs from its defaults:
 * - keys older than {@link MAX_AGE_MS} are fetched anew, but **when that fails the last good set goes on serving**;
 * - a key that is not in the set is looked for at the host at most once in {@link COOLDOWN_MS}, whether or not the host
 *   answers, so that invented key ids cannot be turned against it;
 * - a key that cannot be found while the host cannot be asked is {@link KeysUnavailable}, not a bad token.
 */
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';

/** The age, in ms, at which keys are fetched anew before they are used. */
export const MAX_AGE_MS = 10 * 60 * 1000;

/** The shortest time between the beginnings of two fetches, in ms. */
export const COOLDOWN_MS = 10_000;

/** The longest answer of the host, in bytes; a longer one counts as an outage. */
export const MAX_JWKS_BYTES = 1024 * 1024;

/** The host did not give its keys, so the token can be neither accepted nor refused. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

export interface RemoteKeysOptions {
  readonly url: string;
  readonly fetch: typeof fetch;
  /** ms since 1970 */
  readonly clock: () => number;
  /** How long the host may take, in ms. */
  readonly timeoutMs: number;
  /** Told of every fetch that failed. */
  readonly onFault: (fault: unknown) => void;
  /** Whether callers may wait for a fetch that another began. */
  readonly share: boolean;
}

/**
 * @returns a key finder for jose's `jwtVerify`
 * @throws TypeError when `url` is not a URL
 */
export function createRemoteKeys(options: RemoteKeysOptions): JWTVerifyGetKey<CryptoKey> {
  const { clock, onFault } = options;
  const keys = createRemoteJWKSet(new URL(options.url), {
    timeoutDuration: options.timeoutMs,
    // Never by itself: see above.
    cooldownDuration: Number.POSITIVE_INFINITY,
    cacheMaxAge: Number.POSITIVE_INFINITY,
    [customFetch]: async (url, init) => bounded(await options.fetch(url, init)),
  });

  /** When the keys in use were fetched, and when the last fetch began. */
  let fetched = Number.NEGATIVE_INFINITY;
  let attempted = Number.NEGATIVE_INFINITY;
  let answered = false;
  let pending: Promise<void> | undefined;

  function fetchKeys(): Promise<void> {
    attempted = clock();
    answered = false;
    const attempt = keys
      .reload()
      .then(
        () => {
          fetched = clock();
          answered = true;
        },
        (fault: unknown) => onFault(fault),
      )
      .finally(() => {
        if (pending === attempt) pending = undefined;
      });
    pending = attempt;
    return attempt;
  }

  const cooled = () => clock() - attempted >= COOLDOWN_MS;

  const select: (...args: Parameters<JWTVerifyGetKey>) => Promise<CryptoKey | undefined> = async (header, token) => {
    if (fetched === Number.NEGATIVE_INFINITY) return undefined;
    try {
      return await keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      // No key id where several keys would do: an issuer that rotates must name its keys.
      if (error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      onFault(error);
      throw new KeysUnavailable('the host gives a key that cannot be used', { cause: error });
    }
  };

  return async (header, token) => {
    // One caller waits for the new set; those who come meanwhile, and everyone in an outage, get the last good one.
    if (clock() - fetched >= MAX_AGE_MS && cooled()) await fetchKeys();
    const known = await select(header, token);
    if (known !== undefined) return known;

    if (cooled()) await fetchKeys();
    else if (options.share) await pending;
    const found = await select(header, token);
    if (found !== undefined) return found;
    if (answered) throw new errors.JWKSNoMatchingKey();
    throw new KeysUnavailable('the signing keys cannot be fetched');
  };
}

/** The same response with its body read, so that no host can make this process hold more than {@link MAX_JWKS_BYTES}. */
async function bounded(response: Response): Promise<Response> {
  if (response.body === null) return response;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > MAX_JWKS_BYTES) {
      const fault = new RangeError(`the JWKS answer is longer than ${MAX_JWKS_BYTES} bytes`);
      await reader.cancel(fault);
      throw fault;
    }
    parts.push(value);
  }
  return new Response(new Blob(parts), { status: response.status });
}
