/** Numbers of a file, whatever its order of bytes and wherever they begin. */

/** Float32 or float64 numbers, as many as there are. */
export function floatsOf(
  bytes: Uint8Array,
  { size, isBigEndian }: { readonly size: 4 | 8; readonly isBigEndian: boolean },
): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: bytes.length / size }, (_, i) =>
    size === 4 ? view.getFloat32(i * size, !isBigEndian) : view.getFloat64(i * size, !isBigEndian),
  );
}
