/* Every allocation can fail: the command is run again and again, each time with another one failing, and must
 * end with an error or, where a library copes, with success; never with a crash, never with a partial result.
 *
 * The reference backend is used: OpenBLAS's own allocations are its own affair. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

/* Allocations up to this number fail one by one, later ones in growing steps. */
enum { ONE_BY_ONE = 250, STEP_DIVISOR = 40 };

static int run_with(const char *variable, const char *const *command, char **errors) {
    const char *arguments[32] = {"env", "LD_PRELOAD=" TEST_PRELOAD "/fail_allocation.preload", variable,
                                 TEST_COMMAND};
    for (size_t i = 0; command[i]; ++i) arguments[4 + i] = command[i];
    return run_program(arguments, NULL, errors);
}

static long count_allocations(const char *const *command) {
    char *folder = make_folder(), *file = text("%s/count", folder);
    char *variable = text("FAIL_ALLOCATION_COUNT=%s", file), *errors;
    assert_int_equal(run_with(variable, command, &errors), 0);
    char *number = read_file(file, NULL);
    long count = strtol(number, NULL, 10);
    free(number);
    free(errors);
    free(variable);
    free(file);
    remove_folder(folder);
    return count;
}

/* Once with each allocation failing; `out` is removed before, `kept` (NULL: none) put there. What succeeds
 * must leave the same bytes as without a failure, what fails must say that it is memory and leave nothing;
 * or, where something was there, what a second try makes whole. */
static void fail_each(const char *const *command, const char *out, const char *kept) {
    long count = count_allocations(command);
    assert_true(count > 50);
    char *whole = sum_files(out),
         *prepare = text("rm -rf %s; %s%s %s", out, kept ? "cp -rp " : ":", kept ? kept : "", out);
    assert_int_equal(system(prepare), 0);
    const char *again[32] = {TEST_COMMAND};
    for (size_t i = 0; command[i]; ++i) again[1 + i] = command[i];
    long refused = 0;
    for (long i = 1; i <= count; i += i < ONE_BY_ONE ? 1 : i / STEP_DIVISOR) {
        assert_int_equal(system(prepare), 0);
        char *variable = text("FAIL_ALLOCATION=%ld", i), *errors;
        int status = run_with(variable, command, &errors);
        char *left = file_exists(out) ? sum_files(out) : strdup("");
        if (status == 0) {
            if (strcmp(left, whole) != 0)
                fail_msg("allocation %ld: other files:\n%s\nexpected:\n%s", i, left, whole);
        } else {
            refused++;
            bool told =
                strncmp(errors, "headlight", 9) == 0 && strcasestr(errors, "memory") && strchr(errors, '\n');
            if (status != 1 || !told) fail_msg("allocation %ld: status %d: %s", i, status, errors);
            if (kept) {
                if (run_program(again, NULL, NULL) != 0) fail_msg("allocation %ld: no second try", i);
                free(left);
                left = sum_files(out);
            }
            if (strcmp(left, kept ? whole : "") != 0) fail_msg("allocation %ld: left %s", i, left);
        }
        free(left);
        free(errors);
        free(variable);
    }
    assert_true(refused > 50);
    free(prepare);
    free(whole);
}

static void decompose_survives(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/out", folder);
    const char *command[] = {"decompose",
                             "--model",
                             TEST_GOLDEN "/tiny-a/model",
                             "--image",
                             TEST_GOLDEN "/images/rgb_tiny.png",
                             "--text",
                             "a red circle",
                             "--tokens",
                             "--backend",
                             "reference",
                             "--threads",
                             "1",
                             "--out",
                             out,
                             NULL};
    fail_each(command, out, NULL);
    free(out);
    remove_folder(folder);
}

static void run_survives(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/out", folder), *file = text("%s/experiment.yaml", folder);
    write_text(file, "headlight: 1\n"
                     "model: {path: " TEST_GOLDEN "/tiny-a/model}\n"
                     "compute: {backend: reference, threads: 1}\n"
                     "analyses:\n"
                     "  - {plugin: topic-segmentation, images: [" TEST_GOLDEN "/images/rgb_tiny.png],\n"
                     "     texts: [a red circle], heads: [aggregate, L1.H0]}\n");
    const char *command[] = {"run", file, "--out", out, NULL};
    char *errors;
    const char *first[] = {TEST_COMMAND, "run", file, "--out", out, NULL};
    assert_int_equal(run_program(first, NULL, &errors), 0);
    free(errors);
    fail_each(command, out, NULL);
    free(file);
    free(out);
    remove_folder(folder);
}

/* The atlas is there already, so that what fails is the search and what it needs. */
static void neighbors_survive(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/out", folder), *file = text("%s/experiment.yaml", folder);
    char *list = text("%s/list.txt", folder), *labels = text("%s/labels.yaml", folder);
    write_text(list, TEST_GOLDEN "/gallery/g000.png\n" TEST_GOLDEN "/gallery/g001.png\n");
    write_text(labels, "heads: {L1.H0: colors, L2.H1: colors}\n");
    write_text(file, "headlight: 1\n"
                     "model: {path: " TEST_GOLDEN "/tiny-a/model}\n"
                     "compute: {backend: reference, threads: 1}\n"
                     "gallery: {images: list.txt, atlas: atlas}\n"
                     "properties: {extractor: labels-file, path: labels.yaml}\n"
                     "analyses:\n"
                     "  - {plugin: property-neighbors, images: [" TEST_GOLDEN "/images/rgb_tiny.png],\n"
                     "     properties: [colors], metric: cosine}\n"
                     "  - {plugin: text-neighbors, texts: [snow], heads: [L2.H2]}\n");
    const char *command[] = {"run", file, "--out", out, NULL};
    char *errors;
    const char *first[] = {TEST_COMMAND, "run", file, "--out", out, NULL};
    if (run_program(first, NULL, &errors) != 0) fail_msg("%s", errors);
    free(errors);
    fail_each(command, out, NULL);
    free(file);
    free(list);
    free(labels);
    free(out);
    remove_folder(folder);
}

#define INDEX                                                                                                \
    "index", "--model", TEST_GOLDEN "/tiny-a/model", "--backend", "reference", "--threads", "1", "--images"

static void write_galleries(const char *folder) {
    char *list = text("%s/list.txt", folder), *other = text("%s/other.txt", folder);
    write_text(list, TEST_GOLDEN "/gallery/g000.png\n" TEST_GOLDEN "/gallery/g001.png\n");
    write_text(other, TEST_GOLDEN "/gallery/g002.png\n" TEST_GOLDEN "/gallery/g003.png\n");
    free(list);
    free(other);
}

static void run_or_fail(const char *const *words) {
    char *errors;
    if (run_program(words, NULL, &errors) != 0) fail_msg("%s %s: %s", words[0], words[1], errors);
    free(errors);
}

#define RUN(...) run_or_fail((const char *const[]){TEST_COMMAND, __VA_ARGS__, NULL})

/* An atlas that is there already is as it was, or has the new image too. */
static void indexing_survives(void **state) {
    (void)state;
    char *folder = make_folder(), *atlas = text("%s/atlas", folder), *kept = text("%s/kept", folder);
    char *list = text("%s/list.txt", folder);
    write_galleries(folder);
    RUN(INDEX, list, "--out", kept);
    write_text(list, TEST_GOLDEN "/gallery/g000.png\n" TEST_GOLDEN "/gallery/g001.png\n" TEST_GOLDEN
                                 "/gallery/g002.png\n");
    run_or_fail((const char *const[]){"cp", "-rp", kept, atlas, NULL});
    const char *command[] = {INDEX, list, "--out", atlas, NULL};
    fail_each(command, atlas, kept);
    free(list);
    free(kept);
    free(atlas);
    remove_folder(folder);
}

static void merging_survives(void **state) {
    (void)state;
    char *folder = make_folder(), *list = text("%s/list.txt", folder), *other = text("%s/other.txt", folder);
    char *one = text("%s/one", folder), *two = text("%s/two", folder), *out = text("%s/out", folder);
    write_galleries(folder);
    RUN(INDEX, list, "--out", one);
    RUN(INDEX, other, "--out", two);
    const char *command[] = {"merge", out, one, two, NULL};
    fail_each(command, out, NULL);
    free(list);
    free(other);
    free(one);
    free(two);
    free(out);
    remove_folder(folder);
}

/* They write nothing. */
static void looking_survives(void **state) {
    (void)state;
    char *folder = make_folder(), *list = text("%s/list.txt", folder), *atlas = text("%s/atlas", folder);
    char *copy = text("%s/copy", folder);
    write_galleries(folder);
    RUN(INDEX, list, "--out", atlas);
    run_or_fail((const char *const[]){"cp", "-rp", atlas, copy, NULL});
    const char *verify[] = {"verify", atlas, NULL}, *plugins[] = {"plugins", "topic-segmentation", NULL};
    fail_each(verify, atlas, copy);
    fail_each(plugins, atlas, copy);
    free(copy);
    free(atlas);
    free(list);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decompose_survives), cmocka_unit_test(run_survives),
        cmocka_unit_test(neighbors_survive),  cmocka_unit_test(indexing_survives),
        cmocka_unit_test(merging_survives),   cmocka_unit_test(looking_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
