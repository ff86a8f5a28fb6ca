#include "communicator.h"
namespace mindts {
Communicator* join_mpi(const char*, int, int, double) { throw Lost("not written yet"); }
}
