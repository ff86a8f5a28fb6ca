#include "meeting.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>

#include "communicator.h"
#include "hello.h"

namespace mindts {
namespace {

// Who connects and says nothing, or does not answer, is a stranger.
constexpr double handshake_seconds = 5;
// For ranks that have met to connect with one another.
constexpr double connect_seconds = 30;
constexpr int retry_milliseconds = 100;
constexpr size_t most_strangers = 256;
constexpr int most_named = 8;

struct Stranger {
  Descriptor connection;
  std::string address;
  Time limit;
  Hello hello;
  size_t heard = 0;
};

struct Place {
  std::string address;
  int port;
};

std::string span_of(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", seconds);
  return text;
}

class Meeting {
 public:
  Meeting(const Invitation& invitation, Descriptor listener)
      : invited_(invitation),
        rank_(invitation.rank),
        size_(invitation.size),
        limit_(after(invitation.seconds)),
        listener_(std::move(listener)),
        peers_(size_),
        places_(size_),
        heard_(size_),
        is_ready_(size_) {
    if (invited_.token.size() > 255) throw Lost("the token of a job is 255 bytes at most, not " + std::to_string(invited_.token.size()));
  }

  std::vector<Peer> run() {
    if (rank_ == 0) {
      host();
    } else {
      attend();
    }
    return std::move(peers_);
  }

 private:
  void host() {
    serve(limit_, [&] { return missing().empty(); }, [&] { return overdue(); });
    std::string table;
    for (int i = 1; i < size_; i++) {
      // Who came from this very machine is reached where this machine is.
      table += (is_loopback(peers_[i].address) ? "" : peers_[i].address) + ' ' + std::to_string(places_[i].port) + '\n';
    }
    has_table_ = true;
    tell_all(Word::table, table);
    serve(
        after(connect_seconds),
        [&] { return std::count(is_ready_.begin() + 1, is_ready_.end(), false) == 0 && is_complete(); },
        [&] { return names([&](int i) { return !is_ready_[i]; }) + " could not connect with all others within " + span_of(connect_seconds); });
    tell_all(Word::go);
  }

  void attend() {
    call_host();
    serve(limit_, [&] { return has_table_; }, [&] { return overdue(); });
    const Time limit = after(connect_seconds);
    for (int i = 0; i < rank_; i++) {
      if (!peers_[i].control) peers_[i].control = call(i, control, limit);
      if (invited_.wants_data) peers_[i].data = call(i, data, limit);
    }
    const auto late = [&] {
      return names([&](int i) { return i != rank_ && !has_come(i); }) + " did not connect with rank " + std::to_string(rank_) + " within " +
             span_of(connect_seconds);
    };
    serve(limit, [&] { return is_complete(); }, late);
    say(peers_[0].control, Word::ready);
    // Rank 0 says who keeps all waiting.
    serve(after(connect_seconds + silence), [&] { return may_go_; }, [] { return std::string("rank 0 does not begin"); });
  }

  // Rank 0 may start later than this one, and the name of its machine may be known later.
  void call_host() {
    std::string why;
    do {
      for (const std::string& host : invited_.hosts) {
        Descriptor connection = connect_to(host, invited_.port, limit_, why);
        if (!connection) continue;
        const std::string place = host + ":" + std::to_string(invited_.port);
        switch (introduce(connection, hello_to(0, control), std::min(limit_, after(handshake_seconds)), why)) {
          case Reply::welcome:
            peers_[0].address = address_of(connection);
            peers_[0].control = std::move(connection);
            heard_[0] = Clock::now();
            return;
          case Reply::refused:
            why += " (asked at " + place + ")";
            break;
          case Reply::foreign:
            why = "what answers at " + place + " is no rank of mindts: name the machine of rank 0, and a port that is free there";
            break;
          case Reply::none:
            continue;
        }
        // Of several addresses one may be another machine's too.
        if (invited_.hosts.size() == 1) throw Lost(why);
      }
      require_waits();
      poll(nullptr, 0, retry_milliseconds);
    } while (Clock::now() < limit_);
    throw Lost("rank 0 was not to be found at " + invited_.hosts[0] + ":" + std::to_string(invited_.port) + " within " +
               span_of(invited_.seconds) + " (" + why + ")");
  }

  Descriptor call(int peer, Purpose purpose, Time limit) {
    const std::string& address = places_[peer].address;
    std::string why;
    Descriptor connection = connect_to(address, places_[peer].port, limit, why);
    if (connection && introduce(connection, hello_to(peer, purpose), limit, why) == Reply::welcome) {
      if (purpose == control) peers_[peer].address = address;
      return connection;
    }
    fail("rank " + std::to_string(rank_) + " cannot connect with rank " + std::to_string(peer) + " at " + address + ":" +
         std::to_string(places_[peer].port) + " (" + why + "): the machines of a job must reach one another at every port");
  }

  Hello hello_to(int rank, Purpose purpose) const {
    Hello hello{};
    std::memcpy(hello.magic, magic, sizeof magic);
    hello.version = version;
    hello.purpose = purpose;
    hello.from = rank_;
    hello.to = rank;
    hello.size = size_;
    hello.port = port_of(listener_);
    hello.token_length = static_cast<uint8_t>(invited_.token.size());
    std::memcpy(hello.token, invited_.token.data(), invited_.token.size());
    return hello;
  }

  // Receives ranks and what they say, until it is done.
  void serve(Time limit, const std::function<bool()>& is_done, const std::function<std::string()>& overdue) {
    next_beat_ = Clock::now();
    while (!is_done()) {
      const Time now = Clock::now();
      require_waits();
      if (now >= limit) fail(overdue());
      if (rank_ == 0 && now >= next_beat_) {
        next_beat_ = after(beat_seconds);
        tell_all(Word::waiting, missing());
      }
      // The listener, those who speak, then those who have just connected.
      std::vector<pollfd> polled{{listener_.get(), POLLIN, 0}};
      const int speakers = rank_ == 0 ? size_ : 1;
      for (int i = 0; i < speakers; i++) polled.push_back({peers_[i].control.get(), POLLIN, 0});
      for (const Stranger& each : strangers_) polled.push_back({each.connection.get(), POLLIN, 0});
      poll(polled.data(), polled.size(), milliseconds_until(std::min(limit, after(beat_seconds))));
      for (int i = 0; i < speakers; i++) {
        if (polled[1 + i].revents) listen_to(i);
      }
      if (rank_ != 0 && seconds_since(heard_[0]) > silence)
        fail(name_of(0, peers_[0]) + " has not been heard of for " + span_of(silence));
      receive_strangers();
      if (polled[0].revents) accept_strangers();
    }
  }

  void accept_strangers() {
    while (Descriptor connection = accept_from(listener_)) {
      if (strangers_.size() >= most_strangers) strangers_.erase(strangers_.begin());
      std::string address = address_of(connection);
      strangers_.push_back({std::move(connection), std::move(address), after(handshake_seconds), {}});
    }
  }

  void receive_strangers() {
    for (Stranger& each : strangers_) {
      char* hello = reinterpret_cast<char*>(&each.hello);
      const ssize_t n = recv(each.connection.get(), hello + each.heard, sizeof each.hello - each.heard, 0);
      if (n > 0) each.heard += n;
      const bool is_foreign = std::memcmp(each.hello.magic, magic, std::min(each.heard, sizeof magic)) != 0;
      const bool is_gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
      if (each.heard == sizeof each.hello && !is_foreign) {
        receive(each);
      } else if (is_foreign || is_gone || Clock::now() >= each.limit) {
        each.connection.close();
      }
    }
    const auto is_over = [](const Stranger& each) { return !each.connection; };
    strangers_.erase(std::remove_if(strangers_.begin(), strangers_.end(), is_over), strangers_.end());
  }

  // Takes a stranger for a rank, or says why not.
  void receive(Stranger& stranger) {
    const Hello& hello = stranger.hello;
    const std::string refusal = why_not(hello);
    Answer answer{};
    std::memcpy(answer.magic, magic, sizeof magic);
    answer.is_welcome = refusal.empty();
    std::strncpy(answer.why, refusal.c_str(), sizeof answer.why - 1);
    const bool is_heard = send(stranger.connection.get(), &answer, sizeof answer, no_signal) == sizeof answer;
    if (!refusal.empty()) last_refusal_ = stranger.address + " was refused: " + refusal;
    if (refusal.empty() && is_heard) {
      Peer& peer = peers_[hello.from];
      if (hello.purpose == control) {
        peer.address = stranger.address;
        places_[hello.from].port = hello.port;
        heard_[hello.from] = Clock::now();
        // Who waits gets to know at once for whom.
        next_beat_ = Clock::now();
      }
      (hello.purpose == control ? peer.control : peer.data) = std::move(stranger.connection);
    }
    stranger.connection.close();
  }

  std::string why_not(const Hello& hello) {
    const auto text = [](int number) { return std::to_string(number); };
    if (hello.version != version) return "rank " + text(rank_) + " runs another version of mindts";
    const std::string token(hello.token, hello.token_length);
    if (token != invited_.token) return "it is of another job: their tokens differ";
    if (hello.size != size_) return "rank " + text(hello.from) + " is one of " + text(hello.size) + " ranks, rank " + text(rank_) + " one of " + text(size_);
    if (hello.to != rank_) return "this is rank " + text(rank_) + ", not rank " + text(hello.to);
    if (hello.from < 0 || hello.from >= size_) return "there is no rank " + text(hello.from) + " among " + text(size_);
    if (hello.from == rank_) return "rank " + text(rank_) + " is already there: two processes have the same rank";
    if (hello.from < rank_) return "rank " + text(hello.from) + " is called by rank " + text(rank_);
    const Peer& peer = peers_[hello.from];
    if (hello.purpose == control ? bool(peer.control) : bool(peer.data)) {
      return "rank " + text(hello.from) + " has already come, from " + peer.address + ": two processes have the same rank";
    }
    return "";
  }

  void listen_to(int i) {
    Peer& peer = peers_[i];
    // Its last words may be why it goes.
    const bool is_there = peer.inbox.fill(peer.control);
    Word word;
    std::string text;
    while (next_of(i, word, text)) {
      heard_[i] = Clock::now();
      if (word == Word::lost) fail(text);
      if (word == Word::waiting) host_misses_ = text;
      if (word == Word::table) read_table(text);
      if (word == Word::ready) is_ready_[i] = true;
      if (word == Word::go) {
        may_go_ = true;
        // What comes behind it is for whoever has the connection next.
        return;
      }
    }
    if (is_there) return;
    if (rank_ != 0 || has_table_) fail(name_of(i, peer) + " ended");
    // It may come again.
    peer = Peer();
  }

  bool next_of(int i, Word& word, std::string& text) {
    try {
      return peers_[i].inbox.next(word, text);
    } catch (const Lost& garbage) {
      fail(name_of(i, peers_[i]) + ": " + garbage.what());
    }
  }

  void read_table(const std::string& table) {
    size_t at = 0;
    for (int i = 1; i < size_; i++) {
      const size_t space = table.find(' ', at), end = table.find('\n', at);
      if (space == std::string::npos || end == std::string::npos) throw Lost("rank 0 sent a list of ranks that is cut off");
      places_[i] = {table.substr(at, space - at), std::atoi(table.c_str() + space)};
      if (places_[i].address.empty()) places_[i].address = peers_[0].address;
      at = end + 1;
    }
    places_[0] = {peers_[0].address, invited_.port};
    has_table_ = true;
  }

  void tell_all(Word word, const std::string& text = "") {
    for (const Peer& peer : peers_) {
      if (peer.control) say(peer.control, word, text);
    }
  }

  [[noreturn]] void fail(const std::string& why) {
    // Before all know one another a rank that gives up may yet be started again.
    if (rank_ == 0 || has_table_) tell_all(Word::lost, why);
    throw Lost(why);
  }

  bool has_come(int i) const { return peers_[i].control && (!invited_.wants_data || peers_[i].data); }

  bool is_complete() const {
    for (int i = 0; i < size_; i++) {
      if (i != rank_ && !has_come(i)) return false;
    }
    return true;
  }

  // Of rank 0: who has not come yet; of others: as rank 0 had it last.
  std::string missing() {
    if (rank_ != 0) return host_misses_;
    return names([&](int i) { return i != 0 && !peers_[i].control; });
  }

  std::string overdue() {
    return missing() + " did not come within " + span_of(invited_.seconds) + (last_refusal_.empty() ? "" : " (" + last_refusal_ + ")");
  }

  // "rank 2", "ranks 1, 3"
  std::string names(const std::function<bool(int)>& is_meant) {
    std::string text;
    int count = 0;
    for (int i = 0; i < size_; i++) {
      if (!is_meant(i)) continue;
      if (count++ < most_named) text += (text.empty() ? "" : ", ") + std::to_string(i);
    }
    if (count == 0) return "";
    if (count > most_named) text += " and " + std::to_string(count - most_named) + " more";
    return (count == 1 ? "rank " : "ranks ") + text;
  }

  const Invitation& invited_;
  const int rank_, size_;
  const Time limit_;
  const Descriptor listener_;
  std::vector<Peer> peers_;
  std::vector<Place> places_;
  std::vector<Time> heard_;
  std::vector<bool> is_ready_;
  std::vector<Stranger> strangers_;
  std::string host_misses_ = "other ranks", last_refusal_;
  Time next_beat_;
  bool has_table_ = false, may_go_ = false;
};

}  // namespace

std::string name_of(int rank, const Peer& peer) { return "rank " + std::to_string(rank) + " (" + peer.address + ")"; }

std::vector<Peer> meet(const Invitation& invitation, Descriptor listener) { return Meeting(invitation, std::move(listener)).run(); }

}  // namespace mindts
