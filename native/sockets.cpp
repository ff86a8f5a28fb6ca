#include "sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>

#include "communicator.h"

namespace mindts {
namespace {

// Of one address: networks that drop what they do not let pass are left for the next one.
constexpr double connect_seconds = 5;
// How often a wait looks whether its process ends.
constexpr double glance_seconds = 0.5;

int open_socket(int family) {
#ifdef SOCK_CLOEXEC
  return socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
#else
  return socket(family, SOCK_STREAM, 0);
#endif
}

void prepare(int fd) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void prepare_connection(int fd) {
  prepare(fd);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef SO_NOSIGPIPE
  setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

std::string text_of(const sockaddr_storage& address, socklen_t length) {
  char text[NI_MAXHOST];
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) return "";
  const std::string all = text, mapped = "::ffff:";
  return all.compare(0, mapped.size(), mapped) == 0 ? all.substr(mapped.size()) : all;
}

// A port that nobody listens at can be the very one that the system gives to the connection: it then reaches itself.
bool reached_itself(int fd) {
  sockaddr_storage ours{}, theirs{};
  socklen_t our_length = sizeof ours, their_length = sizeof theirs;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&ours), &our_length) != 0) return false;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&theirs), &their_length) != 0) return false;
  return our_length == their_length && std::memcmp(&ours, &theirs, our_length) == 0;
}

Descriptor connect_to(const addrinfo& address, Time limit, std::string& why) {
  Descriptor connection(open_socket(address.ai_family));
  if (!connection) {
    why = std::strerror(errno);
    return {};
  }
  prepare_connection(connection.get());
  int error = connect(connection.get(), address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    socklen_t length = sizeof error;
    error = ETIMEDOUT;
    if (becomes_ready(connection, POLLOUT, std::min(limit, after(connect_seconds))))
      getsockopt(connection.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error == 0 && reached_itself(connection.get())) error = ECONNREFUSED;
  if (error == 0) return connection;
  why = std::strerror(error);
  return {};
}

}  // namespace

#ifdef MSG_NOSIGNAL
const int no_signal = MSG_NOSIGNAL;
#else
const int no_signal = 0;
#endif

Time after(double seconds) {
  // A century is for ever, and fits the clock.
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::min(seconds, 3e9)));
}

int milliseconds_until(Time time) {
  const double left = std::chrono::duration<double, std::milli>(time - Clock::now()).count();
  return static_cast<int>(std::min(std::max(std::ceil(left), 0.0), 1e9));
}

void Descriptor::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool becomes_ready(const Descriptor& descriptor, short events, Time limit) {
  pollfd polled{descriptor.get(), events, 0};
  for (;;) {
    const int count = poll(&polled, 1, milliseconds_until(std::min(limit, after(glance_seconds))));
    if (count > 0) return true;
    // A signal's handler may run on this thread.
    if ((count < 0 && errno != EINTR) || waits_end() || Clock::now() >= limit) return false;
  }
}

Descriptor listen_at(int port) {
  std::string why;
  // One for both families, where there are two.
  for (const int family : {AF_INET6, AF_INET}) {
    Descriptor listener(open_socket(family));
    if (!listener) {
      why = std::strerror(errno);
      continue;
    }
    prepare(listener.get());
    const int on = 1, off = 0;
    setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_storage place{};
    socklen_t length = sizeof(sockaddr_in);
    if (family == AF_INET6) {
      setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
      auto* all = reinterpret_cast<sockaddr_in6*>(&place);
      all->sin6_family = AF_INET6;
      all->sin6_port = htons(port);
      length = sizeof *all;
    } else {
      auto* all = reinterpret_cast<sockaddr_in*>(&place);
      all->sin_family = AF_INET;
      all->sin_port = htons(port);
    }
    if (bind(listener.get(), reinterpret_cast<sockaddr*>(&place), length) == 0 && listen(listener.get(), 1024) == 0) return listener;
    if (errno == EADDRINUSE)
      throw Lost("port " + std::to_string(port) + " of this machine, where rank 0 waits for the others, is in use: choose another");
    why = std::strerror(errno);
  }
  throw Lost("cannot listen at port " + std::to_string(port) + " of this machine: " + why);
}

int port_of(const Descriptor& listener) {
  sockaddr_storage place{};
  socklen_t length = sizeof place;
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&place), &length);
  return ntohs(place.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&place)->sin6_port
                                           : reinterpret_cast<sockaddr_in*>(&place)->sin_port);
}

Descriptor accept_from(const Descriptor& listener) {
#ifdef SOCK_CLOEXEC
  Descriptor connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
#else
  Descriptor connection(accept(listener.get(), nullptr, nullptr));
#endif
  if (connection) prepare_connection(connection.get());
  return connection;
}

Descriptor connect_to(const std::string& host, int port, Time limit, std::string& why) {
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_socktype = SOCK_STREAM;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
  if (error != 0) {
    why = gai_strerror(error);
    return {};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, freeaddrinfo);
  for (const addrinfo* each = all.get(); each; each = each->ai_next) {
    if (Descriptor connection = connect_to(*each, limit, why)) return connection;
  }
  return {};
}

std::string address_of(const Descriptor& connection) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getpeername(connection.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return "";
  return text_of(address, length);
}

std::vector<std::string> own_addresses() {
  std::vector<std::string> all;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) == 0) {
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, freeifaddrs);
    // IPv6 between two machines only where there is nothing else.
    for (const int family : {AF_INET, AF_INET6}) {
      for (const ifaddrs* each = list; each; each = each->ifa_next) {
        if (!each->ifa_addr || each->ifa_addr->sa_family != family || !(each->ifa_flags & IFF_UP)) continue;
        sockaddr_storage address{};
        const socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
        std::memcpy(&address, each->ifa_addr, length);
        const std::string text = text_of(address, length);
        // Link-local ones have a scope (%eth0) that is only good here.
        if (!text.empty() && !is_loopback(text) && text.find('%') == std::string::npos) all.push_back(text);
      }
    }
  }
  all.push_back("127.0.0.1");
  return all;
}

bool is_loopback(const std::string& address) { return address == "::1" || address.compare(0, 4, "127.") == 0; }

std::pair<Descriptor, Descriptor> open_pipe() {
  int ends[2];
#ifdef __linux__
  const int failed = pipe2(ends, O_CLOEXEC);
#else
  const int failed = pipe(ends);
#endif
  if (failed) throw Lost(std::string("cannot open a pipe: ") + std::strerror(errno));
  prepare(ends[0]);
  prepare(ends[1]);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

}  // namespace mindts
