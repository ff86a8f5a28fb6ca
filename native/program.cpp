// A compiled network: its parameters, a workspace per thread, and the loops over steps and groups of images.
#include "program.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "mindts.h"
#include "threads.h"
#include "workspace.h"

namespace mindts {
namespace {

thread_local std::string creation_error;

const Kernels* find(const char* name) {
  for (const Kernels* const* k = all_kernels(); *k; k++)
    if (std::strcmp((*k)->name, name) == 0 && (*k)->supported()) return *k;
  return nullptr;
}

}  // namespace
}  // namespace mindts

using namespace mindts;

struct mindts_program {
  const Kernels* kernels;
  Input input;
  std::vector<float> scale_shift;
  std::vector<Op> ops;
  Optimizer optimizer;
  size_t parameter_count, slot_count;
  int batch, outputs, output_value;
  size_t image_bytes;
  std::vector<Array<float>> slots;
  std::vector<float*> slot_pointers;
  Array<float> parameters;
  std::vector<ThreadState> states;
  std::unique_ptr<Threads> threads;
  int64_t step = 0;
  std::string error;
  std::atomic<bool> stop{false};

  mindts_program(const Kernels* k, const int32_t* shape, const int32_t* value_sizes, const int32_t* op_fields,
                 const float* numbers)
      : kernels(k) {
    const int values = shape[5];
    ops.resize(shape[6]);
    if (!ops.empty()) std::memcpy(ops.data(), op_fields, ops.size() * sizeof(Op));
    parameter_count = shape[7];
    slot_count = shape[8];
    batch = shape[9];
    outputs = shape[11];
    output_value = shape[12];
    scale_shift.assign(numbers, numbers + 2 * shape[2]);
    input = {shape[0], shape[1], shape[2], shape[3], shape[4], scale_shift.data(), scale_shift.data() + shape[2]};
    image_bytes = (size_t)shape[0] * shape[1] * shape[2];
    numbers += 2 * shape[2];
    optimizer = {static_cast<OptimizerKind>(shape[13]), numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], shape[14]};
    parameters = zeroed<float>(parameter_count);
    for (size_t s = 0; s < slot_count; s++) {
      slots.push_back(zeroed<float>(parameter_count));
      slot_pointers.push_back(slots.back().get());
    }
    // A thread needs a group of images to work on.
    const int groups = int(((int64_t)batch + kernels->lanes - 1) / kernels->lanes);
    const int count = shape[10] < groups ? shape[10] : groups;
    states.resize(count);
    for (auto& state : states) allocate(state, kernels, ops, input, value_sizes, values, output_value, parameter_count);
    threads = std::make_unique<Threads>(count);
  }

  // Puts n ≤ lanes images side by side and runs the network on them.
  void forward(ThreadState& s, const uint8_t* images, const int32_t* order, int n) {
    const uint8_t* pointers[64];
    for (int i = 0; i < kernels->lanes; i++) pointers[i] = images + (size_t)order[i < n ? i : 0] * image_bytes;
    kernels->assemble(input, pointers, s.workspace.values[0], s.workspace.input_scratch);
    for (size_t i = 0; i < ops.size(); i++) kernels->forward(ops[i], parameters.get(), s.workspace, (int)i);
  }

  void loss(ThreadState& s, const int32_t* labels, const int32_t* order, int n, float scale, float* gradient) {
    int32_t group[64];
    for (int i = 0; i < n; i++) group[i] = labels[order[i]];
    kernels->loss(s.workspace.values[output_value], outputs, group, n, scale, gradient, &s.loss, &s.hits);
  }

  // Thread t of n's part of count things: [first, last).
  static std::pair<int64_t, int64_t> part(int64_t count, int t, int n) { return {count * t / n, count * (t + 1) / n}; }

  // Starts to bring the next batch's images into the cache: they lie anywhere, and a miss takes as long as a tile.
  void prefetch(const uint8_t* images, const int32_t* order, int64_t n, const int32_t* end) const {
    for (const int32_t* i = order; i < order + n && i < end; i++)
      for (size_t byte = 0; byte < image_bytes; byte += 64) __builtin_prefetch(images + (size_t)*i * image_bytes + byte);
  }

  // Forward, loss and backward of thread t's groups of a batch; false when it has none.
  bool gradients(int t, const uint8_t* images, const int32_t* labels, const int32_t* order, int n, const int32_t* end) {
    ThreadState& s = states[t];
    const int lanes = kernels->lanes;
    const auto [first, last] = part((n + lanes - 1) / lanes, t, threads->count());
    s.loss = 0;
    s.hits = 0;
    prefetch(images, order + n + first * lanes, (last - first) * lanes, end);
    for (int64_t g = first; g < last; g++) {
      const int32_t* at = order + g * lanes;
      const int size = n - g * lanes < lanes ? int(n - g * lanes) : lanes;
      forward(s, images, at, size);
      loss(s, labels, at, size, 1.0f / n, s.workspace.gradients[output_value]);
      for (size_t i = ops.size(); i-- > 0;) kernels->backward(ops[i], parameters.get(), s.workspace, (int)i, g == first);
    }
    return last > first;
  }

  float rate(float learning_rate) const {
    if (optimizer.kind != OptimizerKind::Adam) return learning_rate;
    const double t = double(step + 1);
    return float(learning_rate * std::sqrt(1 - std::pow((double)optimizer.beta2, t)) / (1 - std::pow((double)optimizer.beta1, t)));
  }

  void train(const uint8_t* images, const int32_t* labels, const int32_t* order, int32_t count, float learning_rate,
             float* losses, int32_t* results) {
    const int64_t steps = ((int64_t)count + batch - 1) / batch;
    const int n = threads->count();
    std::vector<char> busy(n);
    int32_t ended = 0, hits = 0, taken = 0;
    threads->run([&](int t) {
      for (int64_t s = 0; s < steps; s++) {
        const int32_t* at = order + s * batch;
        const int size = count - s * batch < batch ? int(count - s * batch) : batch;
        busy[t] = gradients(t, images, labels, at, size, order + count);
        threads->barrier();
        double loss = 0;
        const float* sums[1024];
        int summed = 0;
        for (int i = 0; i < n; i++) {
          loss += states[i].loss;
          if (busy[i]) sums[summed++] = states[i].parameter_gradients.get();
        }
        const bool diverged = !std::isfinite(loss);
        if (!diverged) {
          // Whole cache lines to each thread.
          const auto [from, to] = part((parameter_count + 15) / 16, t, n);
          const size_t end = (size_t)to * 16 < parameter_count ? to * 16 : parameter_count;
          if ((size_t)from * 16 < end)
            kernels->update(optimizer, rate(learning_rate), parameters.get(), slot_pointers.data(), sums, summed, from * 16, end);
        }
        if (t == 0) {
          if (diverged) ended = 2;
          else {
            losses[s] = float(loss / size);
            for (const auto& state : states) hits += state.hits;
            taken++;
            if (stop && s + 1 < steps) ended = 1;
          }
        }
        threads->barrier();
        if (t == 0) step += !diverged;
        if (ended) return;
      }
    });
    results[0] = taken;
    results[1] = hits;
    results[2] = ended;
    // Not at the start: a stop that comes before this thread does must not be lost.
    stop = false;
  }

  // f(thread, first position, images in group) for every group of lanes.
  template <class F>
  void each_group(int32_t count, F f) {
    const int lanes = kernels->lanes;
    threads->run([&](int t) {
      const auto [first, last] = part((count + lanes - 1) / lanes, t, threads->count());
      for (int64_t g = first; g < last; g++) f(t, g * lanes, count - g * lanes < lanes ? int(count - g * lanes) : lanes);
    });
  }

  void evaluate(const uint8_t* images, const int32_t* labels, const int32_t* order, int32_t count, double* result) {
    // Summed group by group, so that the result is the same for any number of threads.
    std::vector<double> losses((count + kernels->lanes - 1) / kernels->lanes);
    for (auto& s : states) s.hits = 0;
    each_group(count, [&](int t, int64_t at, int n) {
      ThreadState& s = states[t];
      s.loss = 0;
      forward(s, images, order + at, n);
      loss(s, labels, order + at, n, 0, nullptr);
      losses[at / kernels->lanes] = s.loss;
    });
    result[0] = result[1] = 0;
    for (double group : losses) result[0] += group;
    for (auto& s : states) result[1] += s.hits;
  }

  void predict(const uint8_t* images, const int32_t* order, int32_t count, float* out) {
    each_group(count, [&](int t, int64_t at, int n) {
      forward(states[t], images, order + at, n);
      const float* logits = states[t].workspace.values[output_value];
      for (int i = 0; i < n; i++)
        for (int o = 0; o < outputs; o++) out[(at + i) * outputs + o] = logits[o * kernels->lanes + i];
    });
  }

  bool check(const int32_t* labels, int32_t stored, const int32_t* order, int32_t count) {
    for (int32_t i = 0; i < count; i++)
      if (order[i] < 0 || order[i] >= stored) {
        error = "position " + std::to_string(order[i]) + " is outside the data set of " + std::to_string(stored);
        return false;
      } else if (labels && (labels[order[i]] < 0 || labels[order[i]] >= outputs)) {
        error = "label " + std::to_string(labels[order[i]]) + " of sample " + std::to_string(order[i]) +
                " is outside the network's " + std::to_string(outputs) + " outputs";
        return false;
      }
    return true;
  }
};

extern "C" {

int mindts_abi(void) { return MINDTS_ABI; }

const char* mindts_error(const mindts_program* p) { return p ? p->error.c_str() : creation_error.c_str(); }

const char* mindts_instruction_sets(void) {
  static const std::string names = [] {
    std::string all;
    for (const Kernels* const* k = all_kernels(); *k; k++)
      if ((*k)->supported()) all += (all.empty() ? "" : ",") + std::string((*k)->name);
    return all;
  }();
  return names.c_str();
}

double mindts_peak(const char* instruction_set, int threads, double seconds) {
  const Kernels* kernels = find(instruction_set);
  if (!kernels || threads < 1) return 0;
  std::vector<double> rates(threads);
  Threads pool(threads);
  pool.run([&](int t) { rates[t] = kernels->peak(seconds); });
  double sum = 0;
  for (double rate : rates) sum += rate;
  return sum;
}

mindts_program* mindts_program_create(const char* instruction_set, const int32_t* shape, const int32_t* value_sizes,
                                      const int32_t* ops, const float* numbers) {
  const Kernels* kernels = find(instruction_set);
  if (!kernels) {
    creation_error = "this machine cannot run the instruction set " + std::string(instruction_set);
    return nullptr;
  }
  if (shape[10] < 1 || shape[10] > 1024) {
    creation_error = std::to_string(shape[10]) + " threads: 1 to 1024 are possible";
    return nullptr;
  }
  try {
    return new mindts_program(kernels, shape, value_sizes, ops, numbers);
  } catch (const std::bad_alloc&) {
    creation_error = "not enough memory for the network";
  } catch (const std::exception& e) {
    creation_error = e.what();
  }
  return nullptr;
}

void mindts_program_destroy(mindts_program* p) { delete p; }

void mindts_set_state(mindts_program* p, const float* state, double step) {
  std::memcpy(p->parameters.get(), state, p->parameter_count * sizeof(float));
  for (size_t s = 0; s < p->slot_count; s++)
    std::memcpy(p->slots[s].get(), state + (s + 1) * p->parameter_count, p->parameter_count * sizeof(float));
  p->step = (int64_t)step;
}

double mindts_get_state(mindts_program* p, float* state) {
  std::memcpy(state, p->parameters.get(), p->parameter_count * sizeof(float));
  for (size_t s = 0; s < p->slot_count; s++)
    std::memcpy(state + (s + 1) * p->parameter_count, p->slots[s].get(), p->parameter_count * sizeof(float));
  return (double)p->step;
}

int mindts_train(mindts_program* p, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order,
                 int32_t count, float learning_rate, float* losses, int32_t* results) {
  if (!p->check(labels, stored, order, count)) return 0;
  p->train(images, labels, order, count, learning_rate, losses, results);
  return 1;
}

int mindts_evaluate(mindts_program* p, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order,
                    int32_t count, double* result) {
  if (!p->check(labels, stored, order, count)) return 0;
  p->evaluate(images, labels, order, count, result);
  return 1;
}

int mindts_predict(mindts_program* p, const uint8_t* images, int32_t stored, const int32_t* order, int32_t count,
                   float* outputs) {
  if (!p->check(nullptr, stored, order, count)) return 0;
  p->predict(images, order, count, outputs);
  return 1;
}

void mindts_stop(mindts_program* p) { p->stop = true; }

}  // extern "C"
