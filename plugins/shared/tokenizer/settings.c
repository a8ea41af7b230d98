/* What open_clip's text_cfg says of a tokenizer. */
#include "tokenizer.h"

static const config_setting kwargs_settings[] = {
    {"clean", CONFIG_READ}, {"strip_sep_token", CONFIG_READ}, {NULL, NULL}};

static void read_cleaning(config_reader *r, config_section kwargs, text_cleaning *out) {
    static const struct {
        const char *name;
        text_cleaning cleaning;
    } known[] = {{"canonicalize", TEXT_CANONICAL}, {"lower", TEXT_CLIP}, {"whitespace", TEXT_FOLDED}};
    const cJSON *clean = config_find(kwargs, "clean");
    if (!clean) return;
    for (size_t i = 0; cJSON_IsString(clean) && i < sizeof known / sizeof *known; ++i) {
        if (strcmp(clean->valuestring, known[i].name) != 0) continue;
        *out = known[i].cleaning;
        return;
    }
    config_refuse(r, HL_USAGE, "%s.clean: expected canonicalize, lower or whitespace", kwargs.path);
}

void tokenizer_read_settings(config_reader *r, config_section text, tokenizer_rules *rules) {
    const cJSON *name = config_find(text, "hf_tokenizer_name");
    bool files = !config_is_off(name);
    if (files && !cJSON_IsString(name)) {
        config_refuse(r, HL_FAILED, "%s.hf_tokenizer_name: expected a name", text.path);
    }
    rules->style = files ? TOKENIZER_FILES : TOKENIZER_SIMPLE;
    rules->cleaning = files ? TEXT_FOLDED : TEXT_CLIP;
    rules->end_is_zero = false;
    if (config_is_off(config_find(text, "tokenizer_kwargs"))) return;
    config_section kwargs =
        config_read_section(r, text, "tokenizer_kwargs", "model_cfg.text_cfg.tokenizer_kwargs");
    if (r->status) return;
    config_check_settings(r, kwargs, kwargs_settings);
    read_cleaning(r, kwargs, &rules->cleaning);
    rules->end_is_zero = config_read_bool(r, kwargs, "strip_sep_token");
}
