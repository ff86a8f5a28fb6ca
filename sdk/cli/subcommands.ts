/** Commands that have commands of their own: `mindts ckpt inspect FILE`. */
import { helpText } from '../args/help.js';
import { noSuch } from '../args/nearest.js';
import { flag, type Options, type OptionTable } from '../args/option.js';
import { parseOptions, wantsHelp } from '../args/parse.js';
import { ArgumentError } from '../base/errors.js';
import { log } from '../base/log.js';
import { runToEnd } from './report.js';

/** One command of a family. */
export interface Subcommand {
  /** What follows its name, such as `FILE`; each word is one argument, `[TEXT]` one that may be left out, `URL...` one or more. */
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
  readonly examples?: readonly string[];
  /** Whether a flag that is not known is an error; else it is passed over, as launch files do. */
  readonly isStrict?: boolean;
  readonly run: (args: V, ...positionals: readonly string[]) => Promise<void>;
}): Subcommand {
  const { usage, description } = spec;
  return {
    usage,
    description,
    run: async (argv, name) => {
      if (wantsHelp(argv)) {
        const options = { ...spec.options, ...COMMON };
        const { examples } = spec;
        console.log(helpText({ name, description, usage: `${usage} [options]`.trim(), options, examples }));
        return;
      }
      await runToEnd(argv, async () => {
        const { values, positionals, warnings } = parseOptions(spec.options, argv, { also: COMMON });
        for (const warning of warnings) {
          if (spec.isStrict) throw new ArgumentError('E_ARGUMENT_UNKNOWN', warning.replace(/^passed over /, ''));
          log.warn(warning);
        }
        if (!takes(usage, positionals.length)) {
          throw new ArgumentError('E_ARGUMENT_COUNT', `usage: ${name} ${usage}`.trim());
        }
        await spec.run(values, ...positionals);
      });
    },
  };
}

function takes(usage: string, given: number): boolean {
  const words = usage === '' ? [] : usage.split(' ');
  const least = words.filter((word) => !word.startsWith('[')).length;
  return given >= least && (given <= words.length || usage.endsWith('...'));
}

/**
 * Makes the command that chooses among subcommands.
 *
 * @param options aliases: other names of the members; epilogue: what its help ends with
 */
export function family(
  name: string,
  description: string,
  members: Readonly<Record<string, Subcommand>>,
  {
    aliases = {},
    epilogue = [],
  }: { readonly aliases?: Readonly<Record<string, string>>; readonly epilogue?: readonly string[] } = {},
): (argv: readonly string[]) => Promise<void> {
  return async ([called, ...rest]) => {
    const chosen = called !== undefined && Object.hasOwn(aliases, called) ? aliases[called] : called;
    if (chosen !== undefined && Object.hasOwn(members, chosen)) {
      await members[chosen].run(rest, `mindts ${name} ${chosen}`);
      return;
    }
    if (chosen !== undefined && chosen !== '--help' && chosen !== '-h') {
      log.error(`mindts ${name}: ${noSuch('command', chosen, Object.keys(members))}`);
      process.exitCode = 2;
      return;
    }
    const width = Math.max(24, ...Object.entries(members).map(([key, { usage }]) => key.length + 1 + usage.length));
    const rows = Object.entries(members).map(([key, member]) => {
      const others = Object.keys(aliases).filter((alias) => aliases[alias] === key);
      const also = others.length > 0 ? ` (${others.join(', ')})` : '';
      return `  ${`${key} ${member.usage}`.padEnd(width)} ${member.description}${also}`;
    });
    console.log([description, '', `Usage: mindts ${name} <command> [options]`, '', ...rows, ...epilogue].join('\n'));
    if (chosen === undefined) process.exitCode = 2;
  };
}
