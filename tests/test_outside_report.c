/* plugins/README.md's report, taken at its word: built outside the tree against an installed headlight, it
 * says what results.json says. */
#include "tests/json.h"
#include "tests/mini.h"
#include "tests/outside.h"

#include <stdlib.h>
#include <string.h>

enum { GALLERY = 8, LONGEST = 40, LINES = 4 + 3 };

static int open_shop(void **state) {
    int status = open_workshop(state);
    write_block(*state, "c", 2, "neighbor-list.c");
    write_block(*state, "yaml", 2, "neighbor-list.yaml");
    build_by_hand(*state, "neighbor-list");
    return status;
}

static void the_report_is_short(void **state) {
    (void)state;
    char *code = readme_block("c", 2);
    assert_true(count_lines(code) <= LONGEST);
    free(code);
}

/* The lines that results.json stands for. */
static char *expected_lines(const char *path) {
    cJSON *root = read_json(path);
    const cJSON *analysis = NULL, *found = NULL;
    char *all = strdup("");
    cJSON_ArrayForEach(analysis, cJSON_GetObjectItem(root, "analyses")) {
        const cJSON *item = cJSON_GetObjectItem(analysis, "results")->child;
        cJSON_ArrayForEach(found, cJSON_GetObjectItem(item, "neighbors")) {
            char *longer = text("%s%s\t%s\t%.9g\t%s\n", all, field(item, "query"), field(item, "head"),
                                number_of(found, "score"), field(found, "path"));
            free(all);
            all = longer;
        }
    }
    cJSON_Delete(root);
    return all;
}

static void it_says_what_was_found(void **state) {
    const workshop *shop = *state;
    char *gallery = text("%s/gallery", shop->folder), *yaml = text("%s/neighbor-list.yaml", shop->folder);
    char *plugins = text("%s/by-hand", shop->folder), *out = text("%s/out", shop->folder);
    char *images = text("gallery.images=%s", gallery), *atlas = text("gallery.atlas=%s/atlas", shop->folder);
    char *results = text("%s/results.json", out), *list = text("%s/neighbors.tsv", out);
    put_scenes(gallery, 0, GALLERY);
    RUN(shop->command, "run", yaml, "--out", out, "--plugin-dir", plugins, "--set", "model.path=" MINI,
        "--set", "compute.backend=reference", "--set", images, "--set", atlas, "--set",
        "analyses.0.images=[" MINI_GALLERY "/scene-000.jpg]");
    char *expected = expected_lines(results), *lines = read_file(list, NULL);
    assert_string_equal(lines, expected);
    assert_int_equal(count_lines(lines), LINES);
    char *page = text("%s/report.html", out);
    assert_false(file_exists(page));
    char *const made[] = {gallery, yaml, plugins, out, images, atlas, results, list, expected, lines, page};
    for (size_t i = 0; i < COUNT(made); ++i) free(made[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_report_is_short),
        cmocka_unit_test(it_says_what_was_found),
    };
    return cmocka_run_group_tests(tests, open_shop, close_workshop);
}
