#include "mesh.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "communicator.h"

namespace mindts {
namespace {

// For the others to hear of a departure.
constexpr double farewell_seconds = 1;
// A broken connection and the word on why come by different ways.
constexpr double verdict_seconds = 2;

void ring(const Descriptor& bell) {
  const char byte = 0;
  // A pipe that is full rings already.
  if (write(bell.get(), &byte, 1) < 0) return;
}

}  // namespace

Mesh::Mesh(int rank, std::vector<Peer> peers)
    : rank_(rank),
      size_(static_cast<int>(peers.size())),
      peers_(std::move(peers)),
      heard_(size_, Clock::now()),
      left_after_(size_, -1),
      alarm_(open_pipe()),
      wake_(open_pipe()) {
  keeper_ = std::thread([this] { keep(); });
}

Mesh::~Mesh() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_leaving_ = true;
    const std::string calls(reinterpret_cast<const char*>(&calls_), sizeof calls_);
    for (const Peer& peer : peers_) {
      if (peer.control && !has_lost()) say(peer.control, Word::left, calls);
    }
  }
  ring(wake_.second);
  keeper_.join();
}

void Mesh::begin() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (has_lost()) throw Lost(lost_);
  calls_++;
  for (int i = 0; i < size_; i++) {
    if (left_after_[i] >= 0 && left_after_[i] < calls_) lose_locked(name(i) + " has left the job");
  }
  if (has_lost()) throw Lost(lost_);
}

void Mesh::fail(const std::string& why) {
  std::lock_guard<std::mutex> lock(mutex_);
  lose_locked(why);
  throw Lost(lost_);
}

void Mesh::fail_broken(int peer) {
  becomes_ready(alarm_.first, POLLIN, after(verdict_seconds));
  fail(name(peer) + " ended");
}

void Mesh::abandon(const std::string& reason) { lose("rank " + std::to_string(rank_) + " gave up: " + reason); }

void Mesh::lose(const std::string& why) {
  std::lock_guard<std::mutex> lock(mutex_);
  lose_locked(why);
}

void Mesh::lose_locked(const std::string& why) {
  if (has_lost()) return;
  lost_ = why;
  has_lost_ = true;
  ring(alarm_.second);
  ring(wake_.second);
  for (const Peer& peer : peers_) {
    if (peer.control) say(peer.control, Word::lost, why);
  }
}

// Beats and listens until someone is lost, which ends the job, or this rank has left and the others know it.
void Mesh::keep() {
  Time next_beat = Clock::now(), last = Time::max();
  while (!has_lost()) {
    std::vector<pollfd> polled{{wake_.first.get(), POLLIN, 0}};
    bool is_alone = true;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      const bool beats = Clock::now() >= next_beat && !is_leaving_;
      if (beats) next_beat = after(beat_seconds);
      if (is_leaving_ && last == Time::max()) last = after(farewell_seconds);
      for (const Peer& peer : peers_) {
        if (beats && peer.control) say(peer.control, Word::beat);
        if (peer.control) is_alone = false;
        polled.push_back({peer.control.get(), POLLIN, 0});
      }
    }
    if (Clock::now() >= last || (is_alone && last != Time::max())) return;
    poll(polled.data(), polled.size(), milliseconds_until(std::min(next_beat, last)));
    char bytes[16];
    while (::read(wake_.first.get(), bytes, sizeof bytes) > 0) continue;
    for (int i = 0; i < size_; i++) {
      if (polled[1 + i].revents) read(i);
    }
    if (waits_end() && last == Time::max()) lose("rank " + std::to_string(rank_) + " ended");
    // Whoever was stopped for a while reads first what has come meanwhile.
    if (last == Time::max()) judge_silence();
  }
}

void Mesh::read(int i) {
  Peer& peer = peers_[i];
  const bool is_there = peer.inbox.fill(peer.control);
  heard_[i] = Clock::now();
  Word word;
  std::string text;
  try {
    while (peer.inbox.next(word, text)) hear(i, word, text);
  } catch (const Lost& garbage) {
    lose(name(i) + ": " + garbage.what());
  }
  if (is_there) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (left_after_[i] < 0 && !is_leaving_) lose_locked(name(i) + " ended");
  peer.control.close();
}

void Mesh::hear(int i, Word word, const std::string& text) {
  if (word == Word::lost) lose(text);
  if (word != Word::left || text.size() != sizeof calls_) return;
  std::lock_guard<std::mutex> lock(mutex_);
  std::memcpy(&left_after_[i], text.data(), text.size());
  if (left_after_[i] < calls_) lose_locked(name(i) + " has left the job");
  // So that it knows that it was heard; closed when it has closed.
  shutdown(peers_[i].control.get(), SHUT_WR);
}

void Mesh::judge_silence() {
  int silent = -1, quiet = 0, others = 0;
  for (int i = 0; i < size_; i++) {
    if (!peers_[i].control || left_after_[i] >= 0) continue;
    others++;
    const double seconds = seconds_since(heard_[i]);
    if (seconds > silence - 2 * beat_seconds) quiet++;
    if (seconds > silence && silent < 0) silent = i;
  }
  if (silent < 0) return;
  const std::string span = " for " + std::to_string(static_cast<int>(silence)) + " s";
  if (others > 1 && quiet == others) lose("rank " + std::to_string(rank_) + " has heard of no other rank" + span + ": it is cut off from them");
  lose(name(silent) + " has not been heard of" + span);
}

}  // namespace mindts
