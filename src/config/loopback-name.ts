/**
 * Whether a host's name or address always means this machine: `localhost` and the names below it (RFC 6761, 6.3),
 * `127.0.0.0/8`, and `::1`, with brackets as in URLs or without. The case does not matter.
 */
export function isLoopbackName(host: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}
