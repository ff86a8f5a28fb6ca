/** What the package's source files export, and what their doc comments say. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../../sdk/base/package.js';

export interface Exported {
  readonly name: string;
  /** Where it is declared, from the package's root: `sdk/base/log.ts`. */
  readonly file: string;
  /** Its doc comment, without tags. */
  readonly doc: string;
  readonly examples: readonly string[];
}

/**
 * All that the files of sdk/ and datasets/ declare and export; `published` is what `mindts` exports of it.
 */
export function readSources(): { readonly declared: readonly Exported[]; readonly published: readonly Exported[] } {
  const files = ['sdk', 'datasets'].flatMap((folder) => {
    const names = readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' });
    return names.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name));
  });
  const program = ts.createProgram(
    files.map((file) => join(packageRoot, file)),
    { module: ts.ModuleKind.NodeNext, types: [] },
  );
  return {
    declared: files.flatMap((file) => exportsOf(program, file).filter((exported) => exported.file === file)),
    published: exportsOf(program, 'sdk/index.ts'),
  };
}

function exportsOf(program: ts.Program, file: string): readonly Exported[] {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(join(packageRoot, file));
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) return [];
  return checker.getExportsOfModule(module).map((found) => {
    const symbol = found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
    const examples = symbol.getJsDocTags(checker).filter((tag) => tag.name === 'example');
    return {
      name: found.name,
      file: symbol.declarations?.[0]?.getSourceFile().fileName.slice(packageRoot.length + 1) ?? file,
      doc: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
      examples: examples.map((tag) => ts.displayPartsToString(tag.text)),
    };
  });
}
