// Compiled once per instruction set, with -DMINDTS_ISA=<namespace> and that set's compiler flags.
#include <chrono>

#include "assemble.h"
#include "dense.h"
#include "depthwise.h"
#include "loss.h"
#include "norm.h"
#include "optimizer.h"
#include "pool.h"
#include "prune.h"
#include "sparse.h"
#include "supported.h"

namespace mindts::MINDTS_ISA {
namespace {

size_t op_scratch(const Op& op) {
  switch (op.kind) {
    case OpKind::Conv: return conv_scratch(op);
    case OpKind::Depthwise: return depthwise_scratch(op);
    case OpKind::Dense: return dense_scratch(op);
    default: return 0;
  }
}

void forward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  if (ws.rows && ws.rows[index].starts) return sparse_training_forward(op, parameters, ws, index);
  switch (op.kind) {
    case OpKind::Conv: return conv_forward(op, parameters, ws, index);
    case OpKind::Depthwise: return depthwise_forward(op, parameters, ws, index);
    case OpKind::Dense: return dense_forward(op, parameters, ws);
    case OpKind::Relu: return relu_forward(op, ws);
    case OpKind::MaxPool: return max_pool_forward(op, ws, index);
    case OpKind::AvgPool: return avg_pool_forward(op, ws);
    case OpKind::Copy: return copy_forward(op, ws);
    case OpKind::Softmax: return softmax_forward(op, ws);
    case OpKind::Dropout: return dropout_forward(op, ws);
    case OpKind::BatchNorm: return norm_forward(op, parameters, ws, index);
  }
}

void backward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  switch (op.kind) {
    case OpKind::Conv:
      if (ws.rows && ws.rows[index].starts && ws.masked_stay) return sparse_conv_backward(op, ws, index);
      return conv_backward(op, parameters, ws, index);
    case OpKind::Depthwise: return depthwise_backward(op, parameters, ws, index);
    case OpKind::Dense: return dense_backward(op, parameters, ws, index);
    case OpKind::Relu: return relu_backward(op, ws);
    case OpKind::MaxPool: return max_pool_backward(op, ws, index);
    case OpKind::AvgPool: return avg_pool_backward(op, ws);
    case OpKind::Copy: return copy_backward(op, ws);
    case OpKind::Softmax: return softmax_backward(op, ws);
    case OpKind::Dropout: return dropout_backward(op, ws);
    case OpKind::BatchNorm: return norm_backward(op, parameters, ws, index);
  }
}

// Independent multiply-adds on registers, two per cycle where the machine has two units.
inline double peak_rounds(int64_t rounds) {
  vec acc[12];
  for (int i = 0; i < 12; i++) acc[i] = splat((float)i);
  const vec a = splat(0.999f), b = splat(0.001f);
  for (int64_t r = 0; r < rounds; r++)
    for (int i = 0; i < 12; i++) {
      acc[i] = acc[i] * a + b;
      __asm__ volatile("" : "+r"(r));
    }
  vec sum = {};
  for (int i = 0; i < 12; i++) sum += acc[i];
  return sum[0];
}

// Twelve independent sums keep two multiply-add units of latency six busy.
double peak(double seconds) {
  using clock = std::chrono::steady_clock;
  const int64_t rounds = 1 << 20;
  double best = 0;
  const auto end = clock::now() + std::chrono::duration<double>(seconds);
  do {
    const auto start = clock::now();
    volatile double sink = peak_rounds(rounds);
    (void)sink;
    const double took = std::chrono::duration<double>(clock::now() - start).count();
    const double rate = rounds * 12.0 * LANES * 2 / took;
    if (rate > best) best = rate;
  } while (clock::now() < end);
  return best;
}

}  // namespace

#define MINDTS_TEXT(name) #name
#define MINDTS_NAME(name) MINDTS_TEXT(name)
extern const Kernels kernels = {MINDTS_NAME(MINDTS_ISA), LANES,   supported, op_scratch, assemble_scratch, assemble,
                                forward, backward, norm_moments, norm_sums, softmax_cross_entropy, update, operate, apply_mask,
                                sparse_places, sparse_forward, peak};

}  // namespace mindts::MINDTS_ISA
