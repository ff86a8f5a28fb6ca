// What ranks need of TCP: descriptors that close themselves, a listener, a connection made within a time.
#pragma once
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace mindts {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

inline double seconds_since(Time begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }
Time after(double seconds);
// For poll: rounded up, so that the time has come when it returns.
int milliseconds_until(Time);

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

// All descriptors are non-blocking and not handed on to child processes.

// On all addresses of this machine; port 0: one that is free. Throws Lost.
Descriptor listen_at(int port);
int port_of(const Descriptor& listener);
// The next connection that has come; none when there is none.
Descriptor accept_from(const Descriptor& listener);
// Nothing, and why, when there is no connection by then.
Descriptor connect_to(const std::string& host, int port, Time limit, std::string& why);
// Waits for POLLIN or POLLOUT; false when the time is over.
bool becomes_ready(const Descriptor&, short events, Time limit);
// "10.0.0.3"
std::string address_of(const Descriptor& connection);
// Of this machine, by which others may reach it: those of its networks first, at last its own loopback.
std::vector<std::string> own_addresses();
bool is_loopback(const std::string& address);
// The end to read from, and the end to write to.
std::pair<Descriptor, Descriptor> open_pipe();

// MSG_NOSIGNAL where the system has it; elsewhere the socket is told.
extern const int no_signal;

}  // namespace mindts
