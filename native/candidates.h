// Many masks of one network, each evaluated on the same images: a candidate is one thread's task, so that no result depends on how many
// threads there are. A layer goes through its kept weights alone, which are the same sums to the last bit.
#pragma once
#include "compiled.h"

namespace mindts {

// Bounds [candidates][layers], each layer the parameters spans[2 l] to spans[2 l + 1]. saliency: what they are over; null: magnitudes.
struct Candidates {
  const int32_t* spans;
  int layers;
  const float* saliency;
  const Bounds* bounds;
  int count;
};

// correct, losses: [candidates]; kept: [candidates][layers].
struct CandidateResults {
  int32_t* correct;
  double* losses;
  int32_t* kept;
};

// Where a thread makes a candidate, and runs it.
class Bench;

// What is kept from call to call.
class Laboratory {
 public:
  explicit Laboratory(Compiled& program);
  ~Laboratory();
  // images: null where those of the call before are meant.
  void evaluate(const uint8_t* images, const int32_t* labels, const int32_t* order, int32_t count, const Candidates& candidates,
                const CandidateResults& results);

 private:
  void assemble(const uint8_t* images, const int32_t* order, int32_t count);

  Compiled& program_;
  // Images as the network reads them, side by side in lanes: [groups][features][lanes].
  Array<float> inputs_;
  std::vector<std::unique_ptr<Bench>> benches_;
};

}  // namespace mindts
