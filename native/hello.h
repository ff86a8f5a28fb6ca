// What two ranks say to each other first, when one connects with the other.
#pragma once
#include <cstdint>
#include <string>

#include "sockets.h"

namespace mindts {

constexpr uint16_t version = 1;
constexpr char magic[4] = {'m', 'd', 't', 's'};

enum Purpose : uint8_t { control, data };

// What who connects says first.
struct Hello {
  char magic[4];
  uint16_t version;
  uint8_t purpose;
  uint8_t token_length;
  int32_t from, to, size;
  // Where it listens itself.
  int32_t port;
  char token[256];
};

// What it hears.
struct Answer {
  char magic[4];
  uint8_t is_welcome;
  char why[251];
};

enum class Reply { welcome, refused, foreign, none };

// Says hello and hears the answer; why: what it was refused for, or what went wrong.
Reply introduce(const Descriptor& connection, const Hello&, Time limit, std::string& why);

}  // namespace mindts
