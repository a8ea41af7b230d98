/* Any bytes as the YAML of an experiment. Reads every node of what is accepted. */
#include "core/io/yaml_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t visit(const yaml_file *file, const yaml_node_t *node) {
    const yaml_node_t *key, *value;
    size_t count = 1;
    for (size_t i = 0; yaml_entry(file, node, i, &key, &value); ++i) count += 1 + visit(file, value);
    for (size_t i = 0; (value = yaml_item(file, node, i)); ++i) count += visit(file, value);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    yaml_file *file;
    hl_error error;
    if (yaml_parse("fuzz.yaml", data, size, &file, &error) != HL_OK) return 0;
    if (visit(file, yaml_root(file)) > 10000) abort();
    yaml_close(file);
    return 0;
}
