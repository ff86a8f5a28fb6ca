/** The options that launch files share, spelled as the platforms and the seed's scripts spell them. */
import { choice, flag, integer, number, type Option, type Options, text } from '../args/option.js';
import { DEVICE_TARGETS, type DeviceTarget } from '../engine/select.js';
import { NETWORK_NAMES, type NetworkName } from '../nn/networks.js';
import { type NamedUrl, urlList } from '../platform/url-list.js';

/** What a network is run on. */
export const deviceOptions: Options<{ device_target: DeviceTarget; threads: number | undefined }> = {
  device_target: choice(DEVICE_TARGETS, {
    default: 'CPU',
    description: 'what to run on; GPU needs @tensorflow/tfjs-node-gpu, Ascend means this machine’s CPUs for now',
  }),
  threads: integer({ min: 1, max: 1024, description: 'threads to use (default: all processors)' }),
};

/** The size of images; optional, since every network has its own. */
export const imageSize: Options<{ image_height: number | undefined; image_width: number | undefined }> = {
  image_height: integer({ min: 16, max: 1024, description: 'rows of images (default: what the network is made for)' }),
  image_width: integer({
    min: 16,
    max: 1024,
    description: 'columns of images (default: what the network is made for)',
  }),
};

/** Which network, and what images and classes it is built for. */
export const networkOptions: Options<{
  network: NetworkName;
  num_classes: number;
  image_height: number | undefined;
  image_width: number | undefined;
}> = {
  network: choice(NETWORK_NAMES, { default: 'lenet5', description: 'which network' }),
  num_classes: integer({ min: 2, max: 65_536, default: 10, description: 'classes of the data set' }),
  ...imageSize,
};

/** Which checkpoint a job begins with; `chooseCheckpoint` says how the two go together. */
export const modelOptions: Options<{ ckpt_url: string | undefined; pretrain_url: readonly NamedUrl[] | undefined }> = {
  ckpt_url: text({ placeholder: 'URL', description: 'the checkpoint to take parameters from' }),
  pretrain_url: urlList('model', { description: 'the models of the task, as the platform lists them' }),
};

/** Where training starts. */
export const startOptions: Options<{
  ckpt_url: string | undefined;
  pretrain_url: readonly NamedUrl[] | undefined;
  ckpt_skip: string | undefined;
}> = {
  ...modelOptions,
  ckpt_skip: text({ placeholder: 'NAMES', description: 'layers that start afresh in spite of it, such as fc2,fc3' }),
};

/** The data sets of a task with several. */
export const dataSetOptions: Options<{
  multi_data_url: readonly NamedUrl[] | undefined;
  data_url: string | undefined;
  dataset_name: string | undefined;
}> = {
  multi_data_url: urlList('dataset', { description: 'the data sets of the task, as the platform lists them' }),
  data_url: text({ placeholder: 'URL', description: 'the data set, where the platform gives no list' }),
  dataset_name: text({ placeholder: 'NAME', description: 'the one with the images, where several have some' }),
};

/** Where results go on C2Net, besides the folder that the platform collects. */
export const collectedOptions: Options<{ train_url: string | undefined; model_url: string | undefined }> = {
  train_url: text({
    placeholder: 'URL',
    description: 'where checkpoints and history go (default: what the platform collects)',
  }),
  model_url: text({
    placeholder: 'URL',
    description: 'where all of them go once more at the end, packed if it ends in .zip',
  }),
};

/** Where ImageNet lies and how it is read; configs/imagenet.yaml holds the seed's settings. */
export const imagenetOptions: Options<{
  data_url: string;
  split: 'train' | 'val';
  batch_size: number;
  image_size: number;
  drop_remainder: boolean;
  seed: number;
  workers: number | undefined;
}> = {
  data_url: text({
    default: '/cache/sfs/data/imagenet',
    placeholder: 'URL',
    description: 'ImageNet: a folder, or a zip or tar, that holds train/ and val/',
  }),
  split: choice(['train', 'val'], { default: 'train', description: 'which half of it' }),
  batch_size: integer({ min: 1, default: 16, description: 'images per batch' }),
  image_size: integer({
    min: 16,
    max: 1024,
    default: 224,
    description: 'rows and columns of what is cut out of a photo',
  }),
  drop_remainder: flag({ default: true, description: 'leave out a last batch that is not full' }),
  seed: integer({ default: 1, description: 'the same seed gives the same batches' }),
  workers: integer({ min: 1, max: 256, description: 'threads that decode (default: all processors)' }),
};

/** How training goes; configs/mnist.yaml holds the seed's settings. */
export const trainingOptions: Options<{
  epoch_size: number;
  batch_size: number;
  learning_rate: number;
  momentum: number;
  weight_decay: number;
  save_checkpoint_steps: number;
  keep_checkpoint_max: number;
  ckpt_per_rank: boolean;
  seed: number;
  resume: boolean;
}> = {
  epoch_size: integer({ min: 1, default: 10, description: 'how often to go over the data' }),
  batch_size: integer({ min: 1, default: 32, description: 'images per step and rank' }),
  learning_rate: number({ above: 0, default: 0.01, description: 'how far a step goes' }),
  momentum: number({ min: 0, max: 0.999999, default: 0.9, description: 'how much of the last step stays' }),
  weight_decay: number({ min: 0, default: 0, description: 'how fast weights fade' }),
  save_checkpoint_steps: integer({ min: 1, default: 1875, description: 'steps between checkpoints' }),
  keep_checkpoint_max: integer({ min: 1, default: 150, description: 'checkpoints to keep' }),
  ckpt_per_rank: flag({ description: 'of several ranks each saves too, in a folder of its number' }),
  seed: integer({ default: 1, description: 'the same seed gives the same run' }),
  resume: flag({ description: 'go on from the newest checkpoint, bit for bit' }),
};

/** `--data_url`, which every job has. */
export const dataUrl: Option<string> = text({
  required: true,
  placeholder: 'URL',
  description: 'the data set: a folder, a zip, tar or tar.gz, a folder holding one of them, or builtin:digits',
});
