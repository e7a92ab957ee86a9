/** What any request may be answered for its credentials (protocol section 7), for the OpenAPI document. */
export const CREDENTIAL_PROBLEMS = [
  'token-required',
  'token-invalid',
  'token-expired',
  'token-in-url',
  'forbidden',
] as const;
