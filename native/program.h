// What the layers of a network come to for this engine, and where a thread keeps its numbers.
#pragma once
#include <cstddef>
#include <cstdint>

namespace mindts {

enum class OpKind : int32_t { Conv = 0, Dense = 1, Relu = 2, MaxPool = 3 };

// One layer, or a convolution or dense layer with the ReLU and 2×2 max-pooling that follow it.
// The fields' order is the ABI: sdk/engine/native/lower.ts writes them.
struct Op {
  OpKind kind;
  int32_t input, output;           // values
  int32_t in_c, in_h, in_w;        // dense: in_c features, 1 × 1
  int32_t out_c, out_h, out_w;     // before pooling
  int32_t kernel_h, kernel_w;      // convolution; MaxPool: the window
  int32_t relu, pool;              // fused behind: relu 0 or 1, pool 0 or 2
  int32_t weight, bias;            // offsets into the parameters
  int32_t gradient;                // 0: its input needs none, 1: written, 2: added to what is there
};

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

// A thread's arrays for one group of images; a value with n features is float[n][LANES].
struct Workspace {
  float** values;      // by value
  float** gradients;   // by value; null where none is needed
  int32_t** choices;   // by op: where each pooled maximum was, int32[n][LANES]; null where unused
  float** scratch;     // by op
  float* parameter_gradients;
  float* input_scratch;
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
  // first: parameter gradients are written rather than added to.
  void (*backward)(const Op&, const float* parameters, const Workspace&, int index, bool first);
  // Softmax cross-entropy of n ≤ lanes images: adds up loss and hits; with gradient, writes (p − y) · scale.
  void (*loss)(const float* logits, int classes, const int32_t* labels, int n, float scale, float* gradient, double* loss,
               int32_t* hits);
  // One optimizer step for parameters [from, to), the gradient being the sum over threads in their order.
  void (*update)(const Optimizer&, float rate, float* parameters, float* const* slots, const float* const* gradients,
                 int threads, size_t from, size_t to);
  // Multiply-adds as fast as they go, for some seconds: FLOP/s.
  double (*peak)(double seconds);
};

const Kernels* const* all_kernels();  // best first, ended by null

}  // namespace mindts
