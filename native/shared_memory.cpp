// Ranks on one machine: a file that all of them map, which rank 0 makes, and removes when all have come.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "communicator.h"

namespace mindts {
namespace {

// What a round takes of each rank, at most. LeNet-5's gradients are 247 kB.
constexpr size_t ROUND_BYTES = 1 << 18;
constexpr uint64_t MAGIC = 0x314d4852544e494d;  // "MINTRHM1"

enum State : uint32_t { ABSENT = 0, HERE = 1, LEFT = 2, GAVE_UP = 3 };
enum Call : uint64_t { REDUCE = 1, GATHER = 2, BROADCAST = 3 };

// What a rank shows the others. A line of the cache for what changes every round.
struct alignas(64) Seat {
  std::atomic<int64_t> pid;
  uint64_t start;                  // when the process began: numbers of processes are used again
  std::atomic<uint32_t> state;
  char reason[256];
  alignas(64) std::atomic<uint64_t> round;  // the last that this rank has given its part to
  uint64_t call[2];                // by the round's parity: what it was called for, and how many bytes
};

struct Header {
  uint64_t magic;
  int32_t size;
  alignas(64) Seat seats[];
};

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

void nap(long microseconds) {
  const timespec t{0, microseconds * 1000};
  nanosleep(&t, nullptr);
}

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Linux: clock ticks from the machine's start to the process's, 0 when it has ended; 1 where the system does not tell.
uint64_t start_of(int64_t pid) {
  if (kill((pid_t)pid, 0) != 0 && errno != EPERM) return 0;
  char path[64], line[1024];
  std::snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
  FILE* file = std::fopen(path, "r");
  if (!file) return access("/proc/self/stat", R_OK) == 0 ? 0 : 1;
  const size_t n = std::fread(line, 1, sizeof line - 1, file);
  std::fclose(file);
  line[n] = 0;
  // The name, in parentheses, may hold spaces; what follows it begins with field 3, and the time is field 22.
  const char* at = std::strrchr(line, ')');
  if (!at || at[1] != ' ' || at[2] == 'Z') return 0;
  at += 2;
  for (int field = 3; field < 22; field++)
    if (!(at = std::strchr(at + 1, ' '))) return 0;
  return std::strtoull(at + 1, nullptr, 10);
}

std::string system_error(const char* path) { return std::string(path) + ": " + std::strerror(errno); }

// A mapping of a file, until it is closed.
struct Mapping {
  void* address = MAP_FAILED;
  size_t bytes = 0;

  Mapping() = default;
  Mapping(const Mapping&) = delete;
  ~Mapping() { close(); }

  bool open(int file, size_t size) {
    close();
    bytes = size;
    address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    return address != MAP_FAILED;
  }
  void close() {
    if (address != MAP_FAILED) munmap(address, bytes);
    address = MAP_FAILED;
  }
};

class SharedMemory final : public Communicator {
 public:
  SharedMemory(const char* path, int rank, int size, double seconds) : Communicator(rank, size) {
    const double end = now() + seconds;
    if (rank == 0) {
      make(path);
      try {
        wait_for_all(end, seconds);
      } catch (...) {
        unlink(path);
        throw;
      }
      unlink(path);
    } else {
      while (!sit(path)) {
        require_waits();
        if (now() > end) throw late(0, seconds);
        nap(2000);
      }
      wait_for_all(end, seconds);
    }
  }

  ~SharedMemory() override {
    uint32_t here = HERE;
    if (mapping.address != MAP_FAILED) seat(rank).state.compare_exchange_strong(here, LEFT);
  }

  void all_reduce(float* values, size_t count, double seconds) override {
    constexpr size_t most = ROUND_BYTES / sizeof(float);
    for (size_t at = 0; at < count; at += most) {
      const size_t n = count - at < most ? count - at : most;
      take_round(REDUCE, values + at, n * sizeof(float), seconds);
      float* sum = values + at;
      std::memcpy(sum, part(0), n * sizeof(float));
      for (int r = 1; r < size; r++) {
        const float* other = (const float*)part(r);
        for (size_t i = 0; i < n; i++) sum[i] += other[i];
      }
    }
  }

  void all_gather(const void* mine, size_t bytes, void* all, double seconds) override {
    for (size_t at = 0; at < bytes; at += ROUND_BYTES) {
      const size_t n = bytes - at < ROUND_BYTES ? bytes - at : ROUND_BYTES;
      take_round(GATHER, (const char*)mine + at, n, seconds);
      for (int r = 0; r < size; r++) std::memcpy((char*)all + r * bytes + at, part(r), n);
    }
  }

  void broadcast(void* bytes, size_t count, double seconds) override {
    for (size_t at = 0; at < count; at += ROUND_BYTES) {
      const size_t n = count - at < ROUND_BYTES ? count - at : ROUND_BYTES;
      take_round(BROADCAST, rank == 0 ? (const char*)bytes + at : nullptr, n, seconds);
      if (rank > 0) std::memcpy((char*)bytes + at, part(0), n);
    }
  }

  void abandon(const char* reason) override {
    Seat& mine = seat(rank);
    std::strncpy(mine.reason, reason, sizeof mine.reason - 1);
    mine.state.store(GAVE_UP);
  }

 private:
  Mapping mapping;
  uint64_t round = 0;
  std::string lost;

  size_t parts_at() const { return (sizeof(Header) + size * sizeof(Seat) + 4095) / 4096 * 4096; }
  size_t file_bytes() const { return parts_at() + 2 * size * ROUND_BYTES; }
  Header& header() const { return *(Header*)mapping.address; }
  Seat& seat(int r) const { return header().seats[r]; }
  // Rank r's part of this round. Rounds take turns with two places: who gives its part to one has read all of the one before.
  char* part(int r) const { return (char*)mapping.address + parts_at() + ((round & 1) * size + r) * ROUND_BYTES; }

  std::string name(int r) const {
    return "rank " + std::to_string(r) + " (process " + std::to_string(seat(r).pid.load()) + ")";
  }

  Lost late(int r, double seconds) const {
    char text[128];
    std::snprintf(text, sizeof text, "rank %d did not come within %g s", r, seconds);
    return Lost(text);
  }

  // Rank 0: the file appears with all in it, in the place of what a dead job may have left.
  void make(const char* path) {
    const std::string fresh = std::string(path) + "." + std::to_string(getpid());
    unlink(fresh.c_str());
    const int file = open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) throw Lost(system_error(fresh.c_str()));
    try {
      // Room is taken now: writing where there is none would end the process without a word.
      errno = posix_fallocate(file, 0, (off_t)file_bytes());
      if (errno != 0) throw Lost(system_error(path) + " (" + std::to_string(file_bytes() >> 20) + " MiB of shared memory are needed)");
      if (!mapping.open(file, file_bytes())) throw Lost(system_error(path));
      header().size = size;
      occupy(seat(0), getpid());
      header().magic = MAGIC;
      require_no_other(path);
      if (rename(fresh.c_str(), path) != 0) throw Lost(system_error(path));
    } catch (...) {
      close(file);
      unlink(fresh.c_str());
      throw;
    }
    close(file);
  }

  void require_no_other(const char* path) const {
    Mapping other;
    if (!view(path, other)) return;
    const Seat& first = ((Header*)other.address)->seats[0];
    if (is_there(first)) throw Lost("rank 0 is there already: process " + std::to_string(first.pid.load()));
  }

  static void occupy(Seat& seat, int64_t pid) {
    seat.start = start_of(pid);
    seat.state.store(HERE);
    seat.pid.store(pid);
  }

  static bool is_there(const Seat& seat) {
    const int64_t pid = seat.pid.load();
    const uint64_t start = pid == 0 ? 0 : start_of(pid);
    return start != 0 && start == seat.start;
  }

  // Maps a job's file; false when none is there, or one of another kind.
  bool view(const char* path, Mapping& into) const {
    const int file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) {
      if (errno == ENOENT) return false;
      throw Lost(system_error(path));
    }
    struct stat status;
    const bool whole = fstat(file, &status) == 0 && status.st_size >= (off_t)(sizeof(Header) + sizeof(Seat));
    if (whole && status.st_uid != geteuid()) {
      close(file);
      throw Lost(std::string(path) + " belongs to another user");
    }
    const bool mapped = whole && into.open(file, (size_t)status.st_size);
    close(file);
    return mapped && ((Header*)into.address)->magic == MAGIC;
  }

  // Takes this rank's seat of a living job; false while there is none.
  bool sit(const char* path) {
    if (!view(path, mapping) || !is_there(header().seats[0]) || seat(0).state != HERE) {
      mapping.close();
      return false;
    }
    if (header().size != size) {
      const int theirs = header().size;
      mapping.close();
      throw Lost("rank 0 is one of " + std::to_string(theirs) + " ranks, rank " + std::to_string(rank) + " one of " +
                 std::to_string(size));
    }
    int64_t nobody = 0;
    Seat& mine = seat(rank);
    const int64_t me = getpid();
    if (!mine.pid.compare_exchange_strong(nobody, -me)) {
      mapping.close();
      throw Lost("rank " + std::to_string(rank) + " is there already: process " + std::to_string(nobody < 0 ? -nobody : nobody));
    }
    occupy(mine, me);
    return true;
  }

  void wait_for_all(double end, double seconds) {
    for (int r = 0; r < size; r++)
      for (double checked = now();; nap(1000)) {
        if (seat(r).state.load() != ABSENT) {
          require_here(r);
          break;
        }
        require_waits();
        if (now() > end) throw late(r, seconds);
        if (now() - checked < 0.1) continue;
        checked = now();
        // Those that came may have died meanwhile.
        for (int other = 0; other < size; other++)
          if (seat(other).state.load() != ABSENT) require_here(other);
      }
  }

  void require_here(int r) const {
    const uint32_t state = seat(r).state.load();
    if (state == GAVE_UP) throw Lost("rank " + std::to_string(r) + " gave up: " + std::string(seat(r).reason, strnlen(seat(r).reason, 255)));
    if (state == LEFT) throw Lost(name(r) + " has left the job");
    if (seat(r).pid.load() > 0 && !is_there(seat(r))) throw Lost(name(r) + " died");
  }

  // Gives this rank's part (null: none) and waits until all have given theirs.
  void take_round(Call what, const void* mine, size_t bytes, double seconds) {
    if (!lost.empty()) throw Lost(lost);
    round++;
    if (mine) std::memcpy(part(rank), mine, bytes);
    const uint64_t call = (uint64_t)what << 56 | bytes;
    seat(rank).call[round & 1] = call;
    seat(rank).round.store(round, std::memory_order_release);
    try {
      for (int r = 0; r < size; r++) {
        wait_for(r, seconds);
        if (seat(r).call[round & 1] != call)
          throw Lost(name(r) + " makes another call than rank " + std::to_string(rank) + ": all ranks must do the same");
      }
    } catch (const Lost& error) {
      lost = error.what();
      throw;
    }
  }

  void wait_for(int r, double seconds) const {
    const auto given = [&] { return seat(r).round.load(std::memory_order_acquire) >= round; };
    for (int spins = 0; spins < 2000; spins++) {
      if (given()) return;
      relax();
    }
    const double began = now();
    for (double checked = began; !given();) {
      const double time = now();
      // Others may need this processor: first they get their turn, then it sleeps.
      if (time - began < 0.002) sched_yield();
      else nap(100);
      if (time - checked < 0.05) continue;
      checked = time;
      require_waits();
      for (int other = 0; other < size; other++)
        // A rank that had given its part before it went is not missed here.
        if (seat(other).round.load(std::memory_order_acquire) < round) require_here(other);
      if (time - began > seconds) throw late(r, seconds);
    }
  }
};

}  // namespace

Communicator* join_memory(const char* path, int rank, int size, double seconds) {
  return new SharedMemory(path, rank, size, seconds);
}

}  // namespace mindts
