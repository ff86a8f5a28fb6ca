// The C ABI of communicators.
#include <atomic>
#include <cstring>
#include <exception>

#include "communicator.h"
#include "mindts.h"

using namespace mindts;

struct mindts_communicator {
  Communicator* communicator;
};

namespace {

std::atomic<bool> is_exiting{false};

void say(char* error, const char* what) {
  std::strncpy(error, what, 511);
  error[511] = 0;
}

template <class F>
mindts_communicator* join(char* error, F open) {
  try {
    return new mindts_communicator{open()};
  } catch (const std::exception& e) {
    say(error, e.what());
    return nullptr;
  }
}

template <class F>
int attempt(char* error, F call) {
  try {
    call();
    return 1;
  } catch (const std::exception& e) {
    say(error, e.what());
    return 0;
  }
}

}  // namespace

void mindts::end_waits() { is_exiting = true; }

bool mindts::waits_end() { return is_exiting.load(std::memory_order_relaxed); }

void mindts::require_waits() {
  if (waits_end()) throw Lost("this process ends");
}

Communicator* mindts::communicator_of(mindts_communicator* c) { return c->communicator; }

extern "C" {

mindts_communicator* mindts_join_memory(const char* path, int rank, int size, double seconds, char* error) {
  return join(error, [&] { return join_memory(path, rank, size, seconds); });
}

mindts_communicator* mindts_join_network(const char* host, int port, const char* token, int rank, int size, double seconds,
                                         char* error) {
  return join(error, [&] { return join_network(host, port, token, rank, size, seconds); });
}

mindts_communicator* mindts_join_mpi(const char* library, int rank, int size, double seconds, char* error) {
  return join(error, [&] { return join_mpi(library, rank, size, seconds); });
}

int mindts_all_reduce(mindts_communicator* c, float* values, int64_t count, double seconds, char* error) {
  return attempt(error, [&] { c->communicator->all_reduce(values, count, seconds); });
}

int mindts_all_gather(mindts_communicator* c, const uint8_t* mine, int64_t bytes, uint8_t* all, double seconds, char* error) {
  return attempt(error, [&] { c->communicator->all_gather(mine, bytes, all, seconds); });
}

int mindts_broadcast(mindts_communicator* c, uint8_t* bytes, int64_t count, double seconds, char* error) {
  return attempt(error, [&] { c->communicator->broadcast(bytes, count, seconds); });
}

void mindts_abandon(mindts_communicator* c, const char* reason) { c->communicator->abandon(reason); }

void mindts_end_waits(void) { end_waits(); }

void mindts_leave(mindts_communicator* c) {
  delete c->communicator;
  delete c;
}

}  // extern "C"
