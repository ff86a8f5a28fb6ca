#include "hello.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mindts {

Reply introduce(const Descriptor& connection, const Hello& hello, Time limit, std::string& why) {
  why = "it does not answer";
  // A connection just made has room for so little.
  if (send(connection.get(), &hello, sizeof hello, no_signal) != sizeof hello) return Reply::none;
  Answer answer;
  for (size_t heard = 0; heard < sizeof answer;) {
    if (!becomes_ready(connection, POLLIN, limit)) return Reply::none;
    const ssize_t n = recv(connection.get(), reinterpret_cast<char*>(&answer) + heard, sizeof answer - heard, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return heard > 0 && heard < sizeof magic ? Reply::foreign : Reply::none;
    heard += n;
    if (std::memcmp(answer.magic, magic, std::min(heard, sizeof magic)) != 0) return Reply::foreign;
  }
  if (answer.is_welcome) return Reply::welcome;
  answer.why[sizeof answer.why - 1] = 0;
  why = answer.why;
  return Reply::refused;
}

}  // namespace mindts
