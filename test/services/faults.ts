/** What may go wrong with a request, by name and at random. */
import { seededRandom } from '../../sdk/base/random.js';
import type { Fault, FaultProxy, Passing } from './fault-proxy.js';

type Plan = FaultProxy['plan'];

/** What a person would see of a request, its random parts aside: the same for the same step of every run. */
export function nameOf({ method, server, url }: Passing): string {
  return `${server} ${method} ${url.replace(/[?&](X-Amz|x-oss|OSS|Expires|Signature)[^&]*|\b[0-9a-f]{8,}\b|(?<=uploadId=)[^&]*/gi, '')}`;
}

/** Every request fails in this way when it comes for the first time. */
export function onceEach(fault: (request: Passing) => Fault | undefined): Plan {
  const seen = new Set<string>();
  return (request) => {
    const name = nameOf(request);
    if (seen.has(name)) return undefined;
    seen.add(name);
    return fault(request);
  };
}

/**
 * Faults drawn for each request and each time that it comes; most of them pass, some last. The same request comes through after
 * {@link MOST_IN_A_ROW} faults, so that whoever tries again gets there.
 *
 * @param share of requests that fail
 * @param isContent whether a request's answer is what a file holds: nobody guards lists against bits that turn over
 */
export function randomFaults(
  seed: number,
  { share, isContent }: { readonly share: number; readonly isContent: (request: Passing) => boolean },
): Plan {
  const times = new Map<string, number>();
  return (request) => {
    const name = nameOf(request);
    const time = times.get(name) ?? 0;
    times.set(name, time + 1);
    const random = seededRandom(seed, name, time);
    if (time >= MOST_IN_A_ROW || random.uniform() >= share) return undefined;
    const place = random.below(request.bytes > 0 ? request.bytes : 10 ** (1 + random.below(5)));
    const way = request.bytes > 0 ? 'up' : 'down';
    const faults: readonly Fault[] = [
      { kind: 'answer', status: 500 },
      { kind: 'answer', status: 503, headers: { 'Retry-After': '0' } },
      { kind: 'cut', way, after: place },
      { kind: 'lost' },
      { kind: 'length', by: 1 + random.below(100) },
      { kind: 'length', by: -1 - random.below(100) },
      { kind: 'stall', way, after: place, until: () => new Promise((resolve) => setImmediate(resolve)) },
      ...(!IS_ALLOWED.test(name) && random.below(4) === 0 ? [{ kind: 'answer', status: 403 } as const] : []),
      ...(way === 'up' || isContent(request) ? [{ kind: 'flip', way, at: place } as const] : []),
    ];
    return faults[random.below(faults.length)];
  };
}

const MOST_IN_A_ROW = 3;

/** Who may write may take away what they began; who may read a file of HDFS may know its checksum. */
const IS_ALLOWED = /^\d DELETE |op=GETFILECHECKSUM/;
