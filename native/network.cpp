#include "communicator.h"
namespace mindts {
Communicator* join_network(const char*, int, const char*, int, int, double) { throw Lost("not written yet"); }
}
