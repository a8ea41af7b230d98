/* See tokenized.h. */
#include "tests/fuzz/tokenized.h"

#include <string.h>

static void check_text(const pipeline *made, const char *text) {
    enum { ROOM = 512, FEW = 4 };
    int32_t ids[ROOM];
    token_ids all = {ids, 0, ROOM}, few = {ids, 0, FEW};
    hl_error error;
    if (pipeline_encode(made, text, &all, &error)) return;
    for (size_t i = 0; i < all.count; ++i) {
        if (ids[i] < 0) __builtin_trap();
    }
    if (pipeline_encode(made, text, &few, &error)) return;
    if (few.count != (all.count < FEW ? all.count : FEW)) __builtin_trap();
}

void check_tokenized(pipeline *made, hl_status status, const hl_error *error) {
    static const char *const texts[] = {"",
                                        " ",
                                        "a red  circle, aaaa Xab",
                                        "\u00c9\ufb01\u2460\u65e5\u672c e\u0301\u0302 \u0130\u03a3",
                                        "</s> <unk>\n\n<table>[SEP]",
                                        "AAAA",
                                        "##",
                                        "\u2581a\u2581\u2581b\u200b"};
    if (status && (!*error->message || strchr(error->message, '\n'))) __builtin_trap();
    for (size_t i = 0; !status && i < sizeof texts / sizeof *texts; ++i) check_text(made, texts[i]);
    pipeline_free(made);
}
