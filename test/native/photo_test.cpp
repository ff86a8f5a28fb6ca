// photo_test COUNT SEED FILE…: looks at photos, and at damaged copies of them, through the C ABI; for sanitizers to watch.
// Prints how many of the views were made, and a hash of their pixels.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "../../native/mindts.h"

using Bytes = std::vector<uint8_t>;

static Bytes damaged(const Bytes& whole, std::mt19937& random) {
  auto below = [&](size_t n) { return size_t(random() % n); };
  Bytes bytes = whole;
  if (random() % 4 == 0) bytes.resize(below(bytes.size()) + 1);
  for (size_t changes = random() % 6; changes > 0; changes--) {
    // Headers are short and hold what matters.
    const size_t at = below(random() % 2 == 0 ? bytes.size() : std::min<size_t>(bytes.size(), 700));
    bytes[at] = random() % 3 == 0 ? 0xFF : uint8_t(random());
  }
  return bytes;
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const int count = std::atoi(argv[1]);
  std::mt19937 random(unsigned(std::atoi(argv[2])));
  int made = 0;
  uint32_t hash = 2166136261u;  // FNV-1a
  for (int file = 3; file < argc; file++) {
    std::ifstream in(argv[file], std::ios::binary);
    const Bytes whole{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    for (int i = 0; i < count; i++) {
      const Bytes changed = i == 0 ? whole : damaged(whole, random);
      // As large as its bytes, so that one beyond them is seen.
      const Bytes bytes(changed.begin(), changed.end());
      int32_t size[2];
      if (!mindts_photo_size(bytes.data(), int32_t(bytes.size()), size)) continue;
      auto part = [&](int all) { return int32_t(random() % unsigned(all)); };
      const int32_t left = part(size[0]), top = part(size[1]);
      const int32_t width = part(size[0] - left) + 1, height = part(size[1] - top) + 1;
      const int32_t across = part(300) + 1, down = part(300) + 1;
      const int32_t from = part(across), above = part(down);
      const int32_t keep_width = part(across - from) + 1, keep_height = part(down - above) + 1;
      int32_t view[] = {left, top, width, height, across, down, from, above, keep_width, keep_height, int32_t(random() % 2)};
      // Now and then one that does not fit.
      if (random() % 16 == 0) view[random() % 10] = int32_t(random());
      if (int64_t(view[8]) * view[9] > 1 << 20 || view[8] < 0 || view[9] < 0) continue;
      Bytes out(size_t(view[8]) * size_t(view[9]) * 3);
      if (!mindts_photo_view(bytes.data(), int32_t(bytes.size()), view, out.data())) continue;
      made++;
      for (const uint8_t byte : out) hash = (hash ^ byte) * 16777619u;
    }
  }
  std::printf("%d %08x\n", made, hash);
}
