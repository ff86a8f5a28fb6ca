#include "messages.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "communicator.h"

namespace mindts {
namespace {

// The longest is a table of addresses.
constexpr uint32_t longest = 1 << 22;
constexpr double stuck_seconds = 2;

}  // namespace

bool say(const Descriptor& to, Word word, const std::string& text) {
  const auto length = static_cast<uint32_t>(text.size());
  std::string message(reinterpret_cast<const char*>(&length), sizeof length);
  message += static_cast<char>(word);
  message += text;
  for (size_t sent = 0; sent < message.size();) {
    const ssize_t n = send(to.get(), message.data() + sent, message.size() - sent, no_signal);
    if (n > 0) {
      sent += n;
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    // Who has not made room for the beats before this is not waited for.
    if (sent == 0 || errno != EAGAIN) return false;
    if (!becomes_ready(to, POLLOUT, after(stuck_seconds))) return false;
  }
  return true;
}

bool Inbox::fill(const Descriptor& from) {
  for (;;) {
    char some[4096];
    const ssize_t n = recv(from.get(), some, sizeof some, 0);
    if (n > 0) {
      bytes_.append(some, n);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
      return false;
    } else if (errno != EINTR) {
      return true;
    }
  }
}

bool Inbox::next(Word& word, std::string& text) {
  uint32_t length;
  if (bytes_.size() < sizeof length + 1) return false;
  std::memcpy(&length, bytes_.data(), sizeof length);
  word = static_cast<Word>(bytes_[sizeof length]);
  if (length > longest || word > Word::left) throw Lost("it sent what no rank sends");
  if (bytes_.size() < sizeof length + 1 + length) return false;
  text = bytes_.substr(sizeof length + 1, length);
  bytes_.erase(0, sizeof length + 1 + length);
  return true;
}

}  // namespace mindts
