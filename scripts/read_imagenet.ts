/**
 * Reads ImageNet once, as training would, and writes what it is made of to data_info.json. The same file runs
 *   on OpenI (Qizhi)   as the start file: ImageNet lies in /cache/sfs/data/imagenet, the platform adds --train_url
 *   at home            npx mindts read_imagenet --data_url imagenet --train_url out
 */
import { join } from 'node:path';
import * as mindts from 'mindts';

const spec = {
  description: 'Reads a folder of ImageNet’s shape once, and writes data_info.json.',
  config: 'imagenet.yaml',
  options: {
    ...mindts.streamOptions,
    data_url: mindts.text({
      default: '/cache/sfs/data/imagenet',
      placeholder: 'URL',
      description: 'holds train/, val/',
    }),
    train_url: mindts.text({ default: '/cache/output', placeholder: 'URL', description: 'where data_info.json goes' }),
    split: mindts.choice(['train', 'val'], { default: 'train', description: 'which half to read' }),
    limit: mindts.integer({ min: 1, description: 'batches to read (default: all)' }),
  },
  examples: ['npx mindts read_imagenet --data_url imagenet --train_url out --limit 100'],
};

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  // Prepare: find the folder; a copy or a zip of it will do, too.
  const folder = join(await mindts.prepareData(args.data_url), args.split);
  const output = await mindts.prepareOutput({ url: args.train_url, kind: 'result' });

  // The data set: a random part of each photo to train on, the middle to test with.
  const transforms = mindts.imagenetTransforms(args.split, args.image_size);
  const photos = await mindts.imageFolder(folder, { transforms, workers: args.workers });
  const { batch_size: batchSize, drop_remainder: dropRemainder } = args;
  const shuffle = args.split === 'train' ? { seed: args.seed, epoch: 1 } : undefined;
  const all = Math[dropRemainder ? 'floor' : 'ceil'](photos.size / batchSize);
  const batches = Math.min(all, args.limit ?? all);
  mindts.log.info(`${folder}: ${photos.size} images of ${photos.classes} classes, ${all} batches of ${batchSize}`);

  // One pass.
  const progress = mindts.startProgress({ label: `reading ${args.split}`, total: batches, unit: 'batches' });
  const read = { batches: 0, images: 0, seconds: 0 };
  const start = performance.now();
  for await (const { size } of photos.batches({ batchSize, dropRemainder, shuffle, to: batches, signal })) {
    read.batches++;
    read.images += size;
    read.seconds = (performance.now() - start) / 1000;
    progress.update(read.batches, `${Math.round(read.images / read.seconds)} images/s`);
  }
  progress.clear();

  // Write, copy back.
  const { source, size: images, classes, classNames, plan } = photos;
  const shape = [batchSize, plan.source.channels, plan.height, plan.width];
  const skipped = [...photos.skipped].slice(0, 100).map(([file, reason]) => ({ file, reason }));
  const dataset = {
    source,
    split: args.split,
    images,
    classes,
    batches: all,
    shape,
    dropRemainder,
    shuffle,
    transforms,
  };
  const rate = Math.round(read.images / read.seconds);
  const info = {
    dataset,
    read: { ...read, imagesPerSecond: rate, skippedImages: photos.skipped.size, skipped },
    classNames,
  };
  await mindts.writeFileAtomic(join(output.folder, 'data_info.json'), `${JSON.stringify(info, undefined, 2)}\n`);
  await mindts.copyFolder(output.folder, args.train_url, { onlyChanged: true });
  mindts.log.info(
    `read ${read.images} images in ${read.batches} batches, ${rate} images/s; ${photos.skipped.size} passed over`,
  );
});
