// How the ranks of a job come to be connected, each with each: rank 0 listens at a place that all know, the others call there, get
// to know from it where all others listen, and connect with those of lower rank.
#pragma once
#include <string>
#include <vector>

#include "messages.h"

namespace mindts {

struct Peer {
  // For heartbeats and last words.
  Descriptor control;
  // For numbers; only where wanted.
  Descriptor data;
  // As this rank sees it.
  std::string address;
  // What has come over control and is not read yet.
  Inbox inbox;
};

struct Invitation {
  // Rank 0's machine, by any of its names or addresses.
  std::vector<std::string> hosts;
  int port;
  // What proves that a rank is of this job; 255 bytes at most.
  std::string token;
  int rank, size;
  // How long to wait for the last rank.
  double seconds;
  bool wants_data;
};

// "rank 2 (10.0.0.3)"
std::string name_of(int rank, const Peer&);

// All ranks, this one left empty. listener: of rank 0 at that port; of others at any. Throws Lost, on all ranks alike.
std::vector<Peer> meet(const Invitation&, Descriptor listener);

}  // namespace mindts
