/** Huawei Cloud OBS on loopback. Never compared with the cloud itself: written from its published description. */
import { createHash } from 'node:crypto';
import { checkAwsSignature } from './aws-signature.js';
import type { Dialect } from './object-dialect.js';
import { type ObjectRequest, Refusal, valueOf } from './object-request.js';
import { type ObjectServer, type ServerOptions, startObjectServer } from './object-server.js';
import { checkObsSignature } from './obs-signature.js';

/** Starts a store that takes OBS's own signature and AWS's versions 2 and 4, in headers and URLs, buckets before the host or in the path. */
export function startObsServer(options: Partial<ServerOptions> = {}): Promise<ObjectServer> {
  return startObjectServer(OBS, { region: 'cn-north-4', keys: [OBS_KEY], buckets: ['training'], ...options });
}

/** A key that an OBS server takes when it is told of no others. */
export const OBS_KEY = { id: 'OBSTEST', secret: 'obs-test-secret' };

const OBS: Dialect = {
  name: 'OBS',
  prefixOf: (request) => (isAws(request) ? 'x-amz-' : 'x-obs-'),
  verify(request, guard) {
    if (isV4(request)) return checkAwsSignature(request, guard);
    if (request.headers.authorization === undefined && valueOf(request, 'Signature') === undefined) {
      throw new Refusal(403, 'AccessDenied', 'anonymous access is denied');
    }
    checkObsSignature(request, guard, isAws(request) ? 'AWS' : 'OBS');
  },
  etagOf: (md5) => md5.toString('hex'),
  etagOfParts(etags) {
    const whole = createHash('md5');
    for (const etag of etags) whole.update(etag, 'hex');
    return `${whole.digest('hex')}-${etags.length}`;
  },
  wrongSum: 'BadDigest',
  // OBS passes over list-type=2 (minio/minio-go#1703): who asks so gets the first page again and again.
  listsV2: false,
  listedUnasked: 1000,
  refusesRange: () => true,
  mostCopied: 5 * 2 ** 30,
  leastPart: 100 * 1024,
  objectHeaders: () => ({}),
  errorHeaders: () => ({}),
};

function isV4(request: ObjectRequest): boolean {
  return (
    request.headers.authorization?.startsWith('AWS4-') === true || valueOf(request, 'X-Amz-Algorithm') !== undefined
  );
}

function isAws(request: ObjectRequest): boolean {
  return (
    isV4(request) ||
    request.headers.authorization?.startsWith('AWS ') === true ||
    valueOf(request, 'AWSAccessKeyId') !== undefined
  );
}
