// Ranks of one job that exchange numbers: what the training loop needs of shared memory, TCP and MPI.
#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>

struct mindts_communicator;

namespace mindts {

// A rank that died, gave up, or did not come; the message names it.
struct Lost : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Every call but abandon is made by all ranks in the same order, waits for the slowest, `seconds` at most, and throws Lost. What
// has thrown throws the same from then on. A rank that died is noticed within some seconds, whatever `seconds` says.
class Communicator {
 public:
  Communicator(int rank, int size) : rank(rank), size(size) {}
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;

  const int rank, size;

  // values[count] become the sum over ranks: the same bits on every rank, and for the same ranks in every run.
  virtual void all_reduce(float* values, size_t count, double seconds) = 0;
  // all: [size][bytes], what every rank gave as `mine`.
  virtual void all_gather(const void* mine, size_t bytes, void* all, double seconds) = 0;
  // bytes[count] become rank 0's.
  virtual void broadcast(void* bytes, size_t count, double seconds) = 0;
  // Tells the others that this rank gives up; they throw Lost with "rank 1 gave up: reason". From any thread, at any time.
  virtual void abandon(const char* reason) = 0;
};

// From any thread: this process is about to exit, which waits for its threads. What waits for other ranks throws Lost within a second.
void end_waits();
bool waits_end();
// Throws once that is so.
void require_waits();

// What is behind a mindts_communicator.
Communicator* communicator_of(mindts_communicator*);

Communicator* join_memory(const char* path, int rank, int size, double seconds);
Communicator* join_network(const char* host, int port, const char* token, int rank, int size, double seconds);
Communicator* join_mpi(const char* library, int rank, int size, double seconds);

}  // namespace mindts
