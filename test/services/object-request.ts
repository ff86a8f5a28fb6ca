/** A request to an object store, taken apart: which bucket, which key, what else; and a refusal of it. */
import type { IncomingMessage } from 'node:http';

export interface ObjectRequest {
  readonly method: string;
  /** As it came over the wire, without the query. */
  readonly rawPath: string;
  /** Decoded, in their order. */
  readonly query: readonly (readonly [string, string])[];
  /** Names in small letters; what came more than once joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Empty: the service itself. */
  readonly bucket: string;
  /** Empty: the bucket itself. */
  readonly key: string;
  /** Whether the bucket stood before the host. */
  readonly isVirtual: boolean;
}

/** What a store answers instead of doing what it is asked. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Further elements of the answer: `StringToSign`. */
    readonly details: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** Takes a request apart. The bucket stands before the host where that is a name with a dot, else first in the path. */
export function takeApart(message: IncomingMessage, body: Buffer): ObjectRequest {
  const [, rawPath = '/', rawQuery = ''] = /^([^?]*)\??(.*)$/s.exec(message.url ?? '/') ?? [];
  const headers: Record<string, string> = {};
  for (let at = 0; at < message.rawHeaders.length; at += 2) {
    const name = message.rawHeaders[at].toLowerCase();
    const value = message.rawHeaders[at + 1].trim();
    headers[name] = name in headers ? `${headers[name]},${value}` : value;
  }
  const host = (headers.host ?? '').replace(/:\d+$/, '');
  const isVirtual = /[a-z]/i.test(host) && host.includes('.');
  const path = decode(rawPath).replace(/^\//, '');
  const cut = path.indexOf('/');
  const [first, rest] = cut === -1 ? [path, ''] : [path.slice(0, cut), path.slice(cut + 1)];
  return {
    method: message.method ?? 'GET',
    rawPath,
    query: rawQuery === '' ? [] : rawQuery.split('&').map(parameter),
    headers,
    body,
    bucket: isVirtual ? host.slice(0, host.indexOf('.')) : first,
    key: isVirtual ? path : rest,
    isVirtual,
  };
}

/** A parameter's value; undefined when it is not there. */
export function valueOf({ query }: ObjectRequest, name: string): string | undefined {
  return query.find(([other]) => other === name)?.[1];
}

function parameter(text: string): readonly [string, string] {
  const cut = text.indexOf('=');
  return cut === -1
    ? [decode(text), '']
    : [decode(text.slice(0, cut)), decode(text.slice(cut + 1).replaceAll('+', '%20'))];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Refusal(400, 'InvalidURI', 'the request URI could not be decoded');
  }
}

/** Every byte but letters, digits and `-._~` as `%XX`: what the published algorithms call UriEncode. */
export function uriEncode(text: string, kept = ''): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    encoded +=
      /[A-Za-z0-9\-._~]/.test(character) || kept.includes(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
