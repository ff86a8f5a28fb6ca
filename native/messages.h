// Short messages between two ranks, beside the numbers they exchange: a word, and a text of its own kind.
#pragma once
#include <cstdint>
#include <string>

#include "sockets.h"

namespace mindts {

enum class Word : uint8_t {
  beat,     // the sender is alive
  waiting,  // rank 0, while ranks come: who has not
  table,    // rank 0: where each rank listens
  ready,    // to rank 0: the sender is connected with all
  go,       // rank 0: all are
  lost,     // who is lost, for people
  left,     // the sender leaves in order; how many calls it has made (8 bytes)
};

// Seconds without a sign of life after which a rank is taken for lost.
constexpr double silence = 8;
constexpr double beat_seconds = 1;

// False when the other side does not read.
bool say(const Descriptor&, Word, const std::string& text = "");

// What has come over one connection.
class Inbox {
 public:
  // Reads what is there. False: the other side has closed the connection.
  bool fill(const Descriptor&);
  // Takes the next message out. Throws Lost when what came is none.
  bool next(Word&, std::string& text);

 private:
  std::string bytes_;
};

}  // namespace mindts
