/** Alibaba Cloud OSS on loopback. Never compared with the cloud itself: written from its published description. */
import { createHash } from 'node:crypto';
import type { Dialect } from './object-dialect.js';
import { type ObjectServer, type ServerOptions, startObjectServer } from './object-server.js';
import { checkOssSignature } from './oss-signature.js';

/** Starts a store that takes OSS's V4 signatures, in headers and URLs. */
export function startOssServer(options: Partial<ServerOptions> = {}): Promise<ObjectServer> {
  return startObjectServer(OSS, { region: 'cn-hangzhou', keys: [OSS_KEY], buckets: ['training'], ...options });
}

/** A key that an OSS server takes when it is told of no others. */
export const OSS_KEY = { id: 'LTAI-test', secret: 'oss-test-secret' };

const OSS: Dialect = {
  name: 'AliyunOSS',
  prefixOf: () => 'x-oss-',
  verify: checkOssSignature,
  etagOf: (md5) => md5.toString('hex').toUpperCase(),
  // Of OSS's own making: not the MD5 of anything that a client has.
  etagOfParts: (etags) => `${createHash('md5').update(etags.join('+')).digest('hex').toUpperCase()}-${etags.length}`,
  wrongSum: 'InvalidDigest',
  listsV2: true,
  listedUnasked: 100,
  refusesRange: ({ headers }) => headers['x-oss-range-behavior'] === 'standard',
  mostCopied: 2 ** 30,
  leastPart: 100 * 1024,
  objectHeaders: ({ crc64, isMultipart }) => ({
    'x-oss-hash-crc64ecma': crc64,
    'x-oss-object-type': isMultipart ? 'Multipart' : 'Normal',
  }),
  errorHeaders: (xml) => ({ 'x-oss-err': Buffer.from(xml).toString('base64') }),
};
