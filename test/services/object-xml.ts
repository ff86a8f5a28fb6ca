/** The XML that object stores of S3's family write, and the little that they read. */

export type XmlValue = string | number | boolean | undefined | XmlTree | readonly XmlTree[];
export interface XmlTree {
  readonly [name: string]: XmlValue;
}

/** A document: arrays are elements that come again, undefined ones are left out. */
export function xml(root: string, content: XmlTree): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}>${children(content)}</${root}>`;
}

/** The parts that CompleteMultipartUpload names, in their order. */
export function partsIn(body: string): readonly { readonly number: number; readonly etag: string }[] {
  return [...body.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part]) => ({
    number: Number(/<PartNumber>\s*(\d+)\s*</.exec(part)?.[1]),
    etag: unescapeXml(/<ETag>\s*(.*?)\s*</s.exec(part)?.[1] ?? '').replaceAll('"', ''),
  }));
}

function children(content: XmlTree): string {
  return Object.entries(content)
    .map(([name, value]) => element(name, value))
    .join('');
}

function element(name: string, value: XmlValue): string {
  if (value === undefined) return '';
  if (isMany(value)) return value.map((one) => element(name, one)).join('');
  return `<${name}>${typeof value === 'object' ? children(value) : escapeXml(String(value))}</${name}>`;
}

function isMany(value: XmlValue): value is readonly XmlTree[] {
  return Array.isArray(value);
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function unescapeXml(text: string): string {
  return text
    .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
