/** Names that there are no others of. */

/** 128 random bits, in hex. Not `crypto.randomUUID`: it is only there where a page was loaded securely, or from this machine. */
export function createId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
