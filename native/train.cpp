// Training: the loop over steps, groups of images and ranks.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <string>

#include "batch_statistics.h"
#include "compiled.h"

namespace mindts {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

// Starts to bring the next batch's images into the cache: they lie anywhere, and a miss takes as long as a tile.
void Compiled::prefetch(const uint8_t* images, const int32_t* order, int64_t n, const int32_t* end) const {
  for (const int32_t* i = order; i < order + n && i < end; i++)
    for (size_t byte = 0; byte < image_bytes; byte += 64) __builtin_prefetch(images + (size_t)*i * image_bytes + byte);
}

// Forward, loss and backward of thread t's groups of a share, `step` steps having been taken; false when it has none. next: the
// share of the next batch, and where order ends.
bool Compiled::gradients(int t, int64_t step, const uint8_t* images, const int32_t* labels, const int32_t* order, const Share& share,
               bool masked_stay, const int32_t* next, const int32_t* end) {
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
    ws.masked_stay = masked_stay;
    ws.group = int(g - first);
    ws.last = g + 1 == last;
    return ws;
  };
  auto begin = [&](Workspace& ws, int64_t g) {
    assemble(ws.values[0], ws.input_scratch, images, order + g * lanes, ws.images);
    forward(ws, 0, parts[1]);
  };
  auto turn = [&](Workspace& ws, int64_t g) {
    loss(s, ws, labels, order + g * lanes, 1.0f / share.batch, ws.gradients[layout.output]);
  };
  auto backward = [&](Workspace& ws, size_t from, size_t to) {
    for (size_t i = to; i-- > from;) layout.kernels->backward(layout.ops[i], effective(), ws, (int)i);
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
void Compiled::update(float rate, const float* const* gradients, int count, size_t from, size_t to, bool masked_stay) {
  const uint8_t* mask = masked.mask.get();
  float* effective = masked.effective.get();
  const std::vector<int32_t>& list = masked.list;
  for (const Range& range : trainable) {
    const size_t begin = std::max(from, range.first), end = std::min(to, range.last);
    if (begin >= end) continue;
    Optimizer own = optimizer;
    own.weight_decay *= range.decay;
    auto change = [&](const Selection& selection) {
      layout.kernels->update(own, rate * range.rate, parameters.get(), slot_pointers.data(), gradients, count, selection);
    };
    if (!mask) {
      change({begin, end});
    } else if (masked_stay && masked.is_listed) {
      const auto first = std::lower_bound(list.begin(), list.end(), (int32_t)begin), last = std::lower_bound(first, list.end(), (int32_t)end);
      change({(size_t)(first - list.begin()), (size_t)(last - list.begin()), nullptr, list.data()});
      for (auto i = first; i < last; i++) effective[*i] = parameters[*i];
    } else {
      // As many at a time as stay in the cache until the mask is applied.
      for (size_t at = begin; at < end; at += 2048) {
        const size_t next = std::min(at + 2048, end);
        change({at, next, masked_stay ? mask : nullptr});
        layout.kernels->apply_mask(parameters.get(), mask, effective, at, next);
      }
    }
  }
}

float Compiled::rate(float learning_rate, int64_t step) const {
  if (optimizer.kind != OptimizerKind::Adam) return learning_rate;
  const double t = double(step + 1);
  return float(learning_rate * std::sqrt(1 - std::pow((double)optimizer.beta2, t)) / (1 - std::pow((double)optimizer.beta1, t)));
}

// Thread t's slice of the parameters; whole cache lines.
std::pair<size_t, size_t> Compiled::slice(int t) const {
  const auto [from, to] = part((layout.parameter_count + 15) / 16, t, threads->count());
  return {from * 16, (size_t)to * 16 < layout.parameter_count ? to * 16 : layout.parameter_count};
}

// Sums what all threads found for the parameters [from, to) into `exchanged`.
void Compiled::gather_gradients(const std::vector<char>& busy, size_t from, size_t to) {
  std::memset(&exchanged[from], 0, (to - from) * sizeof(float));
  for (size_t i = 0; i < states.size(); i++) {
    if (!busy[i]) continue;
    const float* gradients = states[i].parameter_gradients.get();
    for (size_t p = from; p < to; p++) exchanged[p] += gradients[p];
  }
}

// Sums `exchanged` over ranks, and with it what else they share of a step. A rank's moments of its share count as much as it has.
void Compiled::exchange(double loss, int32_t hits, const Share& share) {
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
void Compiled::each_moment(F f) {
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

void Compiled::train(const uint8_t* images, const int32_t* labels, const int32_t* order, int32_t count, const float* rates,
                     const Surgery& surgery, bool masked_stay, float* losses, int32_t* results) {
  prepare_training();
  if (surgery.layers > 0 && !masked.mask) set_mask(std::vector<uint8_t>(layout.parameter_count, 1).data());
  const int64_t begin = step, steps = ((int64_t)count + batch - 1) / batch;
  const int n = threads->count();
  std::vector<char> busy(n), changed(n);
  int32_t ended = 0, hits = 0, taken = 0;
  std::string lost;
  threads->run([&](int t) {
    for (int64_t s = 0; s < steps; s++) {
      const auto [from, to] = slice(t);
      if (surgery.is_active(s)) {
        changed[t] = operate(surgery, s, from, to);
        threads->barrier();
        if (std::count(changed.begin(), changed.end(), 1) > 0) {
          if (t == 0) find_kept();
          threads->barrier();
        }
      }
      const int32_t* at = order + s * batch;
      const int size = count - s * batch < batch ? int(count - s * batch) : batch;
      const Share mine = share(size);
      busy[t] = gradients(t, begin + s, images, labels, at + mine.first, mine, masked_stay, at + size + mine.first, order + count);
      threads->barrier();
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
        update(rate(rates[s], begin + s), sums, summed, from, to, masked_stay);
        if (t == 0)
          for (size_t p = 1; p + 1 < parts.size(); p++) {
            const Op& op = layout.ops[parts[p]];
            remember_moments(op, states[0].statistics[parts[p]].get(), parameters.get());
            // Moving statistics are never masked.
            const size_t statistics = op.weight + 2 * op.in_c;
            if (masked.mask) std::memcpy(&masked.effective[statistics], &parameters[statistics], 2 * op.in_c * sizeof(float));
          }
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

}  // namespace mindts
