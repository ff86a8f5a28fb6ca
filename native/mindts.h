// The C ABI between sdk/engine/native/library.ts and the kernels. Functions that can fail return 0 and leave a
// sentence in mindts_error; nothing throws across this border.
#pragma once
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define MINDTS_ABI 6

typedef struct mindts_program mindts_program;

int mindts_abi(void);
// The instruction sets that this machine can run, best first, separated by commas.
const char* mindts_instruction_sets(void);
// What failed last: in a program, or in creating one (null) on this thread.
const char* mindts_error(const mindts_program*);
// FLOP/s of multiply-adds on so many threads together, measured for some seconds.
double mindts_peak(const char* instruction_set, int threads, double seconds);
// Seconds that one layer takes for a batch, forward and backward with every gradient, the sum over threads included: the least of
// some rounds. op: the fields of Op (program.h), reading value 0 and writing value 1; 0 when there is no such instruction set.
double mindts_layer_seconds(const char* instruction_set, const int32_t* op, int parameters, int batch, int threads, int rounds);

// shape: source_h, source_w, channels, h, w, value count, op count, parameter count, slots, batch size, threads at most, outputs,
//        the output value, optimizer kind, nesterov, seed, count of trainable ranges; then each range's first and end parameter
// value_sizes: features of each value; value 0 is the input. ops: op count times the fields of Op (program.h).
// numbers: scale and shift per channel; then momentum, weight decay, beta1, beta2, epsilon; then by what learning rate and weight decay
//          are multiplied in each trainable range.
mindts_program* mindts_program_create(const char* instruction_set, const int32_t* shape, const int32_t* value_sizes,
                                      const int32_t* ops, const float* numbers);
void mindts_program_destroy(mindts_program*);

// Parameters, then slots, one after another.
void mindts_set_state(mindts_program*, const float* state, double step);
double mindts_get_state(mindts_program*, float* state);

// order: positions in images [stored][source_h][source_w][channels] and labels [stored].
// rates: the learning rate of each step. Surgery (sdk/pruning/surgery.ts) of `layers` layers before each step, 0 of them: none; spans: first
// and end parameter of each; bounds: prune and splice of each; active: which take part, [steps][layers]. masked_stay: parameters that
// are masked, and their slots, are not changed.
// losses: one per step. results: steps taken, hits, why it ended (0 complete, 1 stopped, 2 diverged). With a communicator order is
// that of all ranks together, of which each takes its part of every batch, and losses and hits are of all; −1: a rank is lost.
int mindts_train(mindts_program*, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order,
                 int32_t count, const float* rates, const int32_t* spans, int layers, const float* bounds, const uint8_t* active,
                 int masked_stay, float* losses, int32_t* results);
// result: sum of losses, hits; with a communicator as above.
int mindts_evaluate(mindts_program*, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order,
                    int32_t count, double* result);
// outputs: [count][outputs]
int mindts_predict(mindts_program*, const uint8_t* images, int32_t stored, const int32_t* order, int32_t count, float* outputs);
// mask: [parameters], 1 or 0; null: none. The network computes with parameters · mask.
int mindts_set_mask(mindts_program*, const uint8_t* mask);
// 0: there is none.
int mindts_get_mask(const mindts_program*, uint8_t* mask);
// Masks made from the program's own by bounds [candidates][layers][2], each evaluated alone; parameters and mask stay as they are.
// saliency: what bounds are compared with, by parameter; null: magnitudes. images: null where these and order are those of the call before. correct, losses (their sum): [candidates]; kept: [candidates][layers].
int mindts_evaluate_candidates(mindts_program*, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order,
                               int32_t count, const int32_t* spans, int layers, const float* saliency, const float* bounds, int candidates, int32_t* correct,
                               double* losses, int32_t* kept);
// Ends a running mindts_train after its step; may be called from any thread.
void mindts_stop(mindts_program*);

// Ranks of one job that exchange numbers. Every call but abandon is made by all ranks, in the same order, and waits for the slowest,
// `seconds` at most. Once one has failed all later ones fail. Errors are a sentence, cut at 511 bytes, in `error` (512).
typedef struct mindts_communicator mindts_communicator;
// On one machine: through shared memory that ranks find by a file's path, which rank 0 makes and removes. Null when it failed.
mindts_communicator* mindts_join_memory(const char* path, int rank, int size, double seconds, char* error);
// On several: through TCP; rank 0 listens there. token: what proves that a peer is of this job, at most 255 bytes.
mindts_communicator* mindts_join_network(const char* host, int port, const char* token, int rank, int size, double seconds, char* error);
// Under mpirun: through Open MPI's library; rank and size are MPI's.
mindts_communicator* mindts_join_mpi(const char* library, int rank, int size, double seconds, char* error);
// values[count] become the sum over ranks, the same bits on every rank. 0: it failed.
int mindts_all_reduce(mindts_communicator*, float* values, int64_t count, double seconds, char* error);
// all: [size][bytes], what every rank gave as `mine`.
int mindts_all_gather(mindts_communicator*, const uint8_t* mine, int64_t bytes, uint8_t* all, double seconds, char* error);
// bytes[count] become rank 0's.
int mindts_broadcast(mindts_communicator*, uint8_t* bytes, int64_t count, double seconds, char* error);
// Tells the others that this rank gives up, and why; may be called from any thread, while a call waits too.
void mindts_abandon(mindts_communicator*, const char* reason);
void mindts_leave(mindts_communicator*);
// Before the process exits, which waits for its threads: every call that waits for other ranks fails within a second.
void mindts_end_waits(void);
// From now on mindts_train takes this rank's part of every batch and sums gradients over ranks; null: alone again. seconds: how
// long a step may wait for the slowest rank.
void mindts_set_communicator(mindts_program*, mindts_communicator*, double seconds);
// Seconds that mindts_train has spent so far on exchanges, waiting for slower ranks included.
double mindts_exchange_seconds(const mindts_program*);

// Photos need no program. 0: not a JPEG of the usual kind, or damaged; nothing is left in mindts_error.
int mindts_photo_size(const uint8_t* bytes, int32_t size, int32_t* width_height);
// view: left, top, width, height of what is cut out; the width and height it is resized to; left, top, width, height of
//       what is kept of that; whether it is flipped. out: [height][width][3]
int mindts_photo_view(const uint8_t* bytes, int32_t size, const int32_t* view, uint8_t* out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
