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

static void fail_each(const char *const *command, const char *out, size_t whole_result) {
    long count = count_allocations(command);
    assert_true(count > 50);
    char *clean = text("rm -rf %s", out);
    long refused = 0;
    for (long i = 1; i <= count; i += i < ONE_BY_ONE ? 1 : i / STEP_DIVISOR) {
        assert_int_equal(system(clean), 0);
        char *variable = text("FAIL_ALLOCATION=%ld", i), *errors;
        int status = run_with(variable, command, &errors);
        if (status != 0 && status != 1 && status != 2)
            fail_msg("allocation %ld: status %d: %s", i, status, errors);
        if (status == 0) {
            assert_int_equal(count_files(out), whole_result);
        } else {
            refused++;
            if (!strchr(errors, '\n')) fail_msg("allocation %ld: no message", i);
            assert_int_equal(count_files(out), 0);
        }
        free(errors);
        free(variable);
    }
    assert_true(refused > 50);
    free(clean);
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
    fail_each(command, out, 11); /* ten arrays and their list */
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
    fail_each(command, out, count_files(out));
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
    fail_each(command, out, count_files(out));
    free(file);
    free(list);
    free(labels);
    free(out);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decompose_survives),
        cmocka_unit_test(run_survives),
        cmocka_unit_test(neighbors_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
