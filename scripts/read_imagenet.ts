/**
 * Reads ImageNet once, as training would, and writes what came of it to data_info.json. The same file runs
 *   on OpenI (Qizhi)   as the start file: ImageNet lies in /cache/sfs/data/imagenet, the platform adds --train_url
 *   at home            npx mindts read_imagenet --data_url imagenet --train_url out
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as mindts from 'mindts';

const spec = {
  description: 'Reads a folder in the shape of ImageNet once, and writes data_info.json.',
  config: 'imagenet.yaml',
  options: {
    ...mindts.imagenetOptions,
    train_url: mindts.text({ required: true, placeholder: 'URL', description: 'where data_info.json goes' }),
    limit: mindts.integer({ min: 1, description: 'batches to read (default: all)' }),
  },
  examples: ['npx mindts read_imagenet --data_url imagenet --train_url out --limit 100'],
};

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  // Prepare: find the folder, make a place for the result.
  const root = await mindts.prepareData(args.data_url);
  const folder = join(root, args.split);
  if (!existsSync(folder)) {
    const what = `${root}: holds no folder ${args.split}; --data_url is the folder above train/ and val/`;
    throw new mindts.DatasetError('E_NOT_FOUND', what);
  }
  const output = await mindts.prepareOutput({ url: args.train_url, kind: 'result' });

  // The data set: to train on, a random part of each photo; to test with, the middle.
  const transforms = mindts.imagenetTransforms(args.split, args.image_size);
  const photos = await mindts.imageFolder(folder, { transforms, workers: args.workers });
  mindts.log.info(`${folder}: ${photos.size} images of ${photos.classes} classes`);

  // One pass over it, batch by batch.
  const shuffle = args.split === 'train' ? { seed: args.seed, epoch: 1 } : undefined;
  const pass = { batchSize: args.batch_size, dropRemainder: args.drop_remainder, shuffle, to: args.limit, signal };
  const read = { batches: 0, images: 0, seconds: 0 };
  const progress = mindts.startProgress({ label: `reading ${args.split}`, total: photos.size, unit: 'images' });
  const start = performance.now();
  for await (const { size } of photos.batches(pass)) {
    read.batches++;
    read.images += size;
    read.seconds = (performance.now() - start) / 1000;
    progress.update(read.images);
  }
  progress.clear();

  // Write, copy back.
  const info = mindts.dataInfo(photos, pass, read);
  await mindts.writeFileAtomic(join(output.folder, 'data_info.json'), `${JSON.stringify(info, undefined, 2)}\n`);
  await mindts.copyParallel(output.folder, args.train_url);
  const left = args.drop_remainder && read.batches === info.batches ? photos.size % args.batch_size : 0;
  mindts.log.info(
    `read ${read.images} images in ${read.batches} ${read.batches === 1 ? 'batch' : 'batches'}, ` +
      `${info.read.imagesPerSecond} images/s, ${info.skipped} passed over` +
      `${left > 0 ? `, ${left} left out as no full batch (--no-drop_remainder reads them)` : ''}; details in ${args.train_url}`,
  );
});
