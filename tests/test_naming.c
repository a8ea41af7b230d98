/* Tables of names (plugins/shared/checkpoint/naming.h): what takes a tensor's place in a file. */
#include "tests/support.h"

#include "checkpoint/naming.h"
#include <string.h>

static const tensor_name layer[] = {TENSOR("ln.weight", "norm.weight"),
                                    TENSOR("in.weight", "q.weight", "k.weight", "v.weight"),
                                    TENSOR("in.bias", "q.bias", TENSOR_OF_ZEROS, "v.bias"), TENSORS_END};
static const tensor_name others[] = {TENSOR_AS(TENSOR_TRANSPOSED, "visual.proj", "head.weight"),
                                     TENSOR_AS(TENSOR_RESHAPED, "visual.token", "cls"), TENSORS_END};
static const tensor_group groups[] = {{"visual.blocks.#.", "trunk.layers.#.mid.", layer},
                                      {"text.", "text_model.", NULL},
                                      {"", "", others},
                                      TENSORS_END};
static const tensor_naming naming = {.label = "theirs", .groups = groups}, own = {.label = "ours"};

static void need_place(const tensor_naming *of, const char *before, const char *ours, const char *first,
                       const char *second, const char *third, tensor_form form) {
    const char *parts[] = {first, second, third};
    tensor_place place;
    naming_find(of, before, ours, &place);
    for (size_t i = 0; i < 3; ++i) {
        if (!parts[i] != (i >= place.count)) fail_msg("%s: %zu parts", ours, place.count);
        if (parts[i]) assert_string_equal(place.parts[i], parts[i]);
    }
    if (first) assert_int_equal(place.form, form);
}

static void names_are_found(void **state) {
    (void)state;
    need_place(&naming, "", "visual.blocks.0.ln.weight", "trunk.layers.0.mid.norm.weight", NULL, NULL,
               TENSOR_AS_STORED);
    need_place(&naming, "module.", "visual.blocks.12.in.weight", "module.trunk.layers.12.mid.q.weight",
               "module.trunk.layers.12.mid.k.weight", "module.trunk.layers.12.mid.v.weight",
               TENSOR_AS_STORED);
    need_place(&naming, "m.", "visual.blocks.7.in.bias", "m.trunk.layers.7.mid.q.bias", TENSOR_OF_ZEROS,
               "m.trunk.layers.7.mid.v.bias", TENSOR_AS_STORED);
    need_place(&naming, "", "text.blocks.3.ln.weight", "text_model.blocks.3.ln.weight", NULL, NULL,
               TENSOR_AS_STORED);
    need_place(&naming, "", "visual.proj", "head.weight", NULL, NULL, TENSOR_TRANSPOSED);
    need_place(&naming, "", "visual.token", "cls", NULL, NULL, TENSOR_RESHAPED);
    need_place(&own, "", "visual.blocks.0.any", "visual.blocks.0.any", NULL, NULL, TENSOR_AS_STORED);
    need_place(&own, "module.", "x", "module.x", NULL, NULL, TENSOR_AS_STORED);
}

static void what_a_layout_has_not_is_not_found(void **state) {
    (void)state;
    static const char *const names[] = {"visual.blocks.0.ln.bias",
                                        "visual.blocks..ln.weight",
                                        "visual.blocks.x.ln.weight",
                                        "visual.blocks.0",
                                        "visual.blocks.0.ln.weight.",
                                        "visual",
                                        ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        need_place(&naming, "", names[i], NULL, NULL, NULL, TENSOR_AS_STORED);
    }
}

static void long_names_are_cut(void **state) {
    (void)state;
    char name[2 * TENSOR_NAME_ROOM] = "";
    memset(name, 'n', sizeof name - 1);
    tensor_place place;
    naming_find(&own, "module.", name, &place);
    assert_int_equal(place.count, 1);
    assert_int_equal(strlen(place.parts[0]), TENSOR_NAME_ROOM - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(what_a_layout_has_not_is_not_found),
        cmocka_unit_test(long_names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
