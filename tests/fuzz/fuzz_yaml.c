/* Any bytes as the YAML of an experiment. Reads every node of what is accepted. */
#include "core/io/yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t visit(const yaml_node *node) {
    size_t count = 1;
    for (size_t i = 0; i < node->count; ++i) count += (node->keys ? 1 : 0) + visit(node->items[i]);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    yaml_file *file;
    hl_error error;
    if (yaml_parse("fuzz.yaml", data, size, &file, &error) != HL_OK) return 0;
    if (visit(yaml_root(file)) > 10000) abort();
    yaml_close(file);
    return 0;
}
