/** What the documents say is so: their code runs (by the rules in snippets.ts), their links and commands lead somewhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { run } from '../cli/command.js';
import { runSnippets } from './snippets.js';
import { readSources } from './sources.js';

const documents = ['.', 'docs', 'datasets']
  .flatMap((folder) => readdirSync(join(packageRoot, folder)).map((name) => join(folder, name)))
  .filter((name) => name.endsWith('.md'))
  .map((name) => ({ name, text: readFileSync(join(packageRoot, name), 'utf8') }));

test('code in the documents', async (t) => {
  const names = new Map(readSources().published.map(({ name }) => [name, 'mindts']));
  const snippets = documents.flatMap(({ name, text }) =>
    Array.from(text.matchAll(/^```ts\n([^]*?)^```$/gm), ({ 1: code, index }) => {
      return { title: `the code in ${name}:${text.slice(0, index).split('\n').length}`, code, names };
    }),
  );
  await runSnippets(t, snippets);
});

test('links between documents lead to files that are there', async (t) => {
  for (const { name, text } of documents) {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const path = target.replace(/#.*/, '');
      if (path === '' || /^[a-z]+:/.test(target)) continue;
      t.ok(existsSync(join(packageRoot, dirname(name), path)), `${name}: ${target}`);
    }
  }
});

/** Lines of code blocks that are not TypeScript, and code within sentences. */
const code = documents.flatMap(({ name, text }) => {
  const blocks = Array.from(text.matchAll(/^```(?!ts$)\w*\n([^]*?)^```$/gm), ([, block]) => block.split('\n')).flat();
  const spans = Array.from(text.replaceAll(/^```[^]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g), ([, span]) => span);
  return [...blocks, ...spans].flatMap((line) => line.split('&&')).map((line) => ({ name, line: line.trim() }));
});

test('mindts commands in the documents are there, with the flags they are given', async (t) => {
  const cache = t.testdir();
  const helpTexts = new Map<string, Promise<string>>();
  const helpOf = (command: string): Promise<string> => {
    const known =
      helpTexts.get(command) ??
      run([...command.split(' '), '--help'], { cache }).then(({ code, stdout }) => (code === 0 ? stdout : ''));
    helpTexts.set(command, known);
    return known;
  };
  for (const { name, line } of code) {
    const [, command, subcommand] = /^(?:npx )?mindts ([a-z_]+)(?: ([a-z_]+)\b(?![./:]))?/.exec(line) ?? [];
    if (command === undefined) continue;
    const help = await helpOf(subcommand === undefined ? command : `${command} ${subcommand}`);
    t.not(help, '', `${name}: ${line}`);
    for (const [flag] of line.matchAll(/--[a-z_]+/g))
      t.ok(
        help.includes(flag) || help.includes(flag.replace('--', '--[no-]')) || flag === '--help',
        `${name}: ${line}: ${flag}`,
      );
  }
});

test('npm scripts in the documents are there', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  for (const { name, line } of code) {
    const [, script] = /^npm (?:run )?([a-z]+)/.exec(line) ?? [];
    if (script === undefined || NPM_ITSELF.has(script)) continue;
    t.ok(Object.hasOwn(scripts, script), `${name}: ${line}`);
  }
});

const NPM_ITSELF = new Set(['ci', 'install', 'rebuild', 'pack', 'pkg', 'publish', 'init']);
