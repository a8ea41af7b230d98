/* transformers' config.json and, behind a NUL, preprocessor_config.json, as model/clip-vit reads them. */
#include "plugins/models/clip-vit/config.c"
#include "plugins/models/clip-vit/hugging_face.c"
#include "tests/fuzz/clip_timm.h"

#include "tests/fuzz/clip_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static const char *texts[2];

static hl_status read_file(const hl_host *host, const char *path, size_t most, char **bytes, size_t *count,
                           hl_error *error) {
    (void)host, (void)most;
    const char *text = texts[strstr(path, "preprocessor") != NULL];
    *count = strlen(text);
    *bytes = strdup(text);
    return *bytes ? HL_OK : hl_no_memory(error, path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    const hl_host host = {.size = sizeof host, .read_file = read_file};
    hl_error error;
    clip_config config;
    char *first = copy_text(bytes, count);
    if (!first) return 0;
    size_t length = strlen(first);
    texts[0] = first;
    texts[1] = length < count ? first + length + 1 : "{}";
    cJSON *json = NULL, *made = NULL;
    bool projected;
    if (config_parse_json("fuzz", texts[0], length, &json, &error) == HL_OK) {
        config_reader r = {"clip-vit", "fuzz", HL_OK, &error};
        cJSON *preprocessor = NULL;
        hugging_face_translate(&r, json, &made, &projected);
        if (config_parse_json("fuzz", texts[1], strlen(texts[1]), &preprocessor, &error) == HL_OK &&
            !r.status)
            hugging_face_add_preprocess(&r, preprocessor, made);
        cJSON_Delete(preprocessor);
        if (!r.status && config_take("fuzz", made, &config, &error) == HL_OK) check_config(&config);
    }
    cJSON_Delete(made);
    cJSON_Delete(json);
    if (config_read(&host, "fuzz", HUGGING_FACE_CONFIG, &config, &error) == HL_OK) check_config(&config);
    free(first);
    return 0;
}
