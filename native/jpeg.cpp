// JPEG as cameras and the web have it: baseline, Huffman-coded, 8 bits, grey or YCbCr, in one scan, whole (ITU-T T.81).
// Whatever else there is, and whatever is damaged, is refused: then sharp decodes it, or says what is wrong. What is
// decoded is, bit for bit, what libjpeg makes of it with its default settings.
//
// Of the blocks outside of what is looked at the bits are read, since the position of a block is known in no other way,
// but no pixel is made, and below it nothing is read at all.
#include <algorithm>
#include <cstring>

#include "photo.h"

namespace mindts {
namespace {

constexpr uint8_t ZIGZAG[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
                                41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
                                30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};
constexpr int LOOKUP = 10;
// A block has at most 64 codes of up to 31 bits with what follows them.
constexpr int PADDING = 512;
// More is for sharp to refuse.
constexpr int64_t MOST_PIXELS = 100'000'000;

struct Reader {
  const uint8_t* bytes;
  size_t size, at = 0;
  bool has(size_t count) const { return size - at >= count; }
  int byte() { return bytes[at++]; }
  int word() {
    at += 2;
    return bytes[at - 2] << 8 | bytes[at - 1];
  }
};

// What the next LOOKUP bits begin with.
struct Entry {
  int16_t value;   // of the coefficient, if all its bits are among them, else 0
  uint8_t bits;    // taken: with the value's, or the code's alone; 0: the code is longer than LOOKUP
  uint8_t symbol;  // run << 4 | size
};

struct Huffman {
  bool present = false;
  Entry entries[1 << LOOKUP];
  // Codes by length (T.81, F.2.2.3): the largest of each, shifted to 16 bits, and what to add to one for its symbol.
  int32_t limit[18], offset[17];
  uint8_t symbols[256];
};

struct Component {
  int id, across, down, quantization;
  int dc_table, ac_table;
};

struct Header {
  int width = 0, height = 0, components = 0, restart = 0;
  bool usable_colours = true;
  Component component[3];
  bool has_quantization[4] = {};
  uint16_t quantization[4][64];  // in the order of the file
  Huffman dc[4], ac[4];
  size_t scan = 0;  // where the coded blocks begin
};

int extended(int bits, int size) { return bits < 1 << (size - 1) ? bits - (1 << size) + 1 : bits; }

bool read_huffman(Reader& in, size_t end, Header& header) {
  while (in.at < end) {
    if (end - in.at < 17) return false;
    const int kind = in.byte();
    if ((kind >> 4) > 1 || (kind & 15) > 3) return false;
    Huffman& table = (kind >> 4 ? header.ac : header.dc)[kind & 15];
    int counts[17], total = 0;
    for (int length = 1; length <= 16; length++) total += counts[length] = in.byte();
    if (total > 256 || end - in.at < size_t(total)) return false;
    for (int i = 0; i < total; i++) table.symbols[i] = uint8_t(in.byte());
    std::memset(table.entries, 0, sizeof table.entries);
    int code = 0, next = 0;
    for (int length = 1; length <= 16; length++, code <<= 1) {
      table.offset[length] = next - code;
      for (int i = 0; i < counts[length]; i++, code++, next++) {
        if (code >= 1 << length) return false;
        const uint8_t symbol = table.symbols[next];
        // A DC symbol is the number of bits alone; the largest difference of 8-bit samples has 11.
        if (kind >> 4 == 0 && symbol > 11) return false;
        if (length > LOOKUP) continue;
        const int free = LOOKUP - length;
        for (int rest = 0; rest < 1 << free; rest++) {
          Entry& entry = table.entries[code << free | rest];
          const int size = symbol & 15;
          entry = {0, uint8_t(length), symbol};
          if (size == 0 || size > free) continue;
          entry.value = int16_t(extended(rest >> (free - size), size));
          entry.bits = uint8_t(length + size);
        }
      }
      table.limit[length] = code << (16 - length);
    }
    table.limit[17] = 1 << 30;
    table.present = true;
  }
  return in.at == end;
}

bool read_quantization(Reader& in, size_t end, Header& header) {
  while (in.at < end) {
    const int kind = in.byte();
    const int wide = kind >> 4, table = kind & 15;
    if (wide > 1 || table > 3 || end - in.at < size_t(64 << wide)) return false;
    for (uint16_t& value : header.quantization[table]) value = uint16_t(wide ? in.word() : in.byte());
    header.has_quantization[table] = true;
  }
  return in.at == end;
}

bool read_frame(Reader& in, size_t end, Header& header) {
  if (header.components != 0 || end - in.at < 6) return false;
  if (in.byte() != 8) return false;
  header.height = in.word();
  header.width = in.word();
  header.components = in.byte();
  const int count = header.components;
  if ((count != 1 && count != 3) || end - in.at != size_t(3 * count)) return false;
  for (int i = 0; i < count; i++) {
    Component& component = header.component[i];
    component.id = in.byte();
    const int sampling = in.byte();
    component.across = sampling >> 4;
    component.down = sampling & 15;
    component.quantization = in.byte();
    if (component.quantization > 3) return false;
  }
  Component* c = header.component;
  // A single component's blocks are not interleaved, whatever its sampling.
  if (count == 1) c[0].across = c[0].down = 1;
  const bool halves = (c[0].across == 1 && c[0].down == 1) || (c[0].across == 2 && (c[0].down == 1 || c[0].down == 2));
  for (int i = 1; i < count; i++) {
    if (c[i].across != 1 || c[i].down != 1) return false;
  }
  if (count == 3 && c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B') header.usable_colours = false;
  // libjpeg resizes the colours of a narrower image in another way.
  return halves && header.width >= 16 && header.height >= 1 && int64_t(header.width) * header.height <= MOST_PIXELS;
}

bool read_scan(Reader& in, size_t end, Header& header) {
  const int count = header.components;
  if (count == 0 || end - in.at != size_t(4 + 2 * count) || in.byte() != count) return false;
  for (int i = 0; i < count; i++) {
    Component& component = header.component[i];
    if (in.byte() != component.id) return false;
    const int tables = in.byte();
    component.dc_table = tables >> 4;
    component.ac_table = tables & 15;
    if (component.dc_table > 3 || component.ac_table > 3) return false;
    if (!header.dc[component.dc_table].present || !header.ac[component.ac_table].present) return false;
    if (!header.has_quantization[component.quantization]) return false;
  }
  return in.byte() == 0 && in.byte() == 63 && in.byte() == 0;
}

// Whether an EXIF segment leaves the image as it is: no orientation, or the first one.
bool is_upright(const uint8_t* bytes, size_t size) {
  if (size < 14 || std::memcmp(bytes, "Exif\0\0", 6) != 0) return true;
  const uint8_t* tiff = bytes + 6;
  const size_t length = size - 6;
  const bool little = tiff[0] == 'I';
  auto word = [&](size_t at) { return little ? tiff[at] | tiff[at + 1] << 8 : tiff[at] << 8 | tiff[at + 1]; };
  auto offset = [&](size_t at) {
    return little ? size_t(word(at)) | size_t(word(at + 2)) << 16 : size_t(word(at)) << 16 | size_t(word(at + 2));
  };
  const size_t directory = offset(4);
  if (directory > length - 2) return false;
  const size_t entries = size_t(word(directory));
  for (size_t i = 0; i < entries; i++) {
    const size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > length) return false;
    if (word(entry) == 0x0112) return word(entry + 8) == 1;
  }
  return true;
}

// Reads up to the coded blocks.
bool read_header(const uint8_t* bytes, size_t size, Header& header) {
  Reader in{bytes, size};
  if (!in.has(2) || in.word() != 0xFFD8) return false;
  for (;;) {
    if (!in.has(4) || in.byte() != 0xFF) return false;
    const int marker = in.byte();
    const int length = in.word();
    if (length < 2 || !in.has(size_t(length - 2))) return false;
    const size_t end = in.at + size_t(length - 2);
    const uint8_t* segment = bytes + in.at;
    bool right = true;
    switch (marker) {
      case 0xC0: case 0xC1: right = read_frame(in, end, header); break;
      case 0xC4: right = read_huffman(in, end, header); break;
      case 0xDB: right = read_quantization(in, end, header); break;
      case 0xDD:
        right = length == 4;
        if (right) header.restart = in.word();
        break;
      case 0xDA:
        header.scan = end;
        return read_scan(in, end, header) && header.usable_colours;
      case 0xE1: right = is_upright(segment, size_t(length - 2)); break;
      case 0xEE:
        // Adobe's: the last byte says whether colours are YCbCr.
        right = length < 14 || std::memcmp(segment, "Adobe", 5) != 0 || header.components == 1 || segment[11] == 1;
        break;
      default: right = marker == 0xFE || (marker >= 0xE0 && marker <= 0xEF);
    }
    if (!right) return false;
    in.at = end;
  }
}

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
