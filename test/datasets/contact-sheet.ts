/** The picture of the built-in digits: a row for each digit, as grey PNG. */
import { crc32, deflateSync, inflateSync } from 'node:zlib';
import type { LabelledImages } from '../../datasets/digits.js';

const SIDE = 28;
const COLUMNS = 20;
const ZOOM = 2;
const WIDTH = COLUMNS * SIDE * ZOOM;
const HEIGHT = 10 * SIDE * ZOOM;

/** The rows of the picture as PNG stores them: a zero (no filter), then the pixels. */
export function contactSheet({ images, labels }: LabelledImages): Buffer {
  const sheet = Buffer.alloc(HEIGHT * (WIDTH + 1));
  for (let digit = 0; digit < 10; digit++) {
    const indices = [...labels.keys()].filter((i) => labels[i] === digit).slice(0, COLUMNS);
    for (const [column, index] of indices.entries()) {
      for (let y = 0; y < SIDE * ZOOM; y++) {
        for (let x = 0; x < SIDE * ZOOM; x++) {
          const pixel = images[(index * SIDE + Math.floor(y / ZOOM)) * SIDE + Math.floor(x / ZOOM)];
          sheet[(digit * SIDE * ZOOM + y) * (WIDTH + 1) + 1 + column * SIDE * ZOOM + x] = pixel;
        }
      }
    }
  }
  return sheet;
}

/** A PNG (https://www.w3.org/TR/png-3/) of these rows, 8 bits of grey. */
export function encodePng(rows: Buffer): Buffer {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
  header.writeUInt32BE(WIDTH, 0);
  header.writeUInt32BE(HEIGHT, 4);
  const data = deflateSync(rows, { level: 9 });
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.of())]);
}

/** The rows that {@link encodePng} was given. */
export function decodePng(png: Buffer): Buffer {
  const start = SIGNATURE.length + 25 + 8; // after IHDR and the head of IDAT
  return inflateSync(png.subarray(start, start + png.readUInt32BE(start - 8)));
}

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
