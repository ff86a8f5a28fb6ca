// From the bytes of a JPEG to the pixels of a part of it, resized: what sdk/dataset/native-photo.ts calls.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace mindts {

// One colour of the part of an image that is decoded: whole blocks around what is looked at.
struct Plane {
  int width, height;                 // of the whole image in this colour's samples
  int left, top, stride;             // where the decoded part starts, and its rows' length
  std::unique_ptr<uint8_t[]> bytes;
  // Row y of the image; columns count from the image's left edge.
  const uint8_t* row(int y) const { return bytes.get() + ptrdiff_t(y - top) * stride - left; }
};

struct Box {
  int left, top, width, height;
};

// What is decoded of a JPEG: one plane (grey) or three (Y, Cb, Cr), the latter two with half the columns or rows if
// across or down is 2.
struct Photo {
  int planes, across, down;
  Plane plane[3];
};

// What becomes of an image: `from` is cut out, resized, and of that `keep` is kept.
struct View {
  Box from;
  int resize_width, resize_height;
  Box keep;
  int flip;
};

// Which inputs an output of a resize is made of: `taps` weights of 2⁻²² each, from `first` on.
struct Taps {
  int taps;                    // per output
  std::vector<int32_t> first;  // per output
  std::vector<int32_t> weights;
};
constexpr int WEIGHT_BITS = 22;

// The width and height of a JPEG. False where it is not one that decode_photo takes.
bool photo_size(const uint8_t* bytes, size_t size, int32_t* width, int32_t* height);

// The pixel kernels of one instruction set. All of them compute the same, to the last bit.
struct PixelKernels {
  const char* name;
  int (*supported)();
  // An 8 × 8 block of dequantised coefficients to samples.
  void (*inverse_dct)(const int16_t* coefficients, uint8_t* out, ptrdiff_t stride);
  // A view of a decoded part: keep.height rows of keep.width pixels of three bytes.
  void (*view)(const Photo&, const View&, const Taps& across, const Taps& down, uint8_t* out);
};

// Decodes what lies in `from` and a margin. False where the JPEG is damaged, or not one of the usual kind.
bool decode_photo(const uint8_t* bytes, size_t size, const Box& from, const PixelKernels&, Photo& photo);

}  // namespace mindts
