/* Trees of results as JSON has them, for tests. */
#ifndef TESTS_TREE_H
#define TESTS_TREE_H

#include "core/tree/results.h"

/* A list of lists under the key "grid" becomes a grid, a list under "neighbors" neighbours, one under "table"
 * a table, and "picture": [ROWS, COLS] a picture without structure. */
tree *make_tree(const char *json);

#endif
