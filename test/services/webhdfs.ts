/**
 * A small WebHDFS on loopback: a namenode and a datanode, or an HttpFS server, over a folder. What it answers is what Hadoop 3.4.1 answered
 * to the same requests (test/interop/hadoop.test.ts runs the same tests against that): statuses, words, the order of fields.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { HdfsFiles, javaClassOf, RemoteException } from './hdfs-files.js';

export interface WebHdfsOptions {
  /** One server that gives and takes the bytes itself (`data=true`), and replaces no file in a rename. */
  readonly isHttpFs?: boolean;
  /** Tokens one of which every request must bring, and whose they are. */
  readonly tokens?: Readonly<Record<string, string>>;
  /** Operations that it does not know: it is an older one. */
  readonly without?: readonly string[];
  /** The host that redirects name. */
  readonly dataHost?: string;
}

export interface Seen {
  readonly op: string;
  readonly query: URLSearchParams;
  /** Bytes of the body that came. */
  bytes: number;
}

/** What goes wrong once, with the next request of the operation that gets this far. */
export type Fault =
  /** The connection ends after so many bytes of a body, whichever way it goes. */
  | { readonly op: string; readonly cutAfter: number }
  /** The connection ends when all is done, and the answer is lost. */
  | { readonly op: string; readonly loseAnswer: true }
  /** A bit of the first byte of a body flips on its way. */
  | { readonly op: string; readonly flip: true }
  | { readonly op: string; readonly exception: string; readonly message: string };

export interface WebHdfs {
  /** `127.0.0.1:port`. */
  readonly address: string;
  readonly files: HdfsFiles;
  /** Requests of the first step, and those with bytes, in their order. */
  readonly seen: Seen[];
  readonly faults: Fault[];
  standby: boolean;
}

/** Starts one; it stops with the test. */
export async function startWebHdfs(t: Test, options: WebHdfsOptions = {}): Promise<WebHdfs> {
  const root = mkdtempSync(join(tmpdir(), 'mindts-hdfs-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const state = { files: new HdfsFiles(root), seen: [], faults: [], standby: false, address: '' };
  const node = new Node(state, options);
  const namenode = await listen(t, (request, response) => node.answer(request, response, options.isHttpFs === true));
  const datanode = await listen(t, (request, response) => node.answer(request, response, true));
  node.dataAddress = options.isHttpFs === true ? namenode : datanode;
  return Object.assign(state, { address: `127.0.0.1:${namenode}` });
}

async function listen(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
  const server: Server = createServer(answer);
  // Whether the body is wanted is seen in the middle of it, as at a datanode.
  server.on('checkContinue', answer);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address: string | AddressInfo | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens to no port');
  return address.port;
}

/** What has a body, or another server's: these take two steps. */
const WITH_BYTES: ReadonlySet<string> = new Set(['CREATE', 'APPEND', 'OPEN', 'GETFILECHECKSUM']);
const METHODS: Readonly<Record<string, readonly string[]>> = {
  GET: ['GETFILESTATUS', 'LISTSTATUS', 'LISTSTATUS_BATCH', 'OPEN', 'GETFILECHECKSUM'],
  PUT: ['CREATE', 'MKDIRS', 'RENAME', 'SETTIMES'],
  POST: ['APPEND', 'TRUNCATE'],
  DELETE: ['DELETE'],
};
/** So many names does a list give at once. */
const PAGE = 5;

class Node {
  dataAddress = 0;

  constructor(
    readonly state: Omit<WebHdfs, 'address'>,
    readonly options: WebHdfsOptions,
  ) {}

  answer(request: IncomingMessage, response: ServerResponse, isData: boolean): void {
    this.#answer(request, response, isData).catch((error: unknown) => {
      if (!(error instanceof RemoteException)) throw error;
      if (!response.headersSent) this.#refuse(response, error, isData);
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse, isData: boolean): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://server');
    const query = url.searchParams;
    if (!url.pathname.startsWith('/webhdfs/v1')) {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<html><title>Error 404 Not Found</title></html>');
      return;
    }
    const path = decodeURIComponent(url.pathname.slice('/webhdfs/v1'.length)) || '/';
    const op = query.get('op') ?? '';
    const seen: Seen = { op, query, bytes: 0 };
    this.state.seen.push(seen);
    const user = this.#user(query, response);
    if (user === undefined) return;
    this.#check(request.method ?? '', op);
    const { isHttpFs = false } = this.options;
    // HttpFS gives bytes at once, unless it is told to name a place; it takes them where it named itself.
    const isAtOnce =
      isHttpFs && (query.has('data') || (!query.has('noredirect') && op !== 'CREATE' && op !== 'APPEND'));
    const isFirst = WITH_BYTES.has(op) && (isHttpFs ? !isAtOnce : !isData);
    // A namenode that stands by sends writers to a datanode all the same, and is found out there.
    if (this.state.standby && !(isFirst && op === 'CREATE')) {
      throw new RemoteException(
        'StandbyException',
        'Operation category READ is not supported in state standby. Visit https://s.apache.org/sbnn-error',
      );
    }
    const fault = isFirst ? undefined : this.#fault(op);
    if (fault !== undefined && 'exception' in fault) throw new RemoteException(fault.exception, fault.message);
    if (isFirst) {
      this.#redirect(url, op, path, response);
      return;
    }
    if (op === 'CREATE' || op === 'APPEND') await this.#take(request, response, { path, user, seen, fault });
    else this.#do(op, path, user, query, response, fault);
  }

  #user(query: URLSearchParams, response: ServerResponse): string | undefined {
    const { tokens } = this.options;
    const token = query.get('delegation') ?? '';
    const user = tokens === undefined ? query.get('user.name') : tokens[token];
    if (user !== null && user !== undefined) return user;
    if (token === '') {
      response.writeHead(401, {
        'www-authenticate': tokens === undefined ? 'PseudoAuth' : 'Negotiate',
        'content-type': 'text/html',
      });
      response.end('<html><title>Error 401 Authentication required</title></html>');
    } else {
      const message =
        "org.apache.hadoop.security.token.SecretManager$InvalidToken: Token for real user: , can't be found in cache";
      const javaClassName = 'org.apache.hadoop.security.authentication.client.AuthenticationException';
      sendJson(response, 403, { RemoteException: { message, exception: 'AuthenticationException', javaClassName } });
    }
    return undefined;
  }

  #check(method: string, op: string): void {
    if (METHODS[method]?.includes(op) === true && this.options.without?.includes(op) !== true) return;
    if (this.options.isHttpFs === true) {
      throw new RemoteException(
        'QueryParamException',
        `java.lang.IllegalArgumentException: No enum constant org.apache.hadoop.fs.http.client.HttpFSFileSystem.Operation.${op}`,
      );
    }
    throw new RemoteException(
      'IllegalArgumentException',
      `Invalid value for webhdfs parameter "op": ${op} is not a valid ${method} operation.`,
    );
  }

  #fault(op: string): Fault | undefined {
    const found = this.state.faults.findIndex((fault) => fault.op === op);
    return found < 0 ? undefined : this.state.faults.splice(found, 1)[0];
  }

  #redirect(url: URL, op: string, path: string, response: ServerResponse): void {
    // What does not exist is not sent for: the namenode looks first.
    if (op === 'OPEN' || op === 'APPEND') {
      if (!this.#isThere(path)) throw new RemoteException('FileNotFoundException', `File ${path} not found.`);
    }
    const location = new URL(
      url.pathname + url.search,
      `http://${this.options.dataHost ?? '127.0.0.1'}:${this.dataAddress}`,
    );
    // The datanode is told who sent it.
    if (this.options.isHttpFs !== true) location.searchParams.set('namenoderpcaddress', 'localhost:8020');
    const noRedirect = location.searchParams.get('noredirect') === 'true';
    location.searchParams.delete('noredirect');
    if (this.options.isHttpFs === true && (op === 'CREATE' || op === 'APPEND'))
      location.searchParams.set('data', 'true');
    if (noRedirect) sendJson(response, 200, { Location: location.href });
    else
      response
        .writeHead(307, { location: location.href, 'content-type': 'application/octet-stream', 'content-length': 0 })
        .end();
  }

  #isThere(path: string): boolean {
    const parent = path.replace(/\/[^/]*$/, '') || '/';
    try {
      return (
        path === '/' ||
        this.state.files.list(parent).some(({ pathSuffix }) => `${parent === '/' ? '' : parent}/${pathSuffix}` === path)
      );
    } catch (error) {
      if (error instanceof RemoteException) return false;
      throw error;
    }
  }

  /** Bytes are in the file as they come, also when no more do. */
  async #take(
    request: IncomingMessage,
    response: ServerResponse,
    {
      path,
      user,
      seen,
      fault,
    }: { readonly path: string; readonly user: string; readonly seen: Seen; readonly fault: Fault | undefined },
  ): Promise<void> {
    const { files } = this.state;
    if (this.options.isHttpFs === true && request.headers['content-type'] !== 'application/octet-stream') {
      response.writeHead(400, { 'content-length': 0 }).end();
      return;
    }
    if (seen.op === 'CREATE') files.create(path, user, seen.query.get('overwrite') === 'true');
    else files.beginAppend(path, user);
    response.writeContinue();
    const room = fault !== undefined && 'cutAfter' in fault ? fault.cutAfter : Number.POSITIVE_INFINITY;
    const isFlipped = fault !== undefined && 'flip' in fault;
    try {
      for await (const chunk of request) {
        const bytes = Buffer.from(chunk).subarray(0, room - seen.bytes);
        if (isFlipped && seen.bytes === 0) bytes[0] ^= 1;
        files.add(path, bytes);
        seen.bytes += bytes.length;
        if (seen.bytes >= room) request.destroy();
      }
    } catch {
      // The writer went away: what came stays, and counts when HDFS has noticed.
      return;
    }
    files.close(path);
    if (fault !== undefined && 'loseAnswer' in fault) request.socket.destroy();
    else response.writeHead(seen.op === 'CREATE' ? 201 : 200, { 'content-length': 0 }).end();
  }

  #do(
    op: string,
    path: string,
    user: string,
    query: URLSearchParams,
    response: ServerResponse,
    fault: Fault | undefined,
  ): void {
    const { files } = this.state;
    const reply = (body: unknown): void => {
      if (fault !== undefined && 'loseAnswer' in fault) response.socket?.destroy();
      else if (body === undefined)
        response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': 0 }).end();
      else sendJson(response, 200, body);
    };
    switch (op) {
      case 'GETFILESTATUS':
        return reply({ FileStatus: files.status(path, user) });
      case 'LISTSTATUS':
        return reply({ FileStatuses: { FileStatus: files.list(path) } });
      case 'LISTSTATUS_BATCH':
        return reply({ DirectoryListing: this.#page(path, query.get('startAfter')) });
      case 'GETFILECHECKSUM':
        return reply({ FileChecksum: files.checksum(path) });
      case 'OPEN': {
        const start = Number(query.get('offset') ?? 0);
        const length = query.get('length');
        return sendBytes(
          response,
          files.read(path, start, length === null ? Number.POSITIVE_INFINITY : start + Number(length)),
          fault,
        );
      }
      case 'MKDIRS':
        files.makeFolder(path, user);
        return reply({ boolean: true });
      case 'RENAME': {
        const overwrite = this.options.isHttpFs !== true && query.get('renameoptions') === 'OVERWRITE';
        const boolean = files.rename(path, query.get('destination') ?? '', { user, overwrite });
        return reply(overwrite ? undefined : { boolean });
      }
      case 'SETTIMES':
        files.setTime(path, Number(query.get('modificationtime')), user);
        return reply(undefined);
      case 'TRUNCATE':
        return reply({ boolean: files.truncate(path, Number(query.get('newlength')), user) });
      case 'DELETE':
        return reply({ boolean: files.remove(path, user) });
      default:
        throw new Error(`no such operation: ${op}`);
    }
  }

  #page(path: string, startAfter: string | null): unknown {
    const all = this.state.files.list(path);
    // HttpFS gives all, whatever is asked for.
    const after = this.options.isHttpFs === true ? null : startAfter;
    // The name need not be there any more; here it always is.
    const rest = all.slice(all.findIndex(({ pathSuffix }) => pathSuffix === after) + 1);
    const page = this.options.isHttpFs === true ? rest : rest.slice(0, PAGE);
    return { partialListing: { FileStatuses: { FileStatus: page } }, remainingEntries: rest.length - page.length };
  }

  #refuse(response: ServerResponse, { exception, message }: RemoteException, isData: boolean): void {
    const javaClassName = javaClassOf(exception);
    if (this.options.isHttpFs === true) {
      const status = exception === 'FileNotFoundException' ? 404 : 500;
      sendJson(response, status, { RemoteException: { message, exception, javaClassName } });
      return;
    }
    const status =
      exception === 'FileNotFoundException' ? 404 : /^(IllegalArgument|InvalidPath)/.test(exception) ? 400 : 403;
    const stack = isData
      ? '\n\tat org.apache.hadoop.hdfs.server.namenode.FSNamesystem.startFile(FSNamesystem.java:2713)\n'
      : '';
    // A datanode closes the connection after every answer.
    if (isData) response.setHeader('connection', 'close');
    sendJson(response, status, { RemoteException: { exception, javaClassName, message: message + stack } });
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function sendBytes(response: ServerResponse, data: Buffer, fault: Fault | undefined): void {
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': data.length,
    connection: 'close',
  });
  if (fault !== undefined && 'cutAfter' in fault) {
    response.write(data.subarray(0, fault.cutAfter), () => response.socket?.destroy());
    return;
  }
  const sent = Buffer.from(data);
  if (fault !== undefined && 'flip' in fault) sent[0] ^= 1;
  response.end(sent);
}
