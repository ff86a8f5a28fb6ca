/** Finds where a bucket is, and makes what reaches it: the SDK's client, and single requests. */
import { Readable } from 'node:stream';
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { MOST_XML, whole } from './http-request.js';
import { SILENCE_MS } from './retry.js';
import { CONNECT_TIMEOUT_MS, type Exchange, exchangeWith, newAgents } from './s3-exchange.js';
import type { S3Settings } from './s3-settings.js';

type Sdk = typeof import('@aws-sdk/client-s3');

export interface ReachedBucket {
  readonly client: S3Client;
  readonly exchange: Exchange;
  /** For people. */
  readonly endpoint: string;
}

/** The bucket at its endpoint. Amazon's tools may know an endpoint of their own; Amazon itself knows each bucket's region. */
export async function bucketAt(sdk: Sdk, bucket: string, settings: S3Settings): Promise<ReachedBucket> {
  const agents = newAgents();
  const common: S3ClientConfig = {
    // Retries are ours; bodies carry an MD5. The default, chunks with a CRC after them, is what many S3 servers do not know.
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Putting the middleware together takes a quarter of a request's time.
    cacheMiddleware: true,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_MS,
      httpAgent: agents.http,
      httpsAgent: agents.https,
    },
    ...(settings.keys !== undefined && { credentials: settings.keys }),
  };
  const { endpoint, region, addressing } =
    settings.endpoint === undefined ? await askAmazon(sdk, bucket, { ...common, region: settings.region }) : settings;
  const place = { region: region ?? FIRST_REGION, forcePathStyle: addressing === 'path' };
  const client = quietly(() => new sdk.S3Client({ ...common, ...place, ...(endpoint !== undefined && { endpoint }) }));
  boundAnswers(client);
  const { url } = client.config.endpointProvider({
    Bucket: bucket,
    Region: place.region,
    ForcePathStyle: place.forcePathStyle,
    ...(endpoint !== undefined && { Endpoint: endpoint }),
    UseFIPS: endpoint === undefined && (await client.config.useFipsEndpoint()),
    UseDualStack: endpoint === undefined && (await client.config.useDualstackEndpoint()),
    Accelerate: false,
    UseGlobalEndpoint: false,
    DisableMultiRegionAccessPoints: true,
  });
  const signer = await client.config.signer({
    name: 'sigv4',
    signingName: 's3',
    signingRegion: place.region,
    properties: {},
  });
  const exchange = exchangeWith({ url, region: place.region, signer }, agents);
  return { client, exchange, endpoint: endpoint ?? `https://s3.${place.region}.amazonaws.com` };
}

/** Where Amazon's tools begin when nobody says. */
const FIRST_REGION = 'us-east-1';

type Found = Pick<S3Settings, 'endpoint' | 'region' | 'addressing'>;

async function askAmazon(sdk: Sdk, bucket: string, config: S3ClientConfig): Promise<Found> {
  const { region: given, ...others } = config;
  const asked = quietly(() => new sdk.S3Client(given === undefined ? others : config));
  const region = await asked.config.region().catch(() => FIRST_REGION);
  const own = await asked.config.serviceConfiguredEndpoint?.();
  if (own !== undefined) return { endpoint: new URL(own).origin, region, addressing: 'path' };
  const client = quietly(() => new sdk.S3Client({ ...others, region }));
  const found = await client.send(new sdk.HeadBucketCommand({ Bucket: bucket })).then(
    ({ BucketRegion }) => BucketRegion,
    (error: unknown) => {
      // A bucket that one may not look at tells its region, too; one that is nowhere is told of when something in it is asked for.
      if (!(error instanceof sdk.S3ServiceException)) throw error;
      return error.$response?.headers['x-amz-bucket-region'];
    },
  );
  return { region: found ?? region, addressing: 'virtual' };
}

/** What goes through the SDK is answered in XML, which it would go on reading for ever. */
function boundAnswers(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { data: answer } = ANSWER.safeParse(result.response);
      if (answer === undefined) return result;
      const body = Readable.from([await whole(answer.body, MOST_XML)]);
      return { ...result, response: Object.assign(answer, { body }) };
    },
    { step: 'deserialize', priority: 'low' },
  );
}

/** Without the advice to take a newer Node, which is not for those who train. */
function quietly<T>(make: () => T): T {
  const before = process.env[NODE_WARNING];
  process.env[NODE_WARNING] = 'true';
  try {
    return make();
  } finally {
    if (before === undefined) delete process.env[NODE_WARNING];
    else process.env[NODE_WARNING] = before;
  }
}

/** The SDK's own object, of which only this is looked at. */
const ANSWER = z.custom<{ body: Readable }>(
  (answer) => z.object({ body: z.instanceof(Readable) }).safeParse(answer).success,
);

const NODE_WARNING = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED';
