#include "communicator.h"
namespace mindts {
Communicator* join_memory(const char*, int, int, double) { throw Lost("not written yet"); }
}
