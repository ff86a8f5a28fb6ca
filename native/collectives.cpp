#include "collectives.h"

#include <algorithm>
#include <cstring>

namespace mindts {
namespace {

// Numbers that are summed at a time: bounds what is held of other ranks' to 4 MiB. For a network's round trips it is long.
constexpr size_t piece = size_t{1} << 20;
// Up to here a second round trip costs more than sending every peer everything.
constexpr size_t few = 2048;

}  // namespace

Collectives::Collectives(int rank, int size, std::unique_ptr<Mesh> mesh)
    : Communicator(rank, size), mesh_(std::move(mesh)), theirs_(size), out_(size), in_(size) {}

void Collectives::all_reduce(float* values, size_t count, double seconds) {
  begin(Kind::all_reduce, count * sizeof(float), seconds);
  for (size_t at = 0; at < count || is_beginning_; at += piece) {
    const size_t n = std::min(piece, count - at);
    // Two ranks send each other the same number of bytes either way.
    if (size == 2 || n <= few) {
      reduce_whole(values + at, n);
    } else {
      reduce_in_slices(values + at, n);
    }
  }
}

void Collectives::all_gather(const void* mine, size_t bytes, void* all, double seconds) {
  begin(Kind::all_gather, bytes, seconds);
  char* places = static_cast<char*>(all);
  std::memcpy(places + rank * bytes, mine, bytes);
  for (int p = 0; p < size; p++) {
    out_[p].body = {places + rank * bytes, bytes};
    in_[p].body = {places + p * bytes, bytes};
  }
  trade();
}

void Collectives::broadcast(void* bytes, size_t count, double seconds) {
  begin(Kind::broadcast, count, seconds);
  const Span all{static_cast<char*>(bytes), count};
  for (int p = 0; p < size; p++) {
    out_[p].body = rank == 0 ? all : Span();
    in_[p].body = p == 0 ? all : Span();
  }
  trade();
}

void Collectives::begin(Kind kind, size_t bytes, double seconds) {
  mesh_->begin();
  seconds_ = std::min(seconds, 3e9);
  header_ = {header_.number + 1, kind, bytes};
  is_beginning_ = true;
}

// Exchanges the bodies that are set, with headers when the call has just begun.
void Collectives::trade() {
  const bool is_from_first = header_.kind == Kind::broadcast;
  for (int p = 0; p < size; p++) {
    const bool sends = is_beginning_ && (!is_from_first || rank == 0), receives = is_beginning_ && (!is_from_first || p == 0);
    out_[p].header = sends ? Span{reinterpret_cast<char*>(&header_), sizeof header_} : Span();
    in_[p].header = receives ? Span{reinterpret_cast<char*>(&theirs_[p]), sizeof header_} : Span();
  }
  out_[rank] = in_[rank] = {};
  is_beginning_ = false;
  exchange(out_, in_);
}

void Collectives::opened(int peer) {
  const Header& its = theirs_[peer];
  if (its.number == header_.number && its.kind == header_.kind && its.bytes == header_.bytes) return;
  mesh_->fail("rank " + std::to_string(std::min(rank, peer)) + " makes " + text_of(rank < peer ? header_ : its) + " where rank " +
              std::to_string(std::max(rank, peer)) + " makes " + text_of(rank < peer ? its : header_) +
              ": all ranks of a job must do the same in the same order");
}

std::string Collectives::text_of(const Header& header) {
  const char* kind = header.kind == Kind::all_reduce ? "a sum" : header.kind == Kind::all_gather ? "a gather" : "a broadcast";
  return kind + std::string(" of ") + std::to_string(header.bytes) + " bytes";
}

void Collectives::be_patient(Time since, int peer) {
  if (Clock::now() < patience_ends(since)) return;
  char text[32];
  std::snprintf(text, sizeof text, "%g s", seconds_);
  mesh_->fail(mesh_->name(peer) + " did not come within " + text);
}

// Everyone sends all it has to all, and sums all.
void Collectives::reduce_whole(float* values, size_t count) {
  slot_ = count;
  buffer_.resize(std::max(buffer_.size(), slot_ * size));
  for (int p = 0; p < size; p++) {
    out_[p].body = {reinterpret_cast<char*>(values), count * sizeof(float)};
    in_[p].body = {reinterpret_cast<char*>(received(p)), count * sizeof(float)};
  }
  trade();
  sum(values, count);
}

// Rank r sums slice r, and sends the sum to all.
void Collectives::reduce_in_slices(float* values, size_t count) {
  const auto begin = [&](int r) { return count * r / size; };
  const auto slice = [&](int r) { return Span{reinterpret_cast<char*>(values + begin(r)), (begin(r + 1) - begin(r)) * sizeof(float)}; };
  const Span mine = slice(rank);
  slot_ = count / size + 1;
  buffer_.resize(std::max(buffer_.size(), slot_ * size));
  for (int p = 0; p < size; p++) {
    out_[p].body = slice(p);
    in_[p].body = {reinterpret_cast<char*>(received(p)), mine.bytes};
  }
  trade();
  sum(values + begin(rank), mine.bytes / sizeof(float));
  for (int p = 0; p < size; p++) {
    out_[p].body = mine;
    in_[p].body = slice(p);
  }
  trade();
}

// mine += what was received, in the order of ranks: ((rank 0's + rank 1's) + rank 2's) …
void Collectives::sum(float* __restrict mine, size_t count) {
  float* sum = rank == 0 ? mine : received(0);
  for (int p = 1; p < size; p++) {
    if (p == rank) {
      for (size_t i = 0; i < count; i++) mine[i] = sum[i] + mine[i];
      sum = mine;
    } else {
      const float* __restrict its = received(p);
      for (size_t i = 0; i < count; i++) sum[i] += its[i];
    }
  }
}

}  // namespace mindts
