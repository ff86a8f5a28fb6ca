/** In what two object stores of one family differ. */
import type { Guard } from './access-keys.js';
import type { ObjectRequest } from './object-request.js';
import type { KeptObject } from './object-space.js';

export interface Dialect {
  readonly name: string;
  /** How the request's own headers begin, and the answer's: `x-oss-`. */
  prefixOf(request: ObjectRequest): string;
  /** @throws Refusal */
  verify(request: ObjectRequest, guard: Guard): void;
  /** The ETag of an object or a part that came at one stroke, without quotes. */
  etagOf(md5: Buffer): string;
  /** The ETag of what was put together from parts with these ETags. */
  etagOfParts(etags: readonly string[]): string;
  /** What a wrong Content-MD5 is called. */
  readonly wrongSum: string;
  /** Whether `list-type=2` is known; where it is not, it is passed over without a word. */
  readonly listsV2: boolean;
  /** Objects in a page when nobody says how many. */
  readonly listedUnasked: number;
  /** Whether a range that cannot be served is refused; else the whole object comes. */
  refusesRange(request: ObjectRequest): boolean;
  /** Bytes that are copied at one stroke at most. */
  readonly mostCopied: number;
  /** Bytes of a part but the last, at least. */
  readonly leastPart: number;
  /** Further headers of an object. */
  objectHeaders(object: KeptObject): Readonly<Record<string, string>>;
  /** Further headers of an error; HEAD has no other place for it. */
  errorHeaders(xml: string): Readonly<Record<string, string>>;
}
