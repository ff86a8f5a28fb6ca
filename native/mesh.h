// The ranks of a job as one of them sees them: a thread says each second that this one lives, and notices who ended, fell silent,
// gave up, or left too early. Who is lost first is lost for all: each passes on what it has found.
#pragma once
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "meeting.h"

namespace mindts {

class Mesh {
 public:
  Mesh(int rank, std::vector<Peer> peers);
  // Leaves in order.
  ~Mesh();
  Mesh(const Mesh&) = delete;

  std::string name(int peer) const { return name_of(peer, peers_[peer]); }
  const Descriptor& data(int peer) const { return peers_[peer].data; }
  // Readable once someone is lost.
  const Descriptor& alarm() const { return alarm_.first; }
  bool has_lost() const { return has_lost_.load(std::memory_order_relaxed); }
  // Throws Lost once someone is. It costs nothing, so that whoever waits asks again and again.
  void check() {
    if (has_lost()) fail({});
  }

  // Another call begins, which all ranks make. Throws Lost.
  void begin();
  // This rank has found out that one is lost; what was found first stands, and is thrown.
  [[noreturn]] void fail(const std::string& why);
  // The connection for numbers with a peer is broken: waits for the word on what became of it.
  [[noreturn]] void fail_broken(int peer);
  void abandon(const std::string& reason);

 private:
  void keep();
  void read(int peer);
  void hear(int peer, Word, const std::string& text);
  void judge_silence();
  void lose(const std::string& why);
  void lose_locked(const std::string& why);

  const int rank_, size_;
  std::vector<Peer> peers_;
  std::vector<Time> heard_;
  // How many calls a peer had made when it left; −1: it has not.
  std::vector<int64_t> left_after_;
  int64_t calls_ = 0;
  bool is_leaving_ = false;
  std::string lost_;
  std::atomic<bool> has_lost_{false};
  std::pair<Descriptor, Descriptor> alarm_, wake_;
  // Of all of the above but heard_, which is the keeper's alone.
  std::mutex mutex_;
  std::thread keeper_;
};

}  // namespace mindts
