/**
 * Where the real data sets come from, and how to know them. The sums are those that TensorFlow Datasets keeps for the same files; those of other
 * loaders agree, and so do the MD5s that the sets' own pages give, where they give any. A mirror is trusted with nothing: what it sends is held
 * against size and sum, so that one without TLS does no harm.
 */

/** A file as its mirrors have it. */
export interface SourceFile {
  readonly name: string;
  readonly bytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
  /** What it unpacks to, as it is called in our archive: one file of a `.gz`, those that are wanted of a `.tar.gz`. */
  readonly holds: readonly string[];
}

/** A data set: its files, the folders that have them, and what it becomes. */
export interface DatasetSource {
  readonly title: string;
  /** The page that describes it. */
  readonly home: string;
  /** Folders that hold all files, to be tried in this order. */
  readonly mirrors: readonly string[];
  readonly files: readonly SourceFile[];
  /** What our archive of it is called. */
  readonly archive: string;
}

/** The names that `mindts dataset fetch` knows. */
export const DATASET_NAMES = ['mnist', 'fashion-mnist', 'cifar10', 'cifar100'] as const;
export type DatasetName = (typeof DATASET_NAMES)[number];

/** The sets by name. */
export const DATASETS: Readonly<Record<DatasetName, DatasetSource>> = {
  mnist: {
    title: 'MNIST',
    home: 'http://yann.lecun.com/exdb/mnist/',
    // The home itself gives the files to nobody any more.
    mirrors: [
      'https://ossci-datasets.s3.amazonaws.com/mnist/', // PyTorch's
      'https://storage.googleapis.com/cvdf-datasets/mnist/', // TensorFlow's
      'https://dataset.bj.bcebos.com/mnist/', // PaddlePaddle's
    ],
    files: [
      idx(
        'train/train-images-idx3-ubyte',
        9_912_422,
        '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
      ),
      idx('train/train-labels-idx1-ubyte', 28_881, '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c'),
      idx('test/t10k-images-idx3-ubyte', 1_648_877, '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6'),
      idx('test/t10k-labels-idx1-ubyte', 4542, 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6'),
    ],
    archive: 'MNISTData.zip',
  },
  'fashion-mnist': {
    title: 'Fashion-MNIST',
    home: 'https://github.com/zalandoresearch/fashion-mnist',
    mirrors: [
      'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/',
      'https://storage.googleapis.com/tensorflow/tf-keras-datasets/', // Keras's
      'https://dataset.bj.bcebos.com/fashion_mnist/', // PaddlePaddle's
      'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
    ],
    files: [
      idx(
        'train/train-images-idx3-ubyte',
        26_421_880,
        '3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84',
      ),
      idx('train/train-labels-idx1-ubyte', 29_515, 'a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845'),
      idx('test/t10k-images-idx3-ubyte', 4_422_102, '346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073'),
      idx('test/t10k-labels-idx1-ubyte', 5148, '67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5'),
    ],
    archive: 'FashionMNISTData.zip',
  },
  cifar10: {
    title: 'CIFAR-10',
    home: 'https://www.cs.toronto.edu/~kriz/cifar.html',
    mirrors: [
      // MindSpore's first: the home has been sending some 60 kB/s since June 2026, which is 50 minutes.
      'https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/',
      'https://www.cs.toronto.edu/~kriz/',
    ],
    files: [
      {
        name: 'cifar-10-binary.tar.gz',
        bytes: 170_052_171,
        sha256: 'c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd',
        holds: ['batches.meta.txt', ...[1, 2, 3, 4, 5].map((part) => `data_batch_${part}.bin`), 'test_batch.bin'].map(
          (name) => `cifar-10-batches-bin/${name}`,
        ),
      },
    ],
    archive: 'cifar10.zip',
  },
  cifar100: {
    title: 'CIFAR-100',
    home: 'https://www.cs.toronto.edu/~kriz/cifar.html',
    mirrors: [
      'https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/',
      'https://www.cs.toronto.edu/~kriz/',
    ],
    files: [
      {
        name: 'cifar-100-binary.tar.gz',
        bytes: 168_513_733,
        sha256: '58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec',
        holds: ['coarse_label_names.txt', 'fine_label_names.txt', 'test.bin', 'train.bin'].map(
          (name) => `cifar-100-binary/${name}`,
        ),
      },
    ],
    archive: 'cifar100.zip',
  },
};

/** An IDX file, gzipped, in the folder where the platform's archive has it. */
function idx(place: string, bytes: number, sha256: string): SourceFile {
  return { name: `${place.replace(/^.*\//, '')}.gz`, bytes, sha256, holds: [place] };
}
