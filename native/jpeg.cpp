// JPEG as cameras and the web have it: baseline, Huffman-coded, 8 bits, grey or YCbCr, in one scan, whole (ITU-T T.81).
// Whatever else there is, and whatever is damaged, is refused: then sharp decodes it, or says what is wrong. What is
// decoded is, bit for bit, what libjpeg makes of it with its default settings.
//
// Of the blocks outside of what is looked at the bits are read, since the position of a block is known in no other way,
// but no pixel is made; below it markers alone are looked for.
#include <algorithm>
#include <cstring>

#include "jpeg.h"
#include "photo.h"

namespace mindts {
namespace {

constexpr uint8_t ZIGZAG[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
                                41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
                                30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};
// A block has at most 64 codes of up to 31 bits with what follows them.
constexpr int PADDING = 512;

// The coded blocks without the zeros stuffed behind bytes of 255, and where each stretch between restarts begins.
struct Coded {
  std::unique_ptr<uint8_t[]> bytes;
  std::vector<size_t> starts;
  size_t size = 0;
};

// False where they do not end with the image's end.
bool unstuff(const uint8_t* bytes, size_t size, Coded& coded) {
  coded.bytes.reset(new uint8_t[size + PADDING]);
  coded.starts.push_back(0);
  size_t at = 0;
  for (;;) {
    const void* found = size > at ? std::memchr(bytes + at, 0xFF, size - at - 1) : nullptr;
    if (found == nullptr) return false;
    const size_t count = size_t(static_cast<const uint8_t*>(found) - bytes) - at;
    std::memcpy(coded.bytes.get() + coded.size, bytes + at, count);
    coded.size += count;
    const uint8_t marker = bytes[at + count + 1];
    at += count + 2;
    if (marker == 0) {
      coded.bytes[coded.size++] = 0xFF;
    } else if (marker >= 0xD0 && marker <= 0xD7) {
      if (marker - 0xD0 != int((coded.starts.size() - 1) % 8)) return false;
      coded.starts.push_back(coded.size);
    } else if (marker == 0xD9) {
      std::memset(coded.bytes.get() + coded.size, 0, PADDING);
      return true;
    } else {
      return false;
    }
  }
}

// The most significant of `buffer`'s bits come next. Reads up to 8 bytes behind its end.
struct Bits {
  const uint8_t* next;
  uint64_t buffer = 0;
  int count = 0;
  void refill() {
    uint64_t more;
    std::memcpy(&more, next, 8);
    buffer |= __builtin_bswap64(more) >> count;
    next += (63 - count) >> 3;
    count |= 56;
  }
  int peek(int bits) const { return int(buffer >> (64 - bits)); }
  void skip(int bits) {
    buffer <<= bits;
    count -= bits;
  }
  int take(int bits) {
    const int value = peek(bits);
    skip(bits);
    return value;
  }
  const uint8_t* position() const { return next - count / 8; }
};

// The symbol of a code that is longer than LOOKUP; −1 where there is no such code.
int long_symbol(const Huffman& table, Bits& in) {
  const int code = in.peek(16);
  int length = LOOKUP + 1;
  while (code >= table.limit[length]) length++;
  if (length > 16) return -1;
  in.skip(length);
  return table.symbols[(code >> (16 - length)) + table.offset[length]];
}

// A block's coefficients, dequantised, into zeros; without KEEP its bits are passed over. False where they are none.
template <bool KEEP>
bool read_block(Bits& in, const Huffman& dc, const Huffman& ac, int& last_dc, const uint16_t* quantization, int16_t* into) {
  auto put = [&](int at, int value) {
    const int product = value * quantization[at];
    into[ZIGZAG[at]] = int16_t(product < -32768 ? -32768 : product > 32767 ? 32767 : product);
  };
  in.refill();
  Entry entry = dc.entries[in.peek(LOOKUP)];
  int difference = entry.value;
  if (entry.bits != 0) {
    in.skip(entry.bits);
  } else {
    const int symbol = long_symbol(dc, in);
    if (symbol < 0) return false;
    entry.symbol = uint8_t(symbol);
  }
  if (difference == 0 && entry.symbol != 0) difference = extended(in.take(entry.symbol), entry.symbol);
  last_dc += difference;
  // No sample of 8 bits has a larger one.
  if (last_dc < -32768 || last_dc > 32767) return false;
  if (KEEP) put(0, last_dc);
  for (int at = 1; at < 64; at++) {
    in.refill();
    entry = ac.entries[in.peek(LOOKUP)];
    if (entry.value != 0) {
      in.skip(entry.bits);
      at += entry.symbol >> 4;
      if (at > 63) return false;
      if (KEEP) put(at, entry.value);
      continue;
    }
    int symbol = entry.symbol;
    if (entry.bits != 0) in.skip(entry.bits);
    else if ((symbol = long_symbol(ac, in)) < 0) return false;
    const int size = symbol & 15;
    at += symbol >> 4;
    if (size == 0) {
      if (symbol == 0) return true;
      if (symbol != 0xF0) return false;
      continue;
    }
    if (at > 63) return false;
    const int bits = in.take(size);
    if (KEEP) put(at, extended(bits, size));
  }
  return true;
}

int ceil_div(int a, int b) { return (a + b - 1) / b; }

}  // namespace

bool photo_size(const uint8_t* bytes, size_t size, int32_t* width, int32_t* height) {
  auto header = std::make_unique<Header>();
  if (!read_header(bytes, size, *header)) return false;
  *width = header->width;
  *height = header->height;
  return true;
}

bool decode_photo(const uint8_t* bytes, size_t size, const Box& from, const PixelKernels& kernels, Photo& photo) {
  auto parsed = std::make_unique<Header>();
  Header& header = *parsed;
  Coded coded;
  if (!read_header(bytes, size, header) || !unstuff(bytes + header.scan, size - header.scan, coded)) return false;
  const int across = header.component[0].across, down = header.component[0].down;
  const int columns = ceil_div(header.width, 8 * across), rows = ceil_div(header.height, 8 * down);
  const int64_t units = int64_t(columns) * rows;
  const int64_t stretch = header.restart == 0 ? units : header.restart;
  if (int64_t(coded.starts.size()) != (units + stretch - 1) / stretch) return false;

  // A colour with half the samples is smoothed with its neighbours: one sample more on each side.
  auto first = [](int at, int step) { return at < step ? 0 : (at - step) / (8 * step); };
  auto last = [](int at, int step, int count) { return std::min((at - 1 + step) / (8 * step), count - 1); };
  const int left = first(from.left, across), right = last(from.left + from.width, across, columns);
  const int top = first(from.top, down), bottom = last(from.top + from.height, down, rows);
  photo.planes = header.components;
  photo.across = across;
  photo.down = down;
  for (int i = 0; i < header.components; i++) {
    const int h = header.component[i].across, v = header.component[i].down;
    Plane& plane = photo.plane[i];
    plane.width = ceil_div(header.width * h, across);
    plane.height = ceil_div(header.height * v, down);
    plane.left = 8 * h * left;
    plane.top = 8 * v * top;
    plane.stride = 8 * h * (right - left + 1);
    plane.bytes.reset(new uint8_t[size_t(plane.stride) * size_t(8 * v * (bottom - top + 1))]);
  }

  Bits in{coded.bytes.get()};
  int last_dc[3] = {};
  int64_t until_restart = stretch;
  size_t start = 0;
  const uint8_t* const end = coded.bytes.get() + coded.size;
  for (int y = 0; y <= bottom; y++) {
    for (int x = 0; x < columns; x++) {
      if (until_restart-- == 0) {
        if (in.position() > coded.bytes.get() + coded.starts[start + 1]) return false;
        in = {coded.bytes.get() + coded.starts[++start]};
        std::memset(last_dc, 0, sizeof last_dc);
        until_restart = stretch - 1;
      }
      const bool seen = y >= top && x >= left && x <= right;
      for (int i = 0; i < header.components; i++) {
        const Component& component = header.component[i];
        const Huffman &dc = header.dc[component.dc_table], &ac = header.ac[component.ac_table];
        const uint16_t* quantization = header.quantization[component.quantization];
        Plane& plane = photo.plane[i];
        for (int v = 0; v < component.down; v++) {
          for (int h = 0; h < component.across; h++) {
            if (!seen) {
              if (!read_block<false>(in, dc, ac, last_dc[i], quantization, nullptr)) return false;
            } else {
              alignas(64) int16_t coefficients[64] = {};
              if (!read_block<true>(in, dc, ac, last_dc[i], quantization, coefficients)) return false;
              const int row = 8 * ((y - top) * component.down + v), column = 8 * ((x - left) * component.across + h);
              kernels.inverse_dct(coefficients, plane.bytes.get() + ptrdiff_t(row) * plane.stride + column, plane.stride);
            }
            if (in.position() > end) return false;
          }
        }
      }
    }
  }
  return true;
}

}  // namespace mindts
