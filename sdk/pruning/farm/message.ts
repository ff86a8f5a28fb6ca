/**
 * A message: JSON that says which run and which name it was written for, and by its SHA-256 that its body is whole. It is parsed, never
 * run. What is anything else (cut short, of another run, put there by hand) is told from it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

/** Of the messages and the names; a folder of another one is refused. */
export const FARM_VERSION = 1;

const Envelope = z.strictObject({
  format: z.literal('mindts farm'),
  version: z.number(),
  run: z.string(),
  name: z.string(),
  sha256: z.string(),
  body: z.unknown(),
});

/**
 * The bytes of a message.
 *
 * @example
 * import { z } from 'zod';
 * const bytes = sealed({ run: 'a', name: 'board/1', body: [1, 2] });
 * opened(bytes, { run: 'a', name: 'board/1', schema: z.array(z.number()) }); // { body: [1, 2] }
 * opened(bytes.subarray(1), { run: 'a', name: 'board/1', schema: z.unknown() }); // { damage: 'is truncated, or no message' }
 */
export function sealed({ run, name, body }: { run: string; name: string; body: unknown }): Buffer {
  const sha256 = hashOf(body);
  return Buffer.from(`${JSON.stringify({ format: 'mindts farm', version: FARM_VERSION, run, name, sha256, body })}\n`);
}

/** The body of a message, or what is wrong with it. */
export function opened<T>(
  bytes: Uint8Array,
  { run, name, schema }: { readonly run: string; readonly name: string; readonly schema: z.ZodType<T> },
): { readonly body: T } | { readonly damage: string } {
  const envelope = Envelope.safeParse(parsed(bytes));
  if (!envelope.success) return { damage: 'is truncated, or no message' };
  const { version, body, ...told } = envelope.data;
  if (version !== FARM_VERSION) return { damage: `is of version ${version} instead of ${FARM_VERSION}` };
  if (told.run !== run) return { damage: `is a message of the run ${JSON.stringify(told.run)}` };
  if (told.name !== name) return { damage: `is a message for ${JSON.stringify(told.name)}` };
  if (told.sha256 !== hashOf(body)) return { damage: 'has another content than it was written with' };
  const fits = schema.safeParse(body);
  return fits.success ? { body: fits.data } : { damage: `is not as it should be (${fits.error.issues[0].message})` };
}

/** The SHA-256 of plain data as JSON, in hexadecimal digits. JSON that was read gives the same text again. */
export function hashOf(body: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(body) ?? 'null')
    .digest('hex');
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}
