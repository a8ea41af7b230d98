/* Any bytes as JSON: refused, or a tree that is written as JSON which reads as the same tree, number by
 * number as they were written. */
#include "core/tree/tree.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static char *print(const tree *made) {
    char *json;
    hl_error error;
    if (tree_print_json(tree_node(made), false, &json, &error) != HL_OK) abort();
    return json;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    tree *made, *again;
    hl_error error;
    if (tree_read_json("fuzz", bytes, count, "path", &made, &error) != HL_OK) return 0;
    char *json = print(made);
    if (tree_read_json("again", (const uint8_t *)json, strlen(json), "path", &again, &error) != HL_OK)
        abort();
    char *same = print(again);
    if (strcmp(json, same) != 0) abort();
    free(json);
    free(same);
    tree_close(made);
    tree_close(again);
    return 0;
}
