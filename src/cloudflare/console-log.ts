/** The log of a Worker: what the platform gathers from the console ("Workers Logs"), from a level on. */
import { LOG_LEVELS, type LogLevel } from '../config/config.ts';
import type { Log } from '../http/log.ts';

export function createConsoleLog(level: LogLevel): Log {
  const writes = (of: LogLevel) => LOG_LEVELS.indexOf(of) >= LOG_LEVELS.indexOf(level);
  const write = (of: 'debug' | 'info' | 'warn' | 'error') =>
    writes(of) ? (fields: object, text: string) => console[of](text, fields) : () => undefined;
  return {
    isLevelEnabled: writes,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
}
