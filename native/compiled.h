// A compiled network: its parameters, and a workspace per thread.
#pragma once
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "communicator.h"
#include "masked.h"
#include "program.h"
#include "threads.h"
#include "workspace.h"

namespace mindts {

// Parameters that the optimizer changes, [first, last), and how much faster than others.
struct Range {
  size_t first, last;
  float rate, decay;
};

// Changes the mask before each step, in the layers [first, end) that are active: [steps][layers].
struct Surgery {
  const int32_t* spans;
  const Bounds* bounds;
  int layers;
  const uint8_t* active;
  bool is_active(int64_t step) const { return layers > 0 && std::memchr(active + step * layers, 1, layers); }
};

struct Compiled {
  Layout layout;
  Input input;
  std::vector<float> scale_shift;
  Optimizer optimizer;
  size_t slot_count;
  int batch, outputs;
  uint32_t seed;
  size_t image_bytes;
  std::vector<Range> trainable;
  // Ops are run group by group as far as the next that needs the whole batch: the first of each such part.
  std::vector<size_t> parts{0};
  // By op: each group's share of what BatchNorm needs of the batch, [groups][channels] or [groups][channels][2].
  std::vector<std::vector<Moments>> moments;
  std::vector<std::vector<double>> sums;
  std::vector<Array<float>> slots;
  std::vector<float*> slot_pointers;
  Array<float> parameters;
  Masked masked;
  std::vector<ThreadState> states;
  std::unique_ptr<Threads> threads;
  int64_t step = 0;
  // The job's other ranks; null where there are none. patience: how long a step waits for the slowest, in seconds.
  Communicator* communicator = nullptr;
  double patience = 0, exchange_seconds = 0;
  // Gradients on their way over ranks, and EXTRAS behind them.
  Array<float> exchanged;
  std::string error;
  std::atomic<bool> stop{false};

  Compiled(const Kernels* kernels, const int32_t* shape, const int32_t* value_sizes, const int32_t* op_fields,
                 const float* numbers) {
    layout = {kernels, std::vector<Op>(shape[6]), std::vector<int32_t>(value_sizes, value_sizes + shape[5]), shape[12],
              (size_t)shape[7]};
    if (!layout.ops.empty()) std::memcpy(layout.ops.data(), op_fields, layout.ops.size() * sizeof(Op));
    slot_count = shape[8];
    batch = shape[9];
    outputs = shape[11];
    scale_shift.assign(numbers, numbers + 2 * shape[2]);
    input = {shape[0], shape[1], shape[2], shape[3], shape[4], scale_shift.data(), scale_shift.data() + shape[2]};
    image_bytes = (size_t)shape[0] * shape[1] * shape[2];
    numbers += 2 * shape[2];
    optimizer = {static_cast<OptimizerKind>(shape[13]), numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], shape[14]};
    seed = (uint32_t)shape[15];
    for (int i = 0; i < shape[16]; i++)
      trainable.push_back({(size_t)shape[17 + 2 * i], (size_t)shape[18 + 2 * i], numbers[5 + 2 * i], numbers[6 + 2 * i]});
    for (size_t i = 0; i < layout.ops.size(); i++)
      if (layout.ops[i].kind == OpKind::BatchNorm) parts.push_back(i);
    parts.push_back(layout.ops.size());
    parameters = zeroed<float>(layout.parameter_count);
    for (size_t s = 0; s < slot_count; s++) {
      slots.push_back(zeroed<float>(layout.parameter_count));
      slot_pointers.push_back(slots.back().get());
    }
    // A thread needs a group of images to work on.
    const int count = shape[10] < groups() ? shape[10] : groups();
    states.resize(count);
    for (auto& state : states) {
      allocate(state, layout, &input);
      add_group(state, layout);
    }
    threads = std::make_unique<Threads>(count);
  }

  // Groups of a whole batch.
  int groups() const { return int(((int64_t)batch + layout.kernels->lanes - 1) / layout.kernels->lanes); }

  bool needs_whole_batch() const { return parts.size() > 2; }

  // Room for every group of a batch at once, where layers need it.
  void prepare_training() {
    if (communicator && !exchanged) exchanged = zeroed<float>(layout.parameter_count + EXTRAS);
    if (!needs_whole_batch() || !moments.empty()) return;
    const size_t most = (groups() + states.size() - 1) / states.size();
    require_memory(states.size() * (most - 1) * group_bytes(layout));
    try {
      for (auto& state : states)
        while (state.groups.size() < most) add_group(state, layout);
      std::vector<std::vector<Moments>> room(layout.ops.size());
      sums.resize(layout.ops.size());
      for (size_t i = 0; i < layout.ops.size(); i++)
        if (layout.ops[i].kind == OpKind::BatchNorm) {
          room[i].resize((size_t)groups() * layout.ops[i].in_c);
          sums[i].resize((size_t)groups() * layout.ops[i].in_c * 2);
        }
      moments = std::move(room);
    } catch (const std::bad_alloc&) {
      for (auto& state : states) state.groups.resize(1);
      throw;
    }
  }

  // Puts n ≤ lanes images side by side.
  void assemble(float* into, float* scratch, const uint8_t* images, const int32_t* order, int n) const {
    const uint8_t* pointers[64];
    for (int i = 0; i < layout.kernels->lanes; i++) pointers[i] = images + (size_t)order[i < n ? i : 0] * image_bytes;
    layout.kernels->assemble(input, pointers, into, scratch);
  }

  // What the network computes with.
  const float* effective() const { return masked.mask ? masked.effective.get() : parameters.get(); }

  void forward(const Workspace& ws, size_t from, size_t to) const {
    for (size_t i = from; i < to; i++) layout.kernels->forward(layout.ops[i], effective(), ws, (int)i);
  }

  // masks.cpp. Null: all parameters are kept.
  void set_mask(const uint8_t* mask);
  // After parameters were replaced.
  void apply_mask();

  void loss(ThreadState& s, const Workspace& ws, const int32_t* labels, const int32_t* order, float scale, float* gradient) const {
    int32_t group[64];
    for (int i = 0; i < ws.images; i++) group[i] = labels[order[i]];
    layout.kernels->loss(ws.values[layout.output], outputs, group, ws.images, scale, gradient, &s.loss, &s.hits);
  }

  // Thread t of n's part of count things: [first, last).
  static std::pair<int64_t, int64_t> part(int64_t count, int t, int n) { return {count * t / n, count * (t + 1) / n}; }

  // What this rank has of a batch: its place in it, how many it has, and how large the batch is.
  struct Share {
    int first, count, batch;
  };

  Share share(int batch) const {
    if (!communicator) return {0, batch, batch};
    const auto [first, last] = part(batch, communicator->rank, communicator->size);
    return {int(first), int(last - first), batch};
  }

  // A step's forward, loss and backward on one thread, and many steps on all: train.cpp.
  bool gradients(int t, int64_t step, const uint8_t* images, const int32_t* labels, const int32_t* order, const Share& share,
                 bool masked_stay, const int32_t* next, const int32_t* end);
  // Throws Lost, all steps before that having been taken.
  // rates: one for each step. masked_stay: what is masked is not changed.
  void train(const uint8_t* images, const int32_t* labels, const int32_t* order, int32_t count, const float* rates,
             const Surgery& surgery, bool masked_stay, float* losses, int32_t* results);

 private:
  // What goes beside the gradients of a step: Σ loss (in two floats), hits, how many ranks were told to stop.
  enum { LOSS, LOSS_REST, HITS, STOPS, EXTRAS };

  void prefetch(const uint8_t* images, const int32_t* order, int64_t n, const int32_t* end) const;
  void update(float rate, const float* const* gradients, int count, size_t from, size_t to, bool masked_stay);
  bool operate(const Surgery& surgery, int64_t step, size_t from, size_t to);
  void find_kept();
  float rate(float learning_rate, int64_t step) const;
  std::pair<size_t, size_t> slice(int t) const;
  void gather_gradients(const std::vector<char>& busy, size_t from, size_t to);
  void exchange(double loss, int32_t hits, const Share& share);
  template <class F>
  void each_moment(F f);
};

}  // namespace mindts
