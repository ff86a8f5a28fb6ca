// What the layers of a network come to for this engine, and where a thread keeps its numbers.
#pragma once
#include <cstddef>
#include <cstdint>

namespace mindts {

enum class OpKind : int32_t {
  Conv = 0, Dense = 1, Relu = 2, MaxPool = 3, AvgPool = 4, Depthwise = 5, Copy = 6, Softmax = 7, Dropout = 8, BatchNorm = 9
};

// One layer, or a convolution or dense layer with the ReLU and 2×2 max-pooling that follow it. A sum of values is a Copy for
// each that adds to what is there, a concatenation one for each to its place.
// The fields' order is the ABI: sdk/engine/native/lower.ts writes them.
struct Op {
  OpKind kind;
  int32_t input, output;           // values
  int32_t in_c, in_h, in_w;        // dense: in_c features, 1 × 1
  int32_t out_c, out_h, out_w;     // before pooling
  int32_t kernel_h, kernel_w, stride_h, stride_w;
  int32_t pad_top, pad_left;       // what lies beyond the input, so that its last rows and columns follow from the output's
  int32_t relu, pool;              // fused behind: relu 0 or 1, pool 0 or 2
  int32_t weight, bias;            // offsets into the parameters; bias −1: none. BatchNorm: γ; then β, moving mean, moving variance
  int32_t gradient;                // 0: its input needs none, 1: written, 2: added to what is there
  int32_t place;                   // Copy: the first feature of its output; Dropout: the layer's position in the network
  int32_t accumulate;              // Copy: added to the output rather than written
  uint32_t threshold;              // Dropout: hashes below leave a number out
  float factor;                    // Dropout: of the numbers that stay; BatchNorm: momentum
  float epsilon;                   // BatchNorm
};

// sdk/engine/dropout.ts says what this is for. T: uint32_t, or a vector of them.
template <class T>
inline T hash32(T h) {
  h = (h ^ (h >> 16)) * 0x7feb352du;
  h = (h ^ (h >> 15)) * 0x846ca68bu;
  return h ^ (h >> 16);
}

// Bytes (height × width × channels) to the network's input (channels × height × width).
struct Input {
  int32_t source_h, source_w, channels, h, w;
  const float *scale, *shift;  // one per channel
};

enum class OptimizerKind : int32_t { Sgd = 0, Adam = 1 };

struct Optimizer {
  OptimizerKind kind;
  float momentum, weight_decay, beta1, beta2, epsilon;
  int32_t nesterov;
};

struct Rows;

// Between these two magnitudes a parameter's bit stays what it is: sdk/pruning/surgery.ts.
struct Bounds {
  float prune, splice;
};

// So many groups of images go through a sparse layer together.
constexpr int GROUPS_AT_ONCE = 4;

// A thread's arrays for one group of images; a value with n features is float[n][LANES].
struct Workspace {
  float** values;      // by value
  float** gradients;   // by value; null where none is needed
  int32_t** choices;   // by op: where each pooled maximum was, int32[n][LANES]; null where unused
  float** scratch;     // by op; a thread's groups share it
  float** statistics;  // by op: BatchNorm's mean and 1 / √(variance + ε) of this batch, float[2][channels]; else null
  const Rows* rows;    // by op: of dense layers and convolutions of which few weights are kept; null where there is no mask at all
  bool masked_stay;    // gradients of masked weights are not asked for
  float* parameter_gradients;
  float* input_scratch;
  int images;          // in use of the group's lanes
  uint32_t sample;     // the group's first image in its batch
  uint32_t key;        // Dropout: a hash of seed and step
  bool training;
  int group;           // of those the thread has of this batch; with 0, parameter gradients are written rather than added to,
                       // and what scratch holds of the parameters is made anew
  bool last;           // of the thread's groups of this batch
};

// A share of a batch: images × places of a channel, their mean and the sum of squared distances from it.
struct Moments {
  double count, mean, squares;
};

// Which parameters a step changes: [from, to), of them those of a mask, or, of a list of parameters, those at the places [from, to).
struct Selection {
  size_t from, to;
  const uint8_t* mask = nullptr;
  const int32_t* list = nullptr;
};

// The kernels of one instruction set.
struct Kernels {
  const char* name;
  int lanes;
  int (*supported)();
  // Floats of scratch that the backward pass of an op needs, and assembling the input.
  size_t (*op_scratch)(const Op&);
  size_t (*input_scratch)(const Input&);
  // images: lanes pointers, repeated where a group has fewer.
  void (*assemble)(const Input&, const uint8_t* const* images, float* into, float* scratch);
  void (*forward)(const Op&, const float* parameters, const Workspace&, int index);
  void (*backward)(const Op&, const float* parameters, const Workspace&, int index);
  // BatchNorm in training. Of a group, before the whole batch is known: moments [channels] of its input, …
  void (*norm_moments)(const Op&, const Workspace&, Moments* moments);
  // … and, backward, Σ dy and Σ dy · normalised input, double[channels][2], which also are β's and γ's gradients. `backward`
  // then takes the sums of the whole batch, divided by its images × places, from statistics + 2 · channels.
  void (*norm_sums)(const Op&, const Workspace&, int index, double* sums);
  // Softmax cross-entropy of n ≤ lanes images: adds up loss and hits; with gradient, writes (p − y) · scale.
  void (*loss)(const float* logits, int classes, const int32_t* labels, int n, float scale, float* gradient, double* loss,
               int32_t* hits);
  // One optimizer step for the parameters of a selection, the gradient being the sum over threads in their order.
  void (*update)(const Optimizer&, float rate, float* parameters, float* const* slots, const float* const* gradients,
                 int threads, const Selection&);
  // Masks: prune.h.
  bool (*operate)(const float* values, const uint8_t* before, Bounds, uint8_t* mask, size_t from, size_t to);
  void (*apply_mask)(const float* values, const uint8_t* mask, float* into, size_t from, size_t to);
  // A layer by its kept weights: sparse.h.
  void (*sparse_places)(const Op&, int32_t* places);
  void (*sparse_forward)(const Op&, const Rows&, const float* parameters, const Workspace* const* groups, int count, int index);
  // Multiply-adds as fast as they go, for some seconds: FLOP/s.
  double (*peak)(double seconds);
};

const Kernels* const* all_kernels();  // best first, ended by null

}  // namespace mindts
