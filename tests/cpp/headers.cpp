// All of the contract, as C++ sees it.
#include <headlight/headlight.h>

#include <cstddef>

static_assert(sizeof(hl_matrix) == 5 * sizeof(std::size_t), "the layout is C's");
