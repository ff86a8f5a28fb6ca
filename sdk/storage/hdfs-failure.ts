/** What WebHDFS says when it fails (`RemoteException`, in JSON), as errors for people. */
import * as z from 'zod';
import { StorageError } from '../base/errors.js';
import { type HttpFailure, httpFailure } from './http-failure.js';
import { PassingFailure } from './retry.js';
import { shownUrl } from './url.js';

/** The code of a namenode that is not the active one: another may be. */
export const STANDBY = 'E_STANDBY';

/**
 * An answer of WebHDFS or HttpFS as an error. The exception tells what happened, not the status: WebHDFS says 403 for nearly everything,
 * HttpFS 500. Codes: those of `httpFailure`, `E_NOT_FOLDER`, `E_NOT_FILE`, `E_EXISTS`, `E_NAME`, `E_UNSUPPORTED`, and `E_STANDBY`, which may pass.
 */
export function hdfsFailure(
  failure: Omit<HttpFailure, 'code' | 'message'> & { readonly text: string; readonly asksKerberos: boolean },
): StorageError {
  const { doing, url, endpoint, status, text, asksKerberos } = failure;
  const remote = remoteException(text);
  const where = `(${shownUrl(endpoint)}, HTTP ${status})`;
  if (remote === undefined) return strangeFailure(failure, where);
  const { exception, message } = remote;
  const known = KNOWN.find(({ pattern }) => pattern.test(exception) || pattern.test(message));
  if (known === undefined)
    return httpFailure({ ...failure, status: status === 403 ? 400 : status, code: exception, message });
  const kerberos = asksKerberos ? '; it wants Kerberos, which is not spoken here: give a token in HADOOP_TOKEN' : '';
  const line = `cannot ${doing} ${shownUrl(url)}: ${exception}: ${message} ${where}${known.advice === '' ? '' : `; ${known.advice}`}${kerberos}`;
  return known.passes === true ? new PassingFailure(known.code, line) : new StorageError(known.code, line);
}

interface Known {
  /** Of the exception's name, or its message. */
  readonly pattern: RegExp;
  readonly code: string;
  readonly advice: string;
  readonly passes?: boolean;
}

const KNOWN: readonly Known[] = [
  {
    pattern: /not a valid \w+ operation|No enum constant|^UnsupportedOperation/,
    code: 'E_UNSUPPORTED',
    advice: 'its Hadoop is too old',
  },
  {
    pattern: /^StandbyException$|state standby/,
    code: STANDBY,
    advice: 'name the active namenode, or all, in WEBHDFS_ENDPOINT',
    passes: true,
  },
  {
    pattern: /^(SafeMode|Retriable|RetryOnActive|ObserverRetryOnActive|ServerNotActive)|in safe mode|safemode/i,
    code: 'E_BUSY_STORE',
    advice: '',
    passes: true,
  },
  // A killed writer's file, until HDFS has noticed.
  {
    pattern:
      /^(AlreadyBeingCreated|RecoveryInProgress|LeaseExpired)Exception$|lease (recovery|holder)|another recovery|being truncated|under construction/i,
    code: 'E_BUSY_STORE',
    advice: '',
    passes: true,
  },
  {
    pattern: /InvalidToken|token.* (is expired|can't be found)/,
    code: 'E_EXPIRED',
    advice: 'get a new token and give it in HADOOP_TOKEN',
  },
  {
    pattern: /^(ParentNotDirectory|PathIsNotDirectory)Exception|\(is not a directory\)|Path is not a directory/,
    code: 'E_NOT_FOLDER',
    advice: 'remove that file, or choose another place',
  },
  {
    pattern: /already exists as a directory|Path is not a file|must both be (directories|files)/,
    code: 'E_NOT_FILE',
    advice: 'name a file in it',
  },
  { pattern: /^FileAlreadyExistsException$/, code: 'E_EXISTS', advice: 'remove it, or choose another place' },
  { pattern: /^FileNotFoundException$/, code: 'E_NOT_FOUND', advice: 'check its spelling' },
  { pattern: /AccessControlException$/, code: 'E_DENIED', advice: 'check its owner and mode, and HADOOP_USER_NAME' },
  {
    pattern: /^(Security|Authentication|Authorization)Exception$/,
    code: 'E_CREDENTIALS',
    advice: 'check HADOOP_USER_NAME or HADOOP_TOKEN',
  },
  {
    pattern: /QuotaExceeded|QuotaByStorageType|MaxDirectoryItems/,
    code: 'E_NO_SPACE',
    advice: 'free some, or choose another place',
  },
  {
    pattern: /^InvalidPathException$|path component name limit|Pathname too long|not a valid DFS filename/,
    code: 'E_NAME',
    advice: 'rename it',
  },
  {
    pattern: /replace a bad datanode/,
    code: 'E_SERVER',
    advice: 'this cluster has too few datanodes to append to files',
  },
  {
    pattern: /could only be (replicated|written) to|^BlockMissing|^Connect|^SocketTimeout|^NoRouteToHost|^EOF/,
    code: 'E_SERVER',
    advice: '',
    passes: true,
  },
];

const RemoteException = z.object({
  RemoteException: z.object({ exception: z.string(), message: z.string().nullish() }),
});

function remoteException(text: string): { readonly exception: string; readonly message: string } | undefined {
  const parsed = RemoteException.safeParse(jsonOf(text));
  if (!parsed.success) return undefined;
  const { exception, message } = parsed.data.RemoteException;
  // Datanodes send the server's stack along.
  return { exception, message: (message ?? '').split('\n', 1)[0] };
}

/** What is JSON, or undefined: web servers in between answer in HTML. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** An answer that is not WebHDFS's own. */
function strangeFailure(
  failure: Omit<HttpFailure, 'code' | 'message'> & { readonly asksKerberos: boolean },
  where: string,
): StorageError {
  const { doing, url, status, asksKerberos } = failure;
  const says = `cannot ${doing} ${shownUrl(url)}:`;
  if (status === 401) {
    return new StorageError(
      'E_CREDENTIALS',
      asksKerberos
        ? `${says} the server wants Kerberos, which is not spoken here ${where}; give a delegation token in HADOOP_TOKEN`
        : `${says} the server wants to know who asks ${where}; set HADOOP_USER_NAME, or a new HADOOP_TOKEN`,
    );
  }
  if (status === 404 || status === 405) {
    return new StorageError(
      'E_HTTP',
      `${says} there is no WebHDFS at that server ${where}; check WEBHDFS_ENDPOINT, and dfs.webhdfs.enabled`,
    );
  }
  return httpFailure(failure);
}
