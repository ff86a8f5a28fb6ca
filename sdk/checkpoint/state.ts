/** What a checkpoint says beside its numbers, as JSON. */
import { CheckpointError } from '../base/errors.js';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * JSON with the keys of every object in order, so that equal states give equal texts.
 *
 * @throws CheckpointError `E_CKPT_STATE` for a number that JSON does not have
 * @example
 * formatState({ seed: 1, batchSize: 32 }); // '{"batchSize":32,"seed":1}'
 */
export function formatState(state: JsonObject): string {
  return format(state);
}

/**
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_STATE` for anything but a JSON object
 */
export function parseState(text: string, source: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (error) {
    throw new CheckpointError('E_CKPT_STATE', `${source}: its state is not JSON; use an older checkpoint`, {
      cause: error,
    });
  }
  throw new CheckpointError('E_CKPT_STATE', `${source}: its state is not a JSON object; use an older checkpoint`);
}

function format(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(format).join(',')}]`;
  if (isJsonObject(value)) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${format(item)}`).join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new CheckpointError('E_CKPT_STATE', `a checkpoint's state cannot hold ${value}; leave it out`);
  }
  return JSON.stringify(value);
}

/** Of what `JSON.parse` gives, or of a {@link Json}. */
function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
