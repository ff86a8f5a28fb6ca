// Trains, evaluates and predicts through the C ABI, where there is no Node: under an emulator, under a sanitizer.
//
//   kernels_test                                   prints the instruction sets this machine can run
//   kernels_test SET THREADS CASES RESULTS         runs the cases of one file, writes what came out to another
//
// test/native/cases.ts writes the cases and judges the results. A file is a list of arrays, each its size in bytes
// (uint32) and those bytes: nine per case, six per result.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "../../native/mindts.h"

static void fail(const char* what, const char* why) {
  std::fprintf(stderr, "kernels_test: %s: %s\n", what, why);
  std::exit(1);
}

// False at the end of the file. An empty array has an address too: memcpy wants one, even for no bytes.
template <class T>
static bool read(FILE* file, std::vector<T>& array) {
  uint32_t bytes;
  if (std::fread(&bytes, sizeof bytes, 1, file) != 1) return false;
  array.reserve(1);
  array.assign(bytes / sizeof(T), T{});
  if (bytes > 0 && std::fread(array.data(), 1, bytes, file) != bytes) fail("cases", "the file ends inside an array");
  return true;
}

template <class T>
static void write(FILE* file, const std::vector<T>& array) {
  const uint32_t bytes = array.size() * sizeof(T);
  std::fwrite(&bytes, sizeof bytes, 1, file);
  std::fwrite(array.data(), 1, bytes, file);
}

struct Case {
  std::vector<int32_t> shape, value_sizes, ops, labels, order;
  std::vector<float> numbers, state, rate;
  std::vector<uint8_t> images;
};

static bool read_case(FILE* file, Case& c) {
  return read(file, c.shape) && read(file, c.value_sizes) && read(file, c.ops) && read(file, c.numbers) &&
         read(file, c.images) && read(file, c.labels) && read(file, c.order) && read(file, c.state) && read(file, c.rate);
}

static void run(const char* set, int threads, Case& c, FILE* results) {
  const int batch = c.shape[9], outputs = c.shape[11], stored = c.labels.size(), count = c.order.size();
  c.shape[10] = threads;
  mindts_program* p =
      mindts_program_create(set, c.shape.data(), c.value_sizes.data(), c.ops.data(), c.numbers.data());
  if (!p) fail(set, mindts_error(nullptr));
  mindts_set_state(p, c.state.data(), 0);

  std::vector<float> losses((count + batch - 1) / batch), rates(losses.size(), c.rate[0]), state(c.state), predictions((size_t)count * outputs);
  state.reserve(1);
  std::vector<int32_t> ended(3), step(1);
  std::vector<double> evaluated(2);
  if (!mindts_train(p, c.images.data(), c.labels.data(), stored, c.order.data(), count, rates.data(), nullptr, 0, nullptr,
                    nullptr, 0, losses.data(), ended.data()) ||
      !mindts_evaluate(p, c.images.data(), c.labels.data(), stored, c.order.data(), count, evaluated.data()) ||
      !mindts_predict(p, c.images.data(), stored, c.order.data(), count, predictions.data()))
    fail(set, mindts_error(p));
  step[0] = (int32_t)mindts_get_state(p, state.data());
  mindts_program_destroy(p);

  write(results, losses);
  write(results, ended);
  write(results, state);
  write(results, step);
  write(results, evaluated);
  write(results, predictions);
}

int main(int argc, char** argv) {
  if (argc == 1) return std::puts(mindts_instruction_sets()) < 0;
  if (argc != 5) fail("arguments", "SET THREADS CASES RESULTS are needed, or none");
  FILE *cases = std::fopen(argv[3], "rb"), *results = std::fopen(argv[4], "wb");
  if (!cases) fail(argv[3], "cannot be read");
  if (!results) fail(argv[4], "cannot be written");
  Case c;
  while (read_case(cases, c)) run(argv[1], std::atoi(argv[2]), c, results);
  std::fclose(cases);
  if (std::fclose(results) != 0) fail(argv[4], "cannot be written");
}
