/* The files of extractor/labels-file: any bytes, as JSON and as YAML, are refused or become labels of heads
 * that the model has. The first byte says which of the two it is. */
#include "plugins/extractors/labels-file/labels-file.c"
#include "plugins/extractors/labels-file/parsing.c"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static hl_component heads[4] = {{.name = "L0.H0", .kind = HL_HEAD},
                                {.name = "L0.H1", .kind = HL_HEAD},
                                {.name = "L1.H0", .kind = HL_HEAD}};

static hl_status take(hl_finding *finding, const hl_label *label, hl_error *error) {
    (void)finding, (void)error;
    if (!label->property || strncmp(label->head, "L", 1) != 0 || strlen(label->head) != 5) __builtin_trap();
    return HL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static const hl_model_info model = {
        .name = "fuzz", .component_count = 3, .component_size = sizeof *heads, .components = heads};
    if (count < 1) return 0;
    char *content = malloc(count);
    if (!content) return 0;
    memcpy(content, bytes + 1, count - 1);
    content[count - 1] = '\0';
    hl_finding finding = {.size = sizeof finding, .label = take};
    hl_error error;
    bool labelled[3] = {false};
    label_file self = {
        .model = &model, .path = "fuzz", .labelled = labelled, .finding = &finding, .error = &error};
    hl_status status = bytes[0] & 1 ? parsing_yaml("fuzz", content, count - 1, &self.root, &error)
                                    : parsing_json("fuzz", content, count - 1, &self.root, &error);
    if (status == HL_OK) status = check_labels(&self);
    if (status == HL_OK) status = add_labels(&self);
    if (status == HL_OK) add_lists(&self);
    cJSON_Delete(self.root);
    free(content);
    return 0;
}
