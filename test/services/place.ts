/** A place that tests copy from and to: what is tested reaches it through a fault proxy, the test sees it directly. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { copyParallel } from '../../sdk/storage/copy.js';
import { writeTree } from './disk-place.js';
import { type FaultProxy, faultProxy, type Passing } from './fault-proxy.js';
import type { Tree } from './random-tree.js';

export interface TestPlace {
  readonly name: string;
  /** What is between; undefined for a disk. */
  readonly proxy: FaultProxy | undefined;
  /** Environment variables by which it is found. */
  readonly env: Readonly<Record<string, string>>;
  /** The fewest bytes that a part may have there. */
  readonly leastPart: number;
  /** Whether it takes a file of this name. */
  takes(name: string): boolean;
  /** Whether the answer to a request is what a file holds. */
  isContent(request: Passing): boolean;
  /** Whether a request brings a part of a file. */
  isPart(request: Passing): boolean;
  url(folder: string): string;
  /** The files that have their final names. */
  look(folder: string): Promise<Tree>;
  /** What is begun there and neither finished nor given up. */
  begun(folder: string): Promise<readonly string[]>;
  remove(folder: string): Promise<void>;
  /** What it may refuse for good, by the code that people see: from when this is called until what it returns is called. */
  readonly refusals: Readonly<Record<string, () => () => void>>;
}

/** Puts files of this time into a place, whatever place that is, those larger than `partSize` in parts. */
export async function fill(
  place: TestPlace,
  folder: string,
  tree: Tree,
  { partSize, modified = Date.now() }: { readonly partSize?: number | undefined; readonly modified?: number } = {},
): Promise<void> {
  if (place.proxy === undefined) {
    writeTree(place.url(folder), tree, modified);
    return;
  }
  if (tree.size === 0) return;
  const root = mkdtempSync(join(tmpdir(), 'mindts-tree-'));
  writeTree(root, tree, modified);
  await copyParallel(root, place.url(folder), { partSize });
  rmSync(root, { recursive: true });
}

/** Where temporary keys are wanted. */
export const TOKEN = 'any-test-token';

/** A proxy that ends with the test. */
export async function proxyTo(t: Test, target: string): Promise<FaultProxy> {
  const proxy = await faultProxy(target);
  t.teardown(() => proxy.close());
  return proxy;
}

/** Who may not write may still take away what they began. */
export const ALL_BUT_DELETE = /^(?!DELETE)/;
export const WRITING = /^(PUT|POST)$/;

/** Gives an answer that a server of ours has no reason to give, to requests with these methods; returns what ends it. */
export function withAnswer(proxy: FaultProxy, methods: RegExp, body: string): () => void {
  const before = proxy.plan;
  const headers = { 'Content-Type': body.startsWith('{') ? 'application/json' : 'application/xml' };
  proxy.plan = ({ method }) => (methods.test(method) ? { kind: 'answer', status: 403, headers, body } : undefined);
  return () => {
    proxy.plan = before;
  };
}
