/**
 * The `@example`s of doc comments, run by the rules in snippets.ts. One on a name that `mindts` exports may use what
 * `mindts` exports and nothing else, so that it can be copied. Others may use any export of the package.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { runSnippets, type Snippet } from './snippets.js';
import { type Exported, readSources } from './sources.js';

const { declared, published } = readSources();

test('everything that mindts exports has a doc comment', async (t) => {
  t.ok(published.length > 50, 'they are found');
  const without = published.filter(({ doc }) => doc === '').map(({ name, file }) => `${name} in ${file}`);
  t.same(without, []);
});

test('every example stands on an exported name', async (t) => {
  for (const file of new Set(declared.map((exported) => exported.file))) {
    const written = readFileSync(join(packageRoot, file), 'utf8').match(/^ *\* @example/gm)?.length ?? 0;
    const found = declared.filter((exported) => exported.file === file).flatMap(({ examples }) => examples);
    t.equal(found.length, written, file);
  }
});

test('every example', async (t) => {
  await runSnippets(t, declared.flatMap(snippetsOf));
});

function snippetsOf({ name, file, examples }: Exported): readonly Snippet[] {
  const names = new Map(published.map((other) => [other.name, 'mindts']));
  if (!published.some((other) => other.name === name && other.file === file)) {
    for (const other of declared) {
      const path = join(packageRoot, 'dist', other.file.replace(/ts$/, 'js'));
      if (other.file === file || !names.has(other.name)) names.set(other.name, path);
    }
  }
  return examples.map((code) => ({ title: `the example of ${name} in ${file}`, code, names }));
}
