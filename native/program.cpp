// Evaluating and predicting, and the C ABI of programs.
#include <new>
#include <string>
#include <vector>

#include "candidates.h"
#include "compiled.h"
#include "find.h"
#include "mindts.h"

using namespace mindts;

namespace {

thread_local std::string creation_error;

}  // namespace

struct mindts_program : Compiled {
  using Compiled::Compiled;
  std::unique_ptr<Laboratory> laboratory;

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
        assemble(ws.values[0], ws.input_scratch, images, order + g * lanes, ws.images);
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
  p->apply_mask();
}

double mindts_get_state(mindts_program* p, float* state) {
  std::memcpy(state, p->parameters.get(), p->layout.parameter_count * sizeof(float));
  for (size_t s = 0; s < p->slot_count; s++)
    std::memcpy(state + (s + 1) * p->layout.parameter_count, p->slots[s].get(), p->layout.parameter_count * sizeof(float));
  return (double)p->step;
}

int mindts_train(mindts_program* p, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order,
                 int32_t count, const float* rates, const int32_t* spans, int layers, const float* bounds, const uint8_t* active,
                 int masked_stay, float* losses, int32_t* results) {
  const Surgery surgery{spans, reinterpret_cast<const Bounds*>(bounds), layers, active};
  return p->attempt(labels, stored, order, count,
                    [&] { p->train(images, labels, order, count, rates, surgery, masked_stay != 0, losses, results); });
}

int mindts_set_mask(mindts_program* p, const uint8_t* mask) {
  return p->attempt(nullptr, 0, nullptr, 0, [&] { p->set_mask(mask); });
}

int mindts_get_mask(const mindts_program* p, uint8_t* mask) {
  if (!p->masked.mask) return 0;
  std::memcpy(mask, p->masked.mask.get(), p->layout.parameter_count);
  return 1;
}

int mindts_evaluate_candidates(mindts_program* p, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order,
                               int32_t count, const int32_t* spans, int layers, const float* saliency, const float* bounds, int candidates, int32_t* correct,
                               double* losses, int32_t* kept) {
  const Candidates all{spans, layers, saliency, reinterpret_cast<const Bounds*>(bounds), candidates};
  return p->attempt(labels, stored, order, count, [&] {
    if (!p->laboratory) p->laboratory = std::make_unique<Laboratory>(*p);
    p->laboratory->evaluate(images, labels, order, count, all, {correct, losses, kept});
  });
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
