/** The settings of a server as options of a command, made from the one table that also documents them. */
import { type Command, Option } from 'commander';
import { CONFIG_TABLE, type Config, type Mode, readConfig } from '../config/config.ts';
import type { Context } from './context.ts';
import { CommandError, EXIT } from './exit.ts';

/** Gives the command one flag for each setting. */
export function addSettings(command: Command): Command {
  for (const setting of CONFIG_TABLE) {
    const fallback = setting.default === '' ? '' : `; default: ${plain(setting.default)}`;
    const value = setting.flag.slice(setting.flag.lastIndexOf('-') + 1);
    const description = `${plain(setting.meaning).replace(/\.$/, '')} (${setting.name}${fallback})`;
    command.addOption(new Option(`${setting.flag} <${value}>`, description));
  }
  return command.addHelpText(
    'after',
    '\nEach setting can be given in the environment under the name in parentheses. Secrets belong there: flags can be seen\n' +
      'by other users of the machine.',
  );
}

/** Reads the settings. @throws CommandError that names every mistake */
export function settingsOf(context: Context, flags: Readonly<Record<string, unknown>>, mode: Mode): Config {
  const result = readConfig(context.env, flags, mode);
  if (result.ok) return result.config;
  const lines = result.mistakes.map(({ name, message }) => `  ${name} ${plain(message)}`);
  throw new CommandError(EXIT.usage, `\`sluice ${mode}\` cannot start:\n${lines.join('\n')}`);
}

/** Backticks are for the documentation. */
function plain(markdown: string): string {
  return markdown.replaceAll('`', '');
}
