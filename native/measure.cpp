// What the bench asks: of the machine, and of one layer alone.
#include <chrono>
#include <limits>

#include "find.h"
#include "mindts.h"
#include "threads.h"
#include "workspace.h"

using namespace mindts;

extern "C" double mindts_peak(const char* instruction_set, int threads, double seconds) {
  const Kernels* kernels = find(instruction_set);
  if (!kernels || threads < 1) return 0;
  std::vector<double> rates(threads);
  Threads pool(threads);
  pool.run([&](int t) { rates[t] = kernels->peak(seconds); });
  double sum = 0;
  for (double rate : rates) sum += rate;
  return sum;
}

extern "C" double mindts_layer_seconds(const char* instruction_set, const int32_t* fields, int parameters, int batch, int threads,
                                       int rounds) {
  const Kernels* kernels = find(instruction_set);
  if (!kernels || threads < 1 || threads > 1024) return 0;
  Op op;
  std::memcpy(&op, fields, sizeof op);
  op.input = 0;
  op.output = 1;
  op.gradient = 1;
  const int pool = op.pool ? op.pool : 1;
  const Layout layout{kernels, {op}, {op.in_c * op.in_h * op.in_w, op.out_c * (op.out_h / pool) * (op.out_w / pool)}, 1,
                      (size_t)parameters};
  const int groups = (batch + kernels->lanes - 1) / kernels->lanes;
  uint32_t state = 1;
  auto fill = [&](float* array, size_t n) {
    for (size_t i = 0; i < n; i++) array[i] = float(int32_t(state = hash32(state + 1)) * 0x1p-31);
  };
  Array<float> weights = zeroed<float>(parameters), sum = zeroed<float>(parameters);
  fill(weights.get(), parameters);
  std::vector<ThreadState> states(threads);
  for (int t = 0; t < threads; t++) {
    allocate(states[t], layout, nullptr);
    for (int g = groups * t / threads; g < groups * (t + 1) / threads; g++) {
      add_group(states[t], layout);
      Group& group = *states[t].groups.back();
      fill(group.value_pointers[0], (size_t)layout.value_sizes[0] * kernels->lanes);
      fill(group.gradient_pointers[1], (size_t)layout.value_sizes[1] * kernels->lanes);
      group.workspace.images = kernels->lanes;
      group.workspace.training = true;
      group.workspace.group = g - groups * t / threads;
      group.workspace.last = g + 1 == groups * (t + 1) / threads;
    }
  }
  Threads pool_of_threads(threads);
  double least = std::numeric_limits<double>::infinity();
  pool_of_threads.run([&](int t) {
    using clock = std::chrono::steady_clock;
    for (int round = 0; round < rounds; round++) {
      pool_of_threads.barrier();
      const auto start = clock::now();
      for (auto& group : states[t].groups) {
        kernels->forward(op, weights.get(), group->workspace, 0);
        kernels->backward(op, weights.get(), group->workspace, 0);
      }
      pool_of_threads.barrier();
      const size_t from = (size_t)parameters * t / threads, to = (size_t)parameters * (t + 1) / threads;
      for (size_t i = from; threads > 1 && i < to; i++) {
        float g = states[0].parameter_gradients[i];
        for (int other = 1; other < threads; other++) g += states[other].parameter_gradients[i];
        sum[i] = g;
      }
      pool_of_threads.barrier();
      const double took = std::chrono::duration<double>(clock::now() - start).count();
      if (t == 0 && took < least) least = took;
    }
  });
  return least;
}
