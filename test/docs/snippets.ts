/**
 * Code that stands in doc comments and documents, made into modules and run as its reader would run it:
 *
 * - What a snippet uses and does not import is imported for it, from where `names` says.
 * - A comment behind an expression statement is its value, as an expression: `schemeOf('s3://b/k'); // 's3'`. Both sides
 *   are compared deeply and strictly. A comment that is no expression is prose.
 * - All are type-checked. Each runs in a process and an empty folder of its own.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import ts from 'typescript';
import { packageRoot } from '../../sdk/base/package.js';

export interface Snippet {
  /** Where it stands. */
  readonly title: string;
  readonly code: string;
  /** From a name to its module: `mindts`, or a path. */
  readonly names: ReadonlyMap<string, string>;
}

/** One subtest for each snippet. */
export async function runSnippets(t: Test, snippets: readonly Snippet[]): Promise<void> {
  const root = t.testdir({ cache: {} });
  const modules = snippets.map((snippet, i) => {
    const file = join(root, String(i), 'snippet.ts');
    mkdirSync(dirname(file));
    writeFileSync(file, moduleOf(snippet, dirname(file)));
    return { title: snippet.title, file };
  });
  const program = ts.createProgram(
    modules.map(({ file }) => file),
    OPTIONS,
  );
  t.jobs = availableParallelism();
  const tests = modules.map(({ title, file }) => {
    return t.test(`${title} runs, and says what is true`, { buffered: true }, async (t) => {
      const source = program.getSourceFile(file);
      const faults = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      if (faults.length > 0) return t.fail(ts.formatDiagnostics(faults, FORMAT));
      program.emit(source);
      const env = { PATH: process.env['PATH'], HOME: root, MINDTS_CACHE: join(root, 'cache') };
      const ran = run(process.execPath, [file.replace(/ts$/, 'js')], { cwd: dirname(file), env });
      await t.resolves(ran, 'exit code 0');
    });
  });
  await Promise.all(tests);
}

const run = promisify(execFile);
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  strict: true,
  skipLibCheck: true,
  types: ['node'],
  typeRoots: [join(packageRoot, 'node_modules/@types')],
};
const FORMAT: ts.FormatDiagnosticsHost = {
  getCanonicalFileName: (name) => name,
  getCurrentDirectory: () => packageRoot,
  getNewLine: () => '\n',
};

function moduleOf({ code, names }: Snippet, folder: string): string {
  const imports = freeNames(code).flatMap((name) => {
    const from = names.get(name);
    if (from === undefined) return [];
    return [`import { ${name} } from '${from === 'mindts' ? from : relative(folder, from)}';`];
  });
  const same = `import assert from 'node:assert/strict';\nconst same: (found: unknown, said: unknown) => void = assert.deepEqual;`;
  return `${[...imports, same, withChecks(code)].join('\n')}\n`;
}

/** What a snippet uses and does not declare. */
function freeNames(code: string): readonly string[] {
  const used = new Set<string>();
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const { parent } = node;
      const isName = 'name' in parent && parent.name === node;
      const isProperty = ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent);
      if (!isName) used.add(node.text);
      else if (!isProperty) declared.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(code));
  return [...used].filter((name) => !declared.has(name));
}

/** Each expression statement with a value behind it becomes a comparison. */
function withChecks(code: string): string {
  let checked = code;
  for (const statement of parse(code).statements.toReversed()) {
    const [comment] = ts.getTrailingCommentRanges(code, statement.end) ?? [];
    if (!ts.isExpressionStatement(statement) || comment === undefined) continue;
    const value = code.slice(comment.pos + 2, comment.end).trim();
    if (!isExpression(value)) continue;
    const check = `same(${statement.expression.getText()}, ${value});`;
    checked = checked.slice(0, statement.getStart()) + check + checked.slice(comment.end);
  }
  return checked;
}

function isExpression(text: string): boolean {
  return ts.transpileModule(`const value = ${text};`, { reportDiagnostics: true }).diagnostics?.length === 0;
}

function parse(code: string): ts.SourceFile {
  return ts.createSourceFile('snippet.ts', code, ts.ScriptTarget.ES2023, true);
}
