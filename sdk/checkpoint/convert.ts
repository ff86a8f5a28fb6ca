/** From one format of parameter files to another. */
import { readTensorFile, writeTensorFile } from './file-format.js';

/**
 * Reads a parameter file of any known format and writes it in the format of `to`'s extension, with all its entries in
 * their order. Numbers become Float32 and Int32.
 *
 * @throws CheckpointError as `readTensorFile` and `writeTensorFile` do
 * @throws StorageError `E_WRITE` when `to` cannot be written
 */
export async function convertCheckpoint(from: string, to: string): Promise<void> {
  await writeTensorFile(to, await readTensorFile(from));
}
