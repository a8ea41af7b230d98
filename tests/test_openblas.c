/* Which OpenBLAS and which of its kernels runs, and what users are told about it, through the built command,
 * in a copy of the build without the backend `native`, so that `auto` has a reason to take this one. */
#include "tests/json.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODEL "--model", TEST_SOURCE "/configs/mini/model"
#define FAKE  TEST_FIXTURES "/fake_openblas.fixture"

/* What every case starts from: nothing set but what a line of it sets. */
static const char *const variables[] = {"HEADLIGHT_OPENBLAS", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS",
                                        "FAKE_KERNELS",       "FAKE_WRONG",        "FAKE_LOG"};

static char *kept[COUNT(variables)];

static char *build, *command; /* the copy, and the command in it */

#define RUN(PRINTED, ERRORS, ...) run_program((const char *const[]){command, __VA_ARGS__}, PRINTED, ERRORS)

static void copy_build(const char *from, const char *to) {
    char *bin = text("%s/bin", from), *lib = text("%s/lib", from);
    const char *const copy[] = {"cp", "-r", bin, lib, to, NULL};
    assert_int_equal(run_program(copy, NULL, NULL), 0);
    free(lib);
    free(bin);
}

static int keep_environment(void **state) {
    (void)state;
    kernel_is_the_subject = true;
    build = make_folder();
    command = text("%s/bin/headlight", build);
    copy_build(TEST_BUILD, build);
    char *native = text("%s/lib/headlight/compute-native.so", build);
    assert_int_equal(unlink(native), 0);
    free(native);
    for (size_t i = 0; i < COUNT(variables); ++i) {
        const char *value = getenv(variables[i]);
        kept[i] = value ? text("%s", value) : NULL;
        unsetenv(variables[i]);
    }
    return 0;
}

static int restore_environment(void **state) {
    (void)state;
    remove_folder(build);
    free(command);
    for (size_t i = 0; i < COUNT(variables); ++i) {
        unsetenv(variables[i]);
        if (kept[i]) setenv(variables[i], kept[i], 1);
        free(kept[i]);
    }
    return 0;
}

static size_t occurrences(const char *in, const char *of) {
    size_t count = 0;
    for (const char *at = in; (at = strstr(at, of)); ++at) ++count;
    return count;
}

/* The kernel that `headlight bench` names, for the caller to free; *errors too. */
static char *kernel_of_bench(char **errors) {
    char *printed;
    int status = RUN(&printed, errors, "bench", MODEL, "--batch", "1", "--threads", "1", "--runs", "1", NULL);
    if (status != 0) fail_msg("bench ended with %d: %s", status, *errors);
    char *kernel = strstr(printed, "kernel ");
    assert_non_null(kernel);
    kernel += strlen("kernel ");
    char *out = text("%.*s", (int)strcspn(kernel, ","), kernel);
    free(printed);
    return out;
}

/* ---- auto ---- */

static int decompose(const char *backend, char **errors) {
    char *folder = make_folder(), *out = text("%s/out", folder);
    int status =
        RUN(NULL, errors, "decompose", MODEL, "--image", TEST_SOURCE "/configs/mini/gallery/scene-000.jpg",
            "--out", out, "--backend", backend, NULL);
    free(out);
    remove_folder(folder);
    return status;
}

/* Files that are no OpenBLAS, and what is said of them. */
static void test_auto_says_why_it_is_slow(void **state) {
    (void)state;
    static const struct {
        const char *file, *reason;
    } cases[] = {
        {"/no/such/libopenblas.so", "/no/such/libopenblas.so"},
        {TEST_FIXTURES "/no_symbol.fixture", "lacks cblas_sgemm"},
        {TEST_SOURCE "/README.md", "README.md"},
        {TEST_SOURCE, "directory"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        setenv("HEADLIGHT_OPENBLAS", cases[i].file, 1);
        char *errors;
        assert_int_equal(decompose("auto", &errors), 0);
        assert_int_equal(occurrences(errors, "warning: compute/reference is used"), 1);
        if (!strstr(errors, cases[i].reason)) fail_msg("no \"%s\" in: %s", cases[i].reason, errors);
        assert_non_null(strstr(errors, "HEADLIGHT_OPENBLAS")); /* the remedy */
        free(errors);
        assert_int_equal(decompose("reference", &errors), 0);
        assert_string_equal(errors, ""); /* as asked for */
        free(errors);
        assert_int_equal(decompose("openblas", &errors), 1);
        assert_non_null(strstr(errors, cases[i].reason));
        free(errors);
    }
    unsetenv("HEADLIGHT_OPENBLAS");
}

/* With the backend `native` nobody needs OpenBLAS; but who names a library wants it, and hears why it is not
 * used. */
static void test_native_needs_no_library(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/out", folder), *errors;
    setenv("HEADLIGHT_OPENBLAS", "/no/such/libopenblas.so", 1);
    int status = run_command(NULL, &errors, "decompose", MODEL, "--image",
                             TEST_SOURCE "/configs/mini/gallery/scene-000.jpg", "--out", out, NULL);
    assert_int_equal(status, 0);
    assert_int_equal(occurrences(errors, "warning: "), 1);
    assert_non_null(
        strstr(errors, "warning: compute/openblas: OpenBLAS cannot be opened (/no/such/libopenblas.so"));
    unsetenv("HEADLIGHT_OPENBLAS");
    free(errors);
    free(out);
    remove_folder(folder);
}

/* A plugin that is broken may be the fast one: a build that was copied in part. */
static void test_auto_says_what_is_broken(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 64, 5000};
    for (size_t i = 0; i < COUNT(sizes); ++i) {
        char *folder = make_folder(), *plugin = text("%s/lib/headlight/compute-openblas.so", folder);
        char *broken = text("%s/bin/headlight", folder), *out = text("%s/out", folder), *errors;
        copy_build(build, folder);
        assert_int_equal(truncate(plugin, (off_t)sizes[i]), 0);
        const char *const words[] = {
            broken,  "decompose", MODEL, "--image", TEST_SOURCE "/configs/mini/gallery/scene-000.jpg",
            "--out", out,         NULL};
        int status = run_program(words, NULL, &errors);
        if (status != 0) fail_msg("%zu bytes: status %d: %s", sizes[i], status, errors);
        assert_int_equal(occurrences(errors, "warning: "), 1);
        assert_non_null(strstr(errors, "compute/reference is used"));
        assert_non_null(strstr(errors, plugin));
        free(errors);
        free(out);
        free(broken);
        free(plugin);
        remove_folder(folder);
    }
}

/* The results say it too, and what ran; several engines of one run warn once. */
static void test_results_say_what_ran(void **state) {
    (void)state;
    static const char *const files[] = {NULL, "/no/such/libopenblas.so"};
    for (size_t i = 0; i < COUNT(files); ++i) {
        if (files[i]) setenv("HEADLIGHT_OPENBLAS", files[i], 1);
        char *folder = make_folder(), *path = text("%s/e.yaml", folder), *errors;
        char *yaml = text("headlight: 1\nmodel: {path: %s/configs/mini/model}\noutput: out\n"
                          "variants:\n  - {name: one, set: {compute.threads: 1}}\n"
                          "  - {name: two, set: {compute.threads: 2}}\n"
                          "analyses:\n  - {plugin: topic-segmentation, images: [%s/configs/mini/gallery/"
                          "scene-000.jpg], texts: [a red star]}\n",
                          TEST_SOURCE, TEST_SOURCE);
        write_text(path, yaml);
        int status = RUN(NULL, &errors, "run", path, NULL);
        if (status != 0) fail_msg("run ended with %d: %s", status, errors);
        assert_int_equal(occurrences(errors, "compute/reference is used"), files[i] ? 1 : 0);
        char *results = text("%s/out/two/results.json", folder);
        cJSON *root = read_json(results), *compute = cJSON_GetObjectItem(root, "compute");
        assert_string_equal(field(compute, "backend"), files[i] ? "reference" : "openblas");
        assert_true(strlen(field(compute, "kernel")) > 0);
        assert_int_equal(strncmp(field(compute, "precision"), "f32", 3), 0);
        assert_true(number_of(compute, "threads") > 1.5);
        assert_int_equal(cJSON_HasObjectItem(compute, "fallback"), files[i] != NULL);
        if (files[i]) assert_non_null(strstr(field(compute, "fallback"), files[i]));
        cJSON_Delete(root);
        free(results);
        free(errors);
        free(yaml);
        free(path);
        remove_folder(folder);
    }
    unsetenv("HEADLIGHT_OPENBLAS");
}

/* ---- the kernel ---- */

#ifdef __x86_64__

static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/* OpenBLAS's own choice is one of these where it does not know the processor. */
static bool is_old(const char *kernel) {
    static const char *const old[] = {"Prescott", "Core2", "Nehalem", "Sandybridge", "Katmai", "Barcelona"};
    for (size_t i = 0; i < COUNT(old); ++i) {
        if (strcmp(kernel, old[i]) == 0) return true;
    }
    return false;
}

static void test_nothing_set(void **state) {
    (void)state;
    if (!has_avx2()) skip();
    char *errors, *kernel = kernel_of_bench(&errors);
    if (is_old(kernel)) fail_msg("the kernel is %s on a processor with AVX2", kernel);
    assert_string_equal(errors, "");
    free(kernel);
    free(errors);
}

static void test_own_choice_is_honoured(void **state) {
    (void)state;
    if (!has_avx2()) skip();
    static const char *const kernels[] = {"Prescott", "Nehalem", "Sandybridge", "Haswell"};
    for (size_t i = 0; i < COUNT(kernels); ++i) {
        setenv("OPENBLAS_CORETYPE", kernels[i], 1);
        char *errors, *kernel = kernel_of_bench(&errors);
        assert_string_equal(kernel, kernels[i]);
        char *said = text("OPENBLAS_CORETYPE=%s", kernels[i]);
        bool slower = i < 3 || __builtin_cpu_supports("avx512vl"); /* than this processor could be */
        assert_int_equal(occurrences(errors, "warning: "), slower);
        if (slower) assert_non_null(strstr(errors, said));
        if (slower) assert_non_null(strstr(errors, "unset it"));
        free(said);
        free(kernel);
        free(errors);
    }
    unsetenv("OPENBLAS_CORETYPE");
}

/* Libraries that know no better, or do and are wrong. */
static void test_kernel_of_a_library(void **state) {
    (void)state;
    if (!has_avx2()) skip();
    bool amd = __builtin_cpu_is("amd");
    const char *best = __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd")
                           ? "SkylakeX"
                           : NULL;
    const char *avx2 = amd ? "Zen" : "Haswell";
    const struct {
        const char *kernels, *wrong, *expected, *warning;
    } cases[] = {
        {"Prescott,Haswell,Zen,SkylakeX", "", best ? best : avx2, NULL},
        {"Core2,Haswell,Zen", "", avx2, best ? "AVX-512" : NULL},
        {"Prescott", "", "Prescott", "no better one"},
        {"Nehalem,Sandybridge", "", "Sandybridge", "no better one"},
        {"Prescott,Haswell,Zen,SkylakeX", "SkylakeX", avx2, best ? "AVX-512" : NULL},
        {"NewerThanAll", "", "NewerThanAll", NULL},
    };
    setenv("HEADLIGHT_OPENBLAS", FAKE, 1);
    for (size_t i = 0; i < COUNT(cases); ++i) {
        setenv("FAKE_KERNELS", cases[i].kernels, 1);
        setenv("FAKE_WRONG", cases[i].wrong, 1);
        char *errors, *printed;
        int status = RUN(&printed, &errors, "bench", MODEL, "--batch", "1", "--threads", "1", "--runs", "1",
                         "--backend", "openblas", NULL);
        (void)status; /* the fake has no attention */
        char *said = text("kernel %s,", cases[i].expected);
        if (!strstr(printed, said)) fail_msg("case %zu: no \"%s\" in %s%s", i, said, printed, errors);
        assert_int_equal(occurrences(errors, "warning: "), cases[i].warning != NULL);
        if (cases[i].warning) assert_non_null(strstr(errors, cases[i].warning));
        free(said);
        free(printed);
        free(errors);
    }
    setenv("FAKE_KERNELS", "Prescott", 1);
    setenv("FAKE_WRONG", "Prescott", 1);
    char *errors;
    assert_int_equal(decompose("openblas", &errors), 1);
    assert_non_null(strstr(errors, "wrong numbers"));
    free(errors);
    for (size_t i = 0; i < COUNT(variables); ++i) unsetenv(variables[i]);
}

/* What the library is told while it is loaded is not told to anybody else: a library that is loaded later, by
 * another process or another plugin, sees the user's environment. */
static void test_environment_is_not_left_behind(void **state) {
    (void)state;
    if (!has_avx2()) skip();
    char *folder = make_folder(), *log = text("%s/log", folder), *errors;
    setenv("HEADLIGHT_OPENBLAS", FAKE, 1);
    setenv("FAKE_KERNELS", "Prescott,Haswell,Zen,SkylakeX", 1);
    setenv("FAKE_LOG", log, 1);
    setenv("OPENBLAS_NUM_THREADS", "7", 1);
    free(kernel_of_bench(&errors));
    char *lines = read_file(log, NULL);
    assert_int_equal(strncmp(lines, "- 1\n", 4), 0); /* it chooses first, without threads of its own */
    assert_true(occurrences(lines, "\n") >= 2);
    assert_string_equal(getenv("OPENBLAS_NUM_THREADS"), "7");
    assert_null(getenv("OPENBLAS_CORETYPE"));
    free(lines);
    free(errors);
    free(log);
    remove_folder(folder);
    for (size_t i = 0; i < COUNT(variables); ++i) unsetenv(variables[i]);
}

#endif

/* ---- address space ---- */

#ifndef TEST_SANITIZED

/* However little there is: an end, never a wait. With `auto` the reference does it. */
static void test_little_address_space(void **state) {
    (void)state;
    static const int megabytes[] = {150, 220, 300, 400, 500, 650, 900};
    for (size_t i = 0; i < COUNT(megabytes); ++i) {
        static const char *const backends[] = {"openblas", "auto"};
        for (size_t b = 0; b < COUNT(backends); ++b) {
            char *folder = make_folder();
            char *line = text("ulimit -v %d; exec '%s' decompose --model '%s/configs/mini/model' --image "
                              "'%s/configs/mini/gallery/scene-000.jpg' --backend %s --out '%s/out'",
                              megabytes[i] * 1024, command, TEST_SOURCE, TEST_SOURCE, backends[b], folder);
            const char *const arguments[] = {"/bin/sh", "-c", line, NULL};
            char *errors;
            int status = run_program(arguments, NULL, &errors);
            if (status != 0 && (status != 1 || !strstr(errors, "headlight decompose: "))) {
                fail_msg("%d MB, %s: status %d: %s", megabytes[i], backends[b], status, errors);
            }
            if (megabytes[i] == 300 && b == 0) {
                assert_int_equal(status, 1);
                assert_non_null(strstr(errors, "ulimit -v"));
            }
            if (megabytes[i] == 300 && b == 1) {
                assert_int_equal(status, 0);
                assert_non_null(strstr(errors, "ulimit -v"));
            }
            free(errors);
            free(line);
            remove_folder(folder);
        }
    }
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auto_says_why_it_is_slow),
        cmocka_unit_test(test_native_needs_no_library),
        cmocka_unit_test(test_auto_says_what_is_broken),
        cmocka_unit_test(test_results_say_what_ran),
#ifdef __x86_64__
        cmocka_unit_test(test_nothing_set),
        cmocka_unit_test(test_own_choice_is_honoured),
        cmocka_unit_test(test_kernel_of_a_library),
        cmocka_unit_test(test_environment_is_not_left_behind),
#endif
#ifndef TEST_SANITIZED
        cmocka_unit_test(test_little_address_space),
#endif
    };
    return cmocka_run_group_tests(tests, keep_environment, restore_environment);
}
