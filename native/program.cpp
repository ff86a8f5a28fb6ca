// A compiled network: its parameters, a workspace per thread, and the loops over steps and groups of images.
#include "program.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "batch_statistics.h"
#include "communicator.h"
#include "find.h"
#include "mindts.h"
#include "threads.h"
#include "workspace.h"

namespace mindts {
namespace {

thread_local std::string creation_error;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace
}  // namespace mindts

using namespace mindts;

struct mindts_program {
  Layout layout;
  Input input;
  std::vector<float> scale_shift;
  Optimizer optimizer;
  size_t slot_count;
  int batch, outputs;
  uint32_t seed;
  size_t image_bytes;
  // Parameters that the optimizer changes: [first, second).
  std::vector<std::pair<size_t, size_t>> trainable;
  // Ops are run group by group as far as the next that needs the whole batch: the first of each such part.
  std::vector<size_t> parts{0};
  // By op: each group's share of what BatchNorm needs of the batch, [groups][channels] or [groups][channels][2].
  std::vector<std::vector<Moments>> moments;
  std::vector<std::vector<double>> sums;
  std::vector<Array<float>> slots;
  std::vector<float*> slot_pointers;
  Array<float> parameters;
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

  mindts_program(const Kernels* kernels, const int32_t* shape, const int32_t* value_sizes, const int32_t* op_fields,
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
    for (int i = 0; i < shape[16]; i++) trainable.emplace_back(shape[17 + 2 * i], shape[18 + 2 * i]);
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
  void assemble(const Workspace& ws, const uint8_t* images, const int32_t* order, int n) const {
    const uint8_t* pointers[64];
    for (int i = 0; i < layout.kernels->lanes; i++) pointers[i] = images + (size_t)order[i < n ? i : 0] * image_bytes;
    layout.kernels->assemble(input, pointers, ws.values[0], ws.input_scratch);
  }

  void forward(const Workspace& ws, size_t from, size_t to) const {
    for (size_t i = from; i < to; i++) layout.kernels->forward(layout.ops[i], parameters.get(), ws, (int)i);
  }

  void loss(ThreadState& s, const Workspace& ws, const int32_t* labels, const int32_t* order, float scale, float* gradient) const {
    int32_t group[64];
    for (int i = 0; i < ws.images; i++) group[i] = labels[order[i]];
    layout.kernels->loss(ws.values[layout.output], outputs, group, ws.images, scale, gradient, &s.loss, &s.hits);
  }

  // Thread t of n's part of count things: [first, last).
  static std::pair<int64_t, int64_t> part(int64_t count, int t, int n) { return {count * t / n, count * (t + 1) / n}; }

  // Starts to bring the next batch's images into the cache: they lie anywhere, and a miss takes as long as a tile.
  void prefetch(const uint8_t* images, const int32_t* order, int64_t n, const int32_t* end) const {
    for (const int32_t* i = order; i < order + n && i < end; i++)
      for (size_t byte = 0; byte < image_bytes; byte += 64) __builtin_prefetch(images + (size_t)*i * image_bytes + byte);
  }

  // What this rank has of a batch: its place in it, how many it has, and how large the batch is.
  struct Share {
    int first, count, batch;
  };

  Share share(int batch) const {
    if (!communicator) return {0, batch, batch};
    const auto [first, last] = part(batch, communicator->rank, communicator->size);
    return {int(first), int(last - first), batch};
  }

  // Forward, loss and backward of thread t's groups of a share, `step` steps having been taken; false when it has none. next: the
  // share of the next batch, and where order ends.
  bool gradients(int t, int64_t step, const uint8_t* images, const int32_t* labels, const int32_t* order, const Share& share,
                 const int32_t* next, const int32_t* end) {
    ThreadState& s = states[t];
    const int n = share.count, lanes = layout.kernels->lanes, total = (n + lanes - 1) / lanes;
    const auto [first, last] = part(total, t, threads->count());
    s.loss = 0;
    s.hits = 0;
    prefetch(images, next + first * lanes, (last - first) * lanes, end);
    const uint32_t key = hash32(hash32(seed) + (uint32_t)step);
    // The workspace of the thread's group g, set up for it.
    auto enter = [&, first = first, last = last](int64_t g) -> Workspace& {
      Workspace& ws = s.groups[s.groups.size() == 1 ? 0 : g - first]->workspace;
      ws.images = n - g * lanes < lanes ? int(n - g * lanes) : lanes;
      ws.sample = uint32_t(share.first + g * lanes);
      ws.key = key;
      ws.training = true;
      ws.group = int(g - first);
      ws.last = g + 1 == last;
      return ws;
    };
    auto begin = [&](Workspace& ws, int64_t g) {
      assemble(ws, images, order + g * lanes, ws.images);
      forward(ws, 0, parts[1]);
    };
    auto turn = [&](Workspace& ws, int64_t g) {
      loss(s, ws, labels, order + g * lanes, 1.0f / share.batch, ws.gradients[layout.output]);
    };
    auto backward = [&](Workspace& ws, size_t from, size_t to) {
      for (size_t i = to; i-- > from;) layout.kernels->backward(layout.ops[i], parameters.get(), ws, (int)i);
    };
    if (!needs_whole_batch()) {
      for (int64_t g = first; g < last; g++) {
        Workspace& ws = enter(g);
        begin(ws, g);
        turn(ws, g);
        backward(ws, 0, parts[1]);
      }
      return last > first;
    }
    for (int64_t g = first; g < last; g++) begin(enter(g), g);
    for (size_t p = 1; p + 1 < parts.size(); p++) {
      const size_t norm = parts[p];
      const Op& op = layout.ops[norm];
      for (int64_t g = first; g < last; g++) layout.kernels->norm_moments(op, enter(g), &moments[norm][g * op.in_c]);
      threads->barrier();
      combine_moments(op, moments[norm], total, s.statistics[norm].get());
      for (int64_t g = first; g < last; g++) forward(enter(g), norm, parts[p + 1]);
    }
    for (int64_t g = first; g < last; g++) turn(enter(g), g);
    for (size_t p = parts.size() - 1; p-- > 1;) {
      const size_t norm = parts[p];
      const Op& op = layout.ops[norm];
      for (int64_t g = first; g < last; g++) {
        Workspace& ws = enter(g);
        backward(ws, norm + 1, parts[p + 1]);
        layout.kernels->norm_sums(op, ws, (int)norm, &sums[norm][g * op.in_c * 2]);
      }
      threads->barrier();
      combine_sums(op, sums[norm], total, (double)n * op.in_h * op.in_w, s.statistics[norm].get());
      for (int64_t g = first; g < last; g++) backward(enter(g), norm, norm + 1);
    }
    for (int64_t g = first; g < last; g++) backward(enter(g), 0, parts[1]);
    return last > first;
  }

  // What of [from, to) the optimizer changes.
  void update(float rate, const float* const* gradients, int count, size_t from, size_t to) {
    for (const auto& [first, last] : trainable) {
      const size_t begin = from > first ? from : first, end = to < last ? to : last;
      if (begin < end)
        layout.kernels->update(optimizer, rate, parameters.get(), slot_pointers.data(), gradients, count, begin, end);
    }
  }

  float rate(float learning_rate, int64_t step) const {
    if (optimizer.kind != OptimizerKind::Adam) return learning_rate;
    const double t = double(step + 1);
    return float(learning_rate * std::sqrt(1 - std::pow((double)optimizer.beta2, t)) / (1 - std::pow((double)optimizer.beta1, t)));
  }

  // What goes beside the gradients of a step: Σ loss (in two floats), hits, how many ranks were told to stop.
  enum { LOSS, LOSS_REST, HITS, STOPS, EXTRAS };

  // Thread t's slice of the parameters; whole cache lines.
  std::pair<size_t, size_t> slice(int t) const {
    const auto [from, to] = part((layout.parameter_count + 15) / 16, t, threads->count());
    return {from * 16, (size_t)to * 16 < layout.parameter_count ? to * 16 : layout.parameter_count};
  }

  // Sums what all threads found for the parameters [from, to) into `exchanged`.
  void gather_gradients(const std::vector<char>& busy, size_t from, size_t to) {
    std::memset(&exchanged[from], 0, (to - from) * sizeof(float));
    for (size_t i = 0; i < states.size(); i++) {
      if (!busy[i]) continue;
      const float* gradients = states[i].parameter_gradients.get();
      for (size_t p = from; p < to; p++) exchanged[p] += gradients[p];
    }
  }

  // Sums `exchanged` over ranks, and with it what else they share of a step. A rank's moments of its share count as much as it has.
  void exchange(double loss, int32_t hits, const Share& share) {
    const double began = seconds_now();
    float* extras = &exchanged[layout.parameter_count];
    extras[LOSS] = (float)loss;
    extras[LOSS_REST] = std::isfinite(extras[LOSS]) ? float(loss - extras[LOSS]) : 0;
    extras[HITS] = (float)hits;
    extras[STOPS] = stop ? 1 : 0;
    const float weight = (float)share.count / share.batch;
    each_moment([&](float* statistic, float& sum) { sum = share.count > 0 ? *statistic * weight : 0; });
    communicator->all_reduce(exchanged.get(), layout.parameter_count + EXTRAS, patience);
    each_moment([](float* statistic, const float& sum) { *statistic = sum; });
    exchange_seconds += seconds_now() - began;
  }

  // f(a batch's mean or variance of a channel, the place in `exchanged` of the moving one): parameters that have no gradient.
  template <class F>
  void each_moment(F f) {
    for (size_t p = 1; p + 1 < parts.size(); p++) {
      const Op& op = layout.ops[parts[p]];
      float* statistics = states[0].statistics[parts[p]].get();
      float* places = &exchanged[op.weight + 2 * op.in_c];
      for (int c = 0; c < op.in_c; c++) {
        f(&statistics[c], places[c]);
        f(&statistics[4 * op.in_c + c], places[op.in_c + c]);
      }
    }
  }

  void train(const uint8_t* images, const int32_t* labels, const int32_t* order, int32_t count, float learning_rate,
             float* losses, int32_t* results) {
    prepare_training();
    const int64_t begin = step, steps = ((int64_t)count + batch - 1) / batch;
    const int n = threads->count();
    std::vector<char> busy(n);
    int32_t ended = 0, hits = 0, taken = 0;
    std::string lost;
    threads->run([&](int t) {
      for (int64_t s = 0; s < steps; s++) {
        const int32_t* at = order + s * batch;
        const int size = count - s * batch < batch ? int(count - s * batch) : batch;
        const Share mine = share(size);
        busy[t] = gradients(t, begin + s, images, labels, at + mine.first, mine, at + size + mine.first, order + count);
        threads->barrier();
        const auto [from, to] = slice(t);
        if (communicator) {
          gather_gradients(busy, from, to);
          threads->barrier();
        }
        double loss = 0;
        int32_t right = 0;
        const float* sums[1024];
        int summed = 0;
        for (int i = 0; i < n; i++) {
          loss += states[i].loss;
          right += states[i].hits;
          if (busy[i]) sums[summed++] = states[i].parameter_gradients.get();
        }
        bool stopping = t == 0 && stop && s + 1 < steps;
        if (communicator) {
          if (t == 0) try {
              exchange(loss, right, mine);
            } catch (const Lost& error) {
              lost = error.what();
            }
          threads->barrier();
          if (!lost.empty()) return;
          const float* extras = &exchanged[layout.parameter_count];
          loss = (double)extras[LOSS] + extras[LOSS_REST];
          right = (int32_t)extras[HITS];
          // All of them after the same step, be it the last that this rank was asked for.
          stopping = extras[STOPS] > 0;
          sums[0] = exchanged.get();
          summed = 1;
        }
        const bool diverged = !std::isfinite(loss);
        if (!diverged) {
          update(rate(learning_rate, begin + s), sums, summed, from, to);
          if (t == 0)
            for (size_t p = 1; p + 1 < parts.size(); p++)
              remember_moments(layout.ops[parts[p]], states[0].statistics[parts[p]].get(), parameters.get());
        }
        if (t == 0) {
          if (diverged) ended = 2;
          else {
            losses[s] = float(loss / size);
            hits += right;
            taken++;
            if (stopping) ended = 1;
          }
        }
        threads->barrier();
        if (ended) return;
      }
    });
    step = begin + taken;
    results[0] = taken;
    results[1] = hits;
    results[2] = ended;
    // Not at the start: a stop that comes before this thread does must not be lost.
    stop = false;
    if (!lost.empty()) throw Lost(lost);
  }

  // f(thread's state, its workspace, first position) after the network was run for a group of lanes, for every group.
  template <class F>
  void each_group(const uint8_t* images, const int32_t* order, int32_t count, F f) {
    const int lanes = layout.kernels->lanes;
    threads->run([&](int t) {
      const auto [first, last] = part((count + lanes - 1) / lanes, t, threads->count());
      Workspace& ws = states[t].groups[0]->workspace;
      ws.training = false;
      for (int64_t g = first; g < last; g++) {
        ws.images = count - g * lanes < lanes ? int(count - g * lanes) : lanes;
        ws.group = int(g - first);
        assemble(ws, images, order + g * lanes, ws.images);
        forward(ws, 0, layout.ops.size());
        f(states[t], ws, g * lanes);
      }
    });
  }

  void evaluate(const uint8_t* images, const int32_t* labels, const int32_t* order, int32_t count, double* result) {
    const Share mine = share(count);
    evaluate_part(images, labels, order + mine.first, mine.count, result);
    if (!communicator) return;
    std::vector<double> all(2 * communicator->size);
    communicator->all_gather(result, 2 * sizeof(double), all.data(), patience);
    result[0] = result[1] = 0;
    for (size_t i = 0; i < all.size(); i++) result[i % 2] += all[i];
  }

  void evaluate_part(const uint8_t* images, const int32_t* labels, const int32_t* order, int32_t count, double* result) {
    // Summed group by group, so that the result is the same for any number of threads.
    const int lanes = layout.kernels->lanes;
    std::vector<double> losses((count + lanes - 1) / lanes);
    for (auto& s : states) s.hits = 0;
    each_group(images, order, count, [&](ThreadState& s, const Workspace& ws, int64_t at) {
      s.loss = 0;
      loss(s, ws, labels, order + at, 0, nullptr);
      losses[at / lanes] = s.loss;
    });
    result[0] = result[1] = 0;
    for (double group : losses) result[0] += group;
    for (auto& s : states) result[1] += s.hits;
  }

  void predict(const uint8_t* images, const int32_t* order, int32_t count, float* out) {
    each_group(images, order, count, [&](ThreadState&, const Workspace& ws, int64_t at) {
      const float* logits = ws.values[layout.output];
      for (int i = 0; i < ws.images; i++)
        for (int o = 0; o < outputs; o++) out[(at + i) * outputs + o] = logits[o * layout.kernels->lanes + i];
    });
  }

  // run() where the samples are there; 0 and the reason in `error` where it cannot be, −1 where another rank is lost.
  template <class F>
  int attempt(const int32_t* labels, int32_t stored, const int32_t* order, int32_t count, F run) {
    if (!check(labels, stored, order, count)) return 0;
    try {
      run();
      return 1;
    } catch (const std::bad_alloc&) {
      error = needs_whole_batch() ? "not enough memory: batch normalisation keeps a whole batch, so a smaller one needs less"
                                  : "not enough memory for the network";
    } catch (const Lost& lost) {
      error = lost.what();
      return -1;
    }
    return 0;
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

const char* mindts_error(const mindts_program* p) { return p ? p->error.c_str() : creation_error.c_str(); }

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
  std::memcpy(p->parameters.get(), state, p->layout.parameter_count * sizeof(float));
  for (size_t s = 0; s < p->slot_count; s++)
    std::memcpy(p->slots[s].get(), state + (s + 1) * p->layout.parameter_count, p->layout.parameter_count * sizeof(float));
  p->step = (int64_t)step;
}

double mindts_get_state(mindts_program* p, float* state) {
  std::memcpy(state, p->parameters.get(), p->layout.parameter_count * sizeof(float));
  for (size_t s = 0; s < p->slot_count; s++)
    std::memcpy(state + (s + 1) * p->layout.parameter_count, p->slots[s].get(), p->layout.parameter_count * sizeof(float));
  return (double)p->step;
}

int mindts_train(mindts_program* p, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order,
                 int32_t count, float learning_rate, float* losses, int32_t* results) {
  return p->attempt(labels, stored, order, count,
                    [&] { p->train(images, labels, order, count, learning_rate, losses, results); });
}

int mindts_evaluate(mindts_program* p, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order,
                    int32_t count, double* result) {
  return p->attempt(labels, stored, order, count, [&] { p->evaluate(images, labels, order, count, result); });
}

int mindts_predict(mindts_program* p, const uint8_t* images, int32_t stored, const int32_t* order, int32_t count,
                   float* outputs) {
  return p->attempt(nullptr, stored, order, count, [&] { p->predict(images, order, count, outputs); });
}

void mindts_stop(mindts_program* p) { p->stop = true; }

void mindts_set_communicator(mindts_program* p, mindts_communicator* c, double seconds) {
  p->communicator = c ? communicator_of(c) : nullptr;
  p->patience = seconds;
}

double mindts_exchange_seconds(const mindts_program* p) { return p->exchange_seconds; }

}  // extern "C"
