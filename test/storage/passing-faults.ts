/** Faults that pass when the request is tried again. */
import type { Fault, Passing } from '../services/fault-proxy.js';

/** By what people would say of them. */
export const PASSING: Readonly<Record<string, (request: Passing) => Fault>> = {
  'an error of the server': () => ({ kind: 'answer', status: 500 }),
  'a busy server': () => ({ kind: 'answer', status: 503, headers: { 'Retry-After': '0' } }),
  'a connection that breaks at once': (request) => ({ kind: 'cut', way: wayOf(request), after: 0 }),
  'a connection that breaks late': (request) => ({
    kind: 'cut',
    way: wayOf(request),
    after: (request.bytes || 60_000) - 1,
  }),
  'an answer that is lost': () => ({ kind: 'lost' }),
  'a length that is too large': () => ({ kind: 'length', by: 10 }),
  'a length that is too small': () => ({ kind: 'length', by: -10 }),
  'a body that comes late': (request) => ({
    kind: 'stall',
    way: wayOf(request),
    after: 10,
    until: () => new Promise((resolve) => setImmediate(resolve)),
  }),
};

function wayOf({ bytes }: Passing): 'up' | 'down' {
  return bytes > 0 ? 'up' : 'down';
}
