// Ranks that exchange numbers over TCP, each with each. The calling thread serves all its peers at once.
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "collectives.h"

namespace mindts {
namespace {

// To sleep and to be woken takes longer than what most peers need.
constexpr double spin_seconds = 50e-6;

// Takes bytes that are done off a flow.
void advance(Flow& flow, size_t bytes) {
  for (Span* part : {&flow.header, &flow.body}) {
    const size_t n = std::min(bytes, part->bytes);
    part->at += n;
    part->bytes -= n;
    bytes -= n;
  }
}

bool is_done(const Flow& flow) { return flow.header.bytes + flow.body.bytes == 0; }

bool must_wait() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

class Network : public Collectives {
 public:
  Network(int rank, int size, std::unique_ptr<Mesh> mesh) : Collectives(rank, size, std::move(mesh)), polled_(size + 1) {}

 private:
  void exchange(std::vector<Flow>& out, std::vector<Flow>& in) override {
    for (Time last = Clock::now();;) {
      bool is_moving = false;
      int awaited = -1;
      for (int i = 1; i < size; i++) {
        // Not all begin with the same one.
        const int p = (rank + i) % size;
        if (!is_done(out[p])) is_moving |= send_to(p, out[p]);
        if (!is_done(in[p])) is_moving |= receive_from(p, in[p]);
        if (!is_done(in[p]) || (awaited < 0 && !is_done(out[p]))) awaited = p;
      }
      if (awaited < 0) return;
      mesh_->check();
      if (is_moving) {
        last = Clock::now();
      } else if (seconds_since(last) > spin_seconds) {
        wait(out, in, patience_ends(last));
        be_patient(last, awaited);
      }
    }
  }

  bool send_to(int p, Flow& flow) {
    iovec parts[2] = {{flow.header.at, flow.header.bytes}, {flow.body.at, flow.body.bytes}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t n = sendmsg(mesh_->data(p).get(), &message, no_signal);
    if (n < 0 && !must_wait()) mesh_->fail_broken(p);
    if (n > 0) advance(flow, n);
    return n > 0;
  }

  bool receive_from(int p, Flow& flow) {
    iovec parts[2] = {{flow.header.at, flow.header.bytes}, {flow.body.at, flow.body.bytes}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t n = recvmsg(mesh_->data(p).get(), &message, 0);
    if (n == 0 || (n < 0 && !must_wait())) mesh_->fail_broken(p);
    if (n < 0) return false;
    const bool had_header = flow.header.bytes == 0;
    advance(flow, n);
    if (!had_header && flow.header.bytes == 0) opened(p);
    return true;
  }

  void wait(const std::vector<Flow>& out, const std::vector<Flow>& in, Time limit) {
    for (int p = 0; p < size; p++) {
      const int events = (is_done(out[p]) ? 0 : POLLOUT) | (is_done(in[p]) ? 0 : POLLIN);
      // A peer with which all is done may leave.
      polled_[p] = {events ? mesh_->data(p).get() : -1, static_cast<short>(events), 0};
    }
    polled_[size] = {mesh_->alarm().get(), POLLIN, 0};
    poll(polled_.data(), polled_.size(), milliseconds_until(limit));
  }

  std::vector<pollfd> polled_;
};

}  // namespace

Communicator* join_network(const char* host, int port, const char* token, int rank, int size, double seconds) {
  Descriptor listener = listen_at(rank == 0 ? port : 0);
  auto peers = meet({{host}, port, token, rank, size, seconds, true}, std::move(listener));
  return new Network(rank, size, std::make_unique<Mesh>(rank, std::move(peers)));
}

}  // namespace mindts
