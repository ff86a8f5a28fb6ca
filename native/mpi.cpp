// Ranks that exchange numbers through Open MPI, which knows the fastest way between any two. Its library is found when it is needed.
//
// Only its messages are used: what is summed, and in which order, is collectives.cpp's, so that results are the same as over TCP. MPI
// cannot tell that a rank is lost; a mesh of TCP connections beside it does, and every wait asks it.
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "collectives.h"

namespace mindts {
namespace {

// A wait first asks without pause, then lets other threads go first, then sleeps for moments: what MPI does in between happens only
// while it is asked.
constexpr double spin_seconds = 100e-6;
constexpr double yield_seconds = 20e-3;
constexpr int nap_microseconds = 50;
// MPI counts bytes with an int.
constexpr size_t longest = size_t{1} << 30;

// Open MPI's ABI, versions 2 to 5 (libmpi.so.20 and .40): handles are pointers to objects of the library.
using Handle = void*;
using Request = void*;
constexpr int success = 0, serialized = 2, multiple = 3;
enum Tag { header_tag, body_tag };

std::string decoded(const char* text) { return text ? text : "unknown"; }

class OpenMpi {
 public:
  explicit OpenMpi(const char* library) {
    // Its plug-ins look for its symbols among all.
    library_ = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    if (!library_) {
      const std::string why = decoded(dlerror());
      if (why.find("No such file") == std::string::npos && why.find("not found") == std::string::npos)
        throw Lost("Open MPI cannot be loaded: " + why);
      throw Lost(std::string("Open MPI is not installed on this machine (") + library + "): apt-get install libopenmpi3 openmpi-bin");
    }
    find(get_library_version, "MPI_Get_library_version");
    if (!dlsym(library_, "ompi_mpi_comm_world")) {
      char version[8192] = "";
      int length = 0;
      get_library_version(version, &length);
      version[std::strcspn(version, "\n,")] = 0;
      throw Lost(std::string(library) + " is not Open MPI but " + version + ": start the ranks with Open MPI's mpirun");
    }
    find(init_thread, "MPI_Init_thread");
    find(initialized, "MPI_Initialized");
    find(finalize, "MPI_Finalize");
    find(comm_rank, "MPI_Comm_rank");
    find(comm_size, "MPI_Comm_size");
    find(comm_set_errhandler, "MPI_Comm_set_errhandler");
    find(error_string, "MPI_Error_string");
    find(broadcast, "MPI_Bcast");
    find(send, "MPI_Isend");
    find(receive, "MPI_Irecv");
    find(test_some, "MPI_Testsome");
    find(world, "ompi_mpi_comm_world");
    find(byte, "ompi_mpi_byte");
    find(errors_return, "ompi_mpi_errors_return");
  }

  std::string text_of(int error) const {
    char text[1024] = "";
    int length = 0;
    error_string(error, text, &length);
    return std::string("Open MPI: ") + text;
  }

  int (*get_library_version)(char*, int*);
  int (*init_thread)(int*, char***, int, int*);
  int (*initialized)(int*);
  int (*finalize)();
  int (*comm_rank)(Handle, int*);
  int (*comm_size)(Handle, int*);
  int (*comm_set_errhandler)(Handle, Handle);
  int (*error_string)(int, char*, int*);
  int (*broadcast)(void*, int, Handle, int, Handle);
  int (*send)(const void*, int, Handle, int, int, Handle, Request*);
  int (*receive)(void*, int, Handle, int, int, Handle, Request*);
  int (*test_some)(int, Request*, int*, int*, void*);
  char *world, *byte, *errors_return;

 private:
  template <class T>
  void find(T*& place, const char* name) {
    place = reinterpret_cast<T*>(dlsym(library_, name));
    if (!place) throw Lost(std::string("Open MPI's library lacks ") + name + ": install version 3 or newer");
  }

  void* library_;
};

class Mpi : public Collectives {
 public:
  Mpi(const OpenMpi& mpi, int rank, int size, std::unique_ptr<Mesh> mesh) : Collectives(rank, size, std::move(mesh)), mpi_(mpi) {}

  ~Mpi() override {
    // With a rank lost it would wait for it.
    const bool is_whole = !mesh_->has_lost();
    mesh_.reset();
    if (is_whole) mpi_.finalize();
  }

 private:
  // What a request is for.
  struct Errand {
    int peer;
    bool is_header_of_peer;
  };

  void exchange(std::vector<Flow>& out, std::vector<Flow>& in) override {
    requests_.clear();
    errands_.clear();
    for (int p = 0; p < size; p++) {
      post(in[p].header, p, header_tag, true);
      post(in[p].body, p, body_tag, true);
    }
    for (int p = 0; p < size; p++) {
      post(out[p].header, p, header_tag, false);
      post(out[p].body, p, body_tag, false);
    }
    is_done_.assign(requests_.size(), false);
    indices_.resize(requests_.size());
    size_t left = requests_.size();
    for (Time last = Clock::now(); left > 0;) {
      int count = 0;
      const int error = mpi_.test_some(static_cast<int>(requests_.size()), requests_.data(), &count, indices_.data(), nullptr);
      for (int i = 0; i < count; i++) {
        is_done_[indices_[i]] = true;
        left--;
        const Errand& errand = errands_[indices_[i]];
        // Before what went wrong: it says why.
        if (errand.is_header_of_peer) opened(errand.peer);
      }
      require(error);
      mesh_->check();
      if (count > 0) {
        last = Clock::now();
      } else {
        rest(seconds_since(last));
        be_patient(last, awaited());
      }
    }
  }

  void post(Span span, int peer, Tag tag, bool receives) {
    for (size_t at = 0; at < span.bytes; at += longest) {
      const int n = static_cast<int>(std::min(longest, span.bytes - at));
      requests_.push_back(nullptr);
      errands_.push_back({peer, receives && tag == header_tag});
      require(receives ? mpi_.receive(span.at + at, n, mpi_.byte, peer, tag, mpi_.world, &requests_.back())
                       : mpi_.send(span.at + at, n, mpi_.byte, peer, tag, mpi_.world, &requests_.back()));
    }
  }

  void require(int error) {
    if (error != success) mesh_->fail(mpi_.text_of(error));
  }

  static void rest(double waited) {
    if (waited > yield_seconds) {
      usleep(nap_microseconds);
    } else if (waited > spin_seconds) {
      sched_yield();
    }
  }

  int awaited() const { return errands_[std::find(is_done_.begin(), is_done_.end(), false) - is_done_.begin()].peer; }

  const OpenMpi mpi_;
  std::vector<Request> requests_;
  std::vector<Errand> errands_;
  std::vector<bool> is_done_;
  std::vector<int> indices_;
};

// Nobody who merely finds the port gets in.
std::string make_token() {
  const Descriptor source(open("/dev/urandom", O_RDONLY | O_CLOEXEC));
  unsigned char bytes[16];
  if (read(source.get(), bytes, sizeof bytes) != sizeof bytes) throw Lost("cannot read /dev/urandom");
  std::string token;
  for (const unsigned char byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    token += digits;
  }
  return token;
}

void start(const OpenMpi& mpi, int rank, int size) {
  if (!std::getenv("OMPI_COMM_WORLD_SIZE") && !std::getenv("PMIX_RANK"))
    throw Lost("this process was not started by Open MPI: start the ranks with `mpirun -n " + std::to_string(size) + " node …`");
  int is_running = 0, level = 0;
  mpi.initialized(&is_running);
  if (is_running) throw Lost("a process can join an MPI job once only");
  // Calls come from one thread at a time, but not from always the same.
  const int error = mpi.init_thread(nullptr, nullptr, multiple, &level);
  if (error != success) throw Lost(mpi.text_of(error));
  if (level < serialized) throw Lost("this Open MPI is built without threads: install one with MPI_THREAD_SERIALIZED");
  mpi.comm_set_errhandler(mpi.world, mpi.errors_return);
  int its_rank = 0, its_size = 0;
  mpi.comm_rank(mpi.world, &its_rank);
  mpi.comm_size(mpi.world, &its_size);
  if (its_rank != rank || its_size != size)
    throw Lost("the rank variables say rank " + std::to_string(rank) + " of " + std::to_string(size) + ", Open MPI rank " +
               std::to_string(its_rank) + " of " + std::to_string(its_size) + ": unset RANK_ID and RANK_SIZE under mpirun");
}

}  // namespace

Communicator* join_mpi(const char* library, int rank, int size, double seconds) {
  const OpenMpi mpi(library);
  start(mpi, rank, size);
  Descriptor listener = listen_at(0);
  // Port, token and addresses of rank 0.
  char invitation[2048] = "";
  if (rank == 0) {
    std::string text = std::to_string(port_of(listener)) + ' ' + make_token();
    for (const std::string& address : own_addresses()) text += ' ' + address;
    std::strncpy(invitation, text.c_str(), sizeof invitation - 1);
  }
  const int error = mpi.broadcast(invitation, sizeof invitation, mpi.byte, 0, mpi.world);
  if (error != success) throw Lost(mpi.text_of(error));
  Invitation invited{{}, 0, "", rank, size, seconds, false};
  char* rest = nullptr;
  invited.port = std::atoi(strtok_r(invitation, " ", &rest));
  invited.token = strtok_r(nullptr, " ", &rest);
  while (const char* address = strtok_r(nullptr, " ", &rest)) invited.hosts.push_back(address);
  auto peers = meet(invited, std::move(listener));
  return new Mpi(mpi, rank, size, std::make_unique<Mesh>(rank, std::move(peers)));
}

}  // namespace mindts
