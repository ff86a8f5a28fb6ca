/** Files that people take for parameter files and that are not read: what they are, and what to do instead. */

/**
 * What a file is and how its parameters can be had from it, to follow its name; undefined when it is none of those known.
 * Nothing in it is carried out or unpacked.
 *
 * @example
 * foreignFormat(Uint8Array.of(0x1f, 0x8b)); // 'is compressed with gzip; unpack it first (gunzip)'
 */
export function foreignFormat(bytes: Uint8Array): string | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const begins = (hex: string): boolean => file.subarray(0, hex.length / 2).toString('hex') === hex;
  if (begins('504b0304')) return zipped(file);
  if (begins('1f8b')) return 'is compressed with gzip; unpack it first (gunzip)';
  // A pickle is a program: protocol 2 to 5, as torch.save wrote until PyTorch 1.6.
  if (file[0] === 0x80 && file[1] >= 2 && file[1] <= 5) return PICKLE;
  if (begins('894844460d0a1a0a')) return `is an HDF5 file, as Keras writes, which mindts does not read; ${KERAS}`;
  if (begins('934e554d5059')) return `is a NumPy array, which mindts does not read; ${NUMPY}`;
  if (file[0] === 0x08 && file[1] <= 0x20 && ONNX_TAGS.has(file[2])) {
    return 'is an ONNX model, which mindts writes and does not read; give the file that it was made of';
  }
  return isText(file) ? textual(file.toString('utf8', 0, 200)) : undefined;
}

const PICKLE =
  'is a Python pickle, as PyTorch writes, which may run any code and is never opened; save it there with safetensors.torch.save_file(model.state_dict(), "model.safetensors")';
const KERAS = 'convert it with tensorflowjs_converter --input_format=keras, and give the model.json that comes out';
const NUMPY = 'save it there with safetensors.numpy.save_file';

/** What follows the version in a ModelProto: producer, domain, documentation, graph, operator sets. */
const ONNX_TAGS: ReadonlySet<number> = new Set([0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42]);

function zipped(file: Buffer): string {
  if (file.includes('data.pkl')) return PICKLE;
  if (file.includes('model.weights.h5'))
    return `is a Keras model, which mindts does not read; save it as .h5 and ${KERAS}`;
  if (file.includes('.npy')) return `is a NumPy archive, which mindts does not read; ${NUMPY}`;
  return 'is a zip; unpack it, and give the parameter file in it';
}

/** Whether the beginning is UTF-8 without control characters. */
function isText(file: Buffer): boolean {
  if (file.length === 0) return false;
  // A character may be cut at the end: then it is a replacement character, and the last.
  const beginning = file.toString('utf8', 0, 400).replace(/\uFFFD{1,3}$/, '');
  return !/[^\P{C}\n\r\t\uFEFF]|\uFFFD/u.test(beginning);
}

function textual(beginning: string): string {
  if (beginning.startsWith('version https://git-lfs'))
    return 'is a Git LFS pointer, not the file itself; run git lfs pull';
  if (/^\s*<(!doctype|html)/i.test(beginning)) return 'is a web page: the download went wrong; fetch the file itself';
  return 'is a text, not a parameter file';
}
