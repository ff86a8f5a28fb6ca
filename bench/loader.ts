/** Reading ImageNet: a pass over a folder of photos, beside PyTorch's. */
import { existsSync } from 'node:fs';
import { link, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { seededRandom } from '../sdk/base/random.js';
import { imageFolder } from '../sdk/dataset/image-stream.js';
import type { Bench, Figure } from './figures.js';
import { besidePeer } from './peer.js';

/** By the names that `--only` and `--json` use. */
export const loaderFigures: Readonly<Record<string, Figure>> = {
  imagenet_loader: {
    title: 'reading photos of 500×375 for training, batch 16, 2 threads that decode',
    unit: 'images/s',
    target: { is: '≥', limit: 1, ofPeer: true },
    async measure({ folder, repeats }: Bench) {
      const photos = await drawPhotos(join(folder, 'photos'));
      const stream = await imageFolder(photos, { workers: THREADS });
      const images = stream.size - (stream.size % BATCH);
      let epoch = 0;
      const read = async (): Promise<void> => {
        let seen = 0;
        const pass = { batchSize: BATCH, dropRemainder: true, shuffle: { seed: 1, epoch: ++epoch } };
        for await (const { size } of stream.batches(pass)) seen += size;
        if (seen !== images) throw new Error(`${seen} of ${images} images were read`);
      };
      const args = [photos, String(THREADS), String(BATCH)];
      const { value, peer, note } = await besidePeer(read, {
        script: 'torch_loader.py',
        args,
        command: 'read',
        repeats,
      });
      return { value: images / value, ...(peer && { peer: images / peer }), ...(note && { note }) };
    },
  },
};

const BATCH = 16;
const THREADS = 2;
const [WIDTH, HEIGHT] = [500, 375];
/** Photos that differ; each stands in the folder under many names, which is like many for those who read it. */
const DRAWN = 100;
const NAMES = 16;

/** Draws photos in class folders: smooth colours, discs and noise, about 100 kB each, as ImageNet's are. */
async function drawPhotos(folder: string): Promise<string> {
  if (existsSync(folder)) return folder;
  for (let photo = 0; photo < DRAWN; photo++) {
    const place = join(folder, `class${photo % 10}`);
    await mkdir(place, { recursive: true });
    const first = join(place, `${photo}-0.JPEG`);
    await sharp(photoPixels(photo), { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
      .jpeg({ quality: 92 })
      .toFile(first);
    for (let name = 1; name < NAMES; name++) await link(first, join(place, `${photo}-${name}.JPEG`));
  }
  return folder;
}

function photoPixels(photo: number): Uint8Array {
  const random = seededRandom(photo, 'photo');
  const slopes = [0, 1, 2].map(() => 255 * random.uniform());
  const discs = Array.from({ length: 12 }, () => ({
    x: WIDTH * random.uniform(),
    y: HEIGHT * random.uniform(),
    radius: 10 + 70 * random.uniform(),
    colour: [0, 1, 2].map(() => 255 * random.uniform()),
  }));
  const pixels = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const disc = discs.find((one) => (x - one.x) ** 2 + (y - one.y) ** 2 < one.radius ** 2);
      const noise = 44 * (random.uniform() - 0.5);
      for (let c = 0; c < 3; c++) {
        const smooth = slopes[c] * [x / WIDTH, y / HEIGHT, (x + y) / (WIDTH + HEIGHT)][c];
        pixels[3 * (y * WIDTH + x) + c] = Math.min(255, Math.max(0, (disc?.colour[c] ?? smooth) + noise));
      }
    }
  }
  return pixels;
}
