/**
 * Checksums of `.ckpt` files. With MindSpore's `crc_check` a file ends in `crc_num` and a 10-byte big-endian CRC-32 of
 * all before it, which older MindSpores cannot read. Ours begin with a CRC-32 of all after it, in a field that every
 * protobuf reader passes over: so any MindSpore reads them, and a file cut between two messages is known to be cut.
 */
import { CheckpointError } from '../base/errors.js';
import { checksum } from './checksum.js';
import { varint, WIRE } from './protobuf.js';

/** The tag of field 1000, a fixed32: our checksum. */
const SEAL_TAG: readonly number[] = varint(1000 * 8 + WIRE.fixed32);
const SEAL_BYTES = SEAL_TAG.length + 4;
const TRAILER_BYTES = 17;

/** Messages with our checksum before them. */
export function sealed(messages: readonly Uint8Array[]): Uint8Array {
  const seal = Buffer.alloc(SEAL_BYTES);
  seal.set(SEAL_TAG);
  seal.writeUInt32LE(checksum(messages), SEAL_TAG.length);
  return Buffer.concat([seal, ...messages]);
}

/**
 * The messages without the checksum, ours or MindSpore's, which was found to be right; or all bytes where there is none.
 *
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_CRC` for a wrong checksum, `E_CKPT_TRUNCATED` for an empty file,
 *   `E_CKPT_UNSUPPORTED` for an encrypted one
 */
export function unsealed(bytes: Uint8Array, source: string): Uint8Array {
  if (isEncrypted(bytes)) {
    throw new CheckpointError('E_CKPT_UNSUPPORTED', `${source}: is encrypted; save it from MindSpore without enc_key`);
  }
  if (bytes.length === 0) throw new CheckpointError('E_CKPT_TRUNCATED', `${source}: is empty; copy it again`);
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isSealed(bytes)) {
    const body = bytes.subarray(SEAL_BYTES);
    requireChecksum(bytes.length < SEAL_BYTES ? undefined : view.readUInt32LE(SEAL_TAG.length), body, source);
    return body;
  }
  const end = bytes.length - TRAILER_BYTES;
  if (end < 0 || view.toString('latin1', end, end + 7) !== 'crc_num') return bytes;
  const body = bytes.subarray(0, end);
  requireChecksum(Number(BigInt(`0x${view.toString('hex', end + 7)}`)), body, source);
  return body;
}

/** Whether bytes begin as a `.ckpt` does. */
export function looksLikeMindSpore(bytes: Uint8Array): boolean {
  return bytes[0] === 0x0a || isSealed(bytes) || isEncrypted(bytes);
}

function requireChecksum(expected: number | undefined, body: Uint8Array, source: string): void {
  if (checksum([body]) === expected) return;
  throw new CheckpointError(
    'E_CKPT_CRC',
    `${source}: is damaged or cut short (its checksum does not fit); copy it again, or use an older checkpoint`,
  );
}

function isSealed(bytes: Uint8Array): boolean {
  return SEAL_TAG.every((byte, i) => bytes[i] === byte);
}

/** MindSpore's marks of AES-GCM, AES-CBC and SM4-CBC: 0x7f3a5ed8 to 0x7f3a5eda, little-endian. */
function isEncrypted(bytes: Uint8Array): boolean {
  return bytes[0] >= 0xd8 && bytes[0] <= 0xda && bytes[1] === 0x5e && bytes[2] === 0x3a && bytes[3] === 0x7f;
}
