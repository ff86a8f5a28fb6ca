// Sums, gathers and broadcasts out of one operation, which a network or MPI gives: to send bytes to every peer and receive bytes from
// every peer at the same time. What is summed is the same whichever it is: always in the order of ranks.
#pragma once
#include <memory>
#include <vector>

#include "communicator.h"
#include "mesh.h"

namespace mindts {

struct Span {
  char* at = nullptr;
  size_t bytes = 0;
};

// What goes to a peer or comes from it.
struct Flow {
  // Which call this is; only where a call begins.
  Span header;
  Span body;
};

class Collectives : public Communicator {
 public:
  Collectives(int rank, int size, std::unique_ptr<Mesh>);
  void all_reduce(float* values, size_t count, double seconds) override;
  void all_gather(const void* mine, size_t bytes, void* all, double seconds) override;
  void broadcast(void* bytes, size_t count, double seconds) override;
  void abandon(const char* reason) override { mesh_->abandon(reason); }

 protected:
  // Sends and receives all of out[peer] and in[peer]; tells opened() when a header is there. Returns when all is done.
  virtual void exchange(std::vector<Flow>& out, std::vector<Flow>& in) = 0;
  // A peer's header has come: throws Lost when it makes another call.
  void opened(int peer);
  // Throws Lost once no byte has come or gone since then for as long as this call may wait.
  void be_patient(Time since, int peer);
  Time patience_ends(Time since) const { return since + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds_)); }

  std::unique_ptr<Mesh> mesh_;

 private:
  enum class Kind : uint64_t { all_reduce, all_gather, broadcast };
  // What all ranks' calls have in common.
  struct Header {
    uint64_t number;
    Kind kind;
    uint64_t bytes;
  };

  void begin(Kind, size_t bytes, double seconds);
  static std::string text_of(const Header&);
  void trade();
  void reduce_whole(float* values, size_t count);
  void reduce_in_slices(float* values, size_t count);
  void sum(float* mine, size_t count);
  float* received(int peer) { return buffer_.data() + peer * slot_; }

  double seconds_ = 0;
  bool is_beginning_ = false;
  Header header_{};
  std::vector<Header> theirs_;
  std::vector<Flow> out_, in_;
  // What came from each peer, to be summed: slot_ numbers of each.
  std::vector<float> buffer_;
  size_t slot_ = 0;
};

}  // namespace mindts
