// What stands before the coded blocks of a JPEG: sizes, tables, and whether it is of the kind that jpeg.cpp decodes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mindts {
namespace {

constexpr int LOOKUP = 10;
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

}  // namespace
}  // namespace mindts
