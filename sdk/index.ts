/** Everything a script needs, in the order of the rooms. */
export { choice, flag, integer, number, type Options, text } from './args/option.js';
export { parseOptions } from './args/parse.js';
export * from './base/errors.js';
export { writeFileAtomic } from './base/files.js';
export { log } from './base/log.js';
export { type Progress, startProgress } from './base/progress.js';
export { type Checkpoint, loadCheckpoint, saveCheckpoint } from './checkpoint/checkpoint.js';
export { type Conversion, convertCheckpoint } from './checkpoint/convert.js';
export { narrowedTo } from './checkpoint/narrowed.js';
export type { NetworkHints } from './checkpoint/network-of.js';
export {
  type ClassifierArgs,
  classifyTestSet,
  type Training,
  type TrainingArgs,
  trainClassifier,
} from './cli/classifier.js';
export { type Job, type LaunchFile, type LaunchSpec, launch } from './cli/launch.js';
export {
  collectedOptions,
  dataSetOptions,
  dataUrl,
  deviceOptions,
  imagenetOptions,
  modelOptions,
  networkOptions,
  startOptions,
  trainingOptions,
} from './cli/options.js';
export {
  type CompatArgs,
  type CompatRun,
  type CompatRunArgs,
  type CompatTrainerJob,
  compatOptions,
  compatRunOptions,
  compatTrainerOptions,
  leadByFiles,
  takePartByFiles,
  trainByFiles,
} from './cli/prune-compat.js';
export { type PruneJob, printPruned, pruneNetwork } from './cli/prune-network.js';
export { choicesOf, type PruneArgs, pruneOptions, runOptions } from './cli/prune-options.js';
export {
  printOutcome,
  type TrainerJob,
  takePart,
  trainPruned,
  type WorkArgs,
  workFolderOf,
  workOptions,
} from './cli/prune-roles.js';
export { fetchStart } from './cli/start.js';
export { printSummary } from './cli/summary.js';
export { type CifarOptions, cifar10, cifar100, cifarTransforms } from './dataset/cifar.js';
export { type DataInfo, dataInfo, type PassCount } from './dataset/data-info.js';
export { type Dataset, fromArrays } from './dataset/dataset.js';
export {
  type ImageFolderOptions,
  type ImageStream,
  imageFolder,
  imagenetTransforms,
  type PassOptions,
} from './dataset/image-stream.js';
export { type MnistOptions, mnist, mnistTransforms } from './dataset/mnist.js';
export { type InputPlan, normalize, rescale, resize, type Transform } from './dataset/transforms.js';
export { centerCrop, type ImageTransform, randomHorizontalFlip, randomResizedCrop } from './dataset/views.js';
export type {
  Bounded,
  CandidateResults,
  Candidates,
  CompileOptions,
  Engine,
  Masking,
  Program,
  ProgramState,
  StepOptions,
  Surgery,
} from './engine/engine.js';
export { type NativeOptions, nativeEngine } from './engine/native/native.js';
export { referenceEngine } from './engine/reference/reference.js';
export { cpuEngine, DEVICE_TARGETS, type DeviceTarget, selectEngine } from './engine/select.js';
export { tensorflowEngine } from './engine/tensorflow/tensorflow.js';
export type { TensorFlowModule } from './engine/tensorflow/tf.js';
export { conv2d, depthwiseConv2d } from './nn/convolution.js';
export { constant, heUniform, type Initializer, normal, xavierUniform, zeros } from './nn/initializers.js';
export { add, batchNorm, concat, dense, dropout, flatten, input, relu, softmax } from './nn/layers.js';
export {
  CaffeLeNet5,
  type ClassifierOptions,
  KerasLeNet,
  LeNet5,
  LeNet300100,
  type LeNetOptions,
} from './nn/lenet.js';
export { type Loss, softmaxCrossEntropy } from './nn/losses.js';
export { initialParameters, type Network, network } from './nn/network.js';
export { buildNetwork, NETWORK_NAMES, type NetworkName } from './nn/networks.js';
export { adam, type Optimizer, sgd } from './nn/optimizers.js';
export { avgPool2d, globalAvgPool2d, globalMaxPool2d, maxPool2d } from './nn/pooling.js';
export { unitsOf, withUnits } from './nn/units.js';
export type { Layer, Value, WeightOptions, Window } from './nn/value.js';
export type { WindowOptions } from './nn/window.js';
export { joinRanks, leaveRanks, type Ranks, theseRanks } from './parallel/ranks.js';
export { type C2netContext, prepare, uploadOutput } from './platform/c2net.js';
export { outputUrl, uploadModels } from './platform/c2net-output.js';
export { type CheckpointArgs, chooseCheckpoint, requireCheckpoint } from './platform/choose-checkpoint.js';
export { chooseDataSet, type DataSets, prepareDataSets } from './platform/data-sets.js';
export { type Output, prepareOutput } from './platform/output.js';
export { BUILTIN_DIGITS, fetchCheckpoint, fetchFile, prepareData } from './platform/prepare.js';
export { type NamedUrl, urlList } from './platform/url-list.js';
export { type AloneOptions, alone, RUN_FILES } from './pruning/alone.js';
export { cmaEs } from './pruning/cma-es.js';
export { type SeedEvaluatorOptions, seedEvaluator } from './pruning/compat/evaluator.js';
export { type SeedFolder, seedFolder } from './pruning/compat/folder.js';
export { type SeedMainOptions, seedMain } from './pruning/compat/main.js';
export { type SeedSearchOptions, seedSearch } from './pruning/compat/search.js';
export { type SeedTrainerOptions, seedTrainer } from './pruning/compat/trainer.js';
export { finish, type PruneReport } from './pruning/finish.js';
export { ncs } from './pruning/ncs.js';
export { type Pruned, prune } from './pruning/prune.js';

export { type Compression, type Kept, type PrunedLayer, prunedLayers } from './pruning/pruned-layers.js';
export { randomSearch } from './pruning/random-search.js';
export { type EvaluatorRoleOptions, evaluatorRole } from './pruning/roles/evaluator.js';
export type { Joined } from './pruning/roles/joined.js';
export { type MainOptions, mainRole } from './pruning/roles/main.js';
export type { Outcome } from './pruning/roles/messages.js';
export { type SearchRoleOptions, searchRole } from './pruning/roles/search.js';
export type { Moment } from './pruning/run-state.js';
export type { Candidate as SearchCandidate, Result as SearchResult, Search, SearchProblem } from './pruning/search.js';
export { seedCompat } from './pruning/seed-compat.js';
export { type LayerSensitivity, sensitivityOf, writeSensitivity } from './pruning/sensitivity.js';
export { type PruneChoices, type PruneSettings, settingDefaults, settingsFor } from './pruning/settings.js';
export { maskFor, type Snapshot, snapshotOf } from './pruning/surgery.js';
export { PruneTrainer, requireFitting, type TrainerOptions } from './pruning/trainer.js';
export { copy, copyParallel } from './storage/copy.js';
export { type Callback, type EpochRecord, type Json, type Run, type StopReason } from './train/callback.js';
export { HistoryFile } from './train/callbacks/history-file.js';
export { LearningRateScheduler } from './train/callbacks/learning-rate-scheduler.js';
export { LossMonitor } from './train/callbacks/loss-monitor.js';
export { ModelCheckpoint } from './train/callbacks/model-checkpoint.js';
export { EarlyStopping, type PlateauOptions, ReduceLROnPlateau } from './train/callbacks/plateau.js';
export { ProgressBar } from './train/callbacks/progress-bar.js';
export { TimeMonitor } from './train/callbacks/time-monitor.js';
export { UploadOutput } from './train/callbacks/upload-output.js';
export { Model } from './train/model.js';
export type { Evaluation, LoadOptions, ModelOptions, Prediction, TrainOptions } from './train/options.js';
export { type ClassificationReport, classificationReport } from './train/report.js';
