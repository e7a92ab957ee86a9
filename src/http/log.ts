/** Where the app writes its log. Structurally a pino logger. */
export interface Log {
  /** Whether a line of this level would be written. Where it is missing, every line is made. */
  isLevelEnabled?(level: 'debug'): boolean;
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Says nothing. */
export const SILENT: Log = { isLevelEnabled: () => false, debug() {}, info() {}, warn() {}, error() {} };
