/* Any bytes as a .safetensors file; of what is accepted every tensor is read. */
#include "core/weights/safetensors.h"
#include "core/weights/weights.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    const hl_weights_api *api = &weights_api;
    hl_weights *weights;
    hl_error error;
    if (safetensors_parse("fuzz", bytes, count, &weights, &error) != HL_OK) return 0;
    const hl_stored_tensor *tensor;
    for (size_t i = 0; (tensor = api->at(weights, i)); ++i) {
        if (api->find(weights, tensor->name) != tensor || tensor->rank > 8 || !tensor->type) abort();
        float *out = malloc((size_t)tensor->elements * sizeof *out + 1);
        if (out) api->read(weights, tensor, 0, tensor->elements, out, &error);
        free(out);
        api->done(weights, tensor);
    }
    api->close(weights);
    return 0;
}
