/** Commands that have commands of their own: `mindts ckpt inspect FILE`. */
import { helpText } from '../args/help.js';
import { flag, type Options, type OptionTable } from '../args/option.js';
import { parseOptions, wantsHelp } from '../args/parse.js';
import { ArgumentError } from '../base/errors.js';
import { log } from '../base/log.js';
import { runToEnd } from './report.js';

/** One command of a family. */
export interface Subcommand {
  /** What follows its name, such as `FILE [TO]`; each word is one argument, one in brackets may be left out. */
  readonly usage: string;
  readonly description: string;
  run(argv: readonly string[], name: string): Promise<void>;
}

const COMMON: OptionTable = { debug: flag({ description: 'show the stack of an error' }) };

/** Makes a subcommand of its options and what it does. */
export function subcommand<V extends object>(spec: {
  readonly usage: string;
  readonly description: string;
  readonly options: Options<V>;
  readonly run: (args: V, ...positionals: readonly string[]) => Promise<void>;
}): Subcommand {
  const { usage, description } = spec;
  return {
    usage,
    description,
    run: async (argv, name) => {
      if (wantsHelp(argv)) {
        console.log(
          helpText({ name, description, usage: `${usage} [options]`.trim(), options: { ...spec.options, ...COMMON } }),
        );
        return;
      }
      await runToEnd(argv, async () => {
        const { values, positionals, warnings } = parseOptions(spec.options, argv, { also: COMMON });
        for (const warning of warnings) log.warn(warning);
        const wanted = usage === '' ? [] : usage.split(' ');
        const needed = wanted.filter((word) => !word.startsWith('[')).length;
        if (positionals.length < needed || positionals.length > wanted.length) {
          throw new ArgumentError('E_ARGUMENT_COUNT', `usage: ${name} ${usage}`.trim());
        }
        await spec.run(values, ...positionals);
      });
    },
  };
}

/** Makes the command that chooses among subcommands. */
export function family(
  name: string,
  description: string,
  members: Readonly<Record<string, Subcommand>>,
): (argv: readonly string[]) => Promise<void> {
  return async ([chosen, ...rest]) => {
    if (chosen !== undefined && Object.hasOwn(members, chosen)) {
      await members[chosen].run(rest, `mindts ${name} ${chosen}`);
      return;
    }
    if (chosen !== undefined && chosen !== '--help' && chosen !== '-h') {
      log.error(`mindts ${name}: there is no command ${chosen}; there are ${Object.keys(members).join(', ')}`);
      process.exitCode = 2;
      return;
    }
    const rows = Object.entries(members).map(([key, member]) => {
      return `  ${`${key} ${member.usage}`.padEnd(24)} ${member.description}`;
    });
    console.log([description, '', `Usage: mindts ${name} <command> [options]`, '', ...rows].join('\n'));
    if (chosen === undefined) process.exitCode = 2;
  };
}
