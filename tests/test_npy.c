/* .npy files: against files that numpy made, byte for byte in both directions, and against damaged ones. */
#include "tests/support.h"

#include "core/io/output.h"
#include <stdlib.h>
#include <string.h>

static char *fixture(const char *name) {
    return text("%s/io/%s", TEST_GOLDEN, name);
}

static npy_array read_fixture(const char *name) {
    char *path = fixture(name);
    npy_array array;
    hl_error error;
    assert_ok(npy_read(path, &array, &error), error);
    free(path);
    return array;
}

static void assert_counting(const char *name, size_t rank, const size_t *shape, float divisor) {
    npy_array array = read_fixture(name);
    assert_int_equal(array.rank, rank);
    size_t elements = 1;
    for (size_t i = 0; i < rank; ++i) {
        assert_int_equal(array.shape[i], shape[i]);
        elements *= shape[i];
    }
    assert_int_equal(array.elements, elements);
    for (size_t i = 0; i < elements; ++i) {
        assert_true(array.data[i] == (float)((double)i / (double)divisor));
    }
    free(array.data);
}

static void reads_what_numpy_writes(void **state) {
    (void)state;
    assert_counting("cube.npy", 3, (size_t[]){2, 3, 4}, 1);
    assert_counting("row.npy", 1, (size_t[]){24}, 1);
    assert_counting("double.npy", 2, (size_t[]){4, 6}, 3);
    assert_counting("version2.npy", 2, (size_t[]){2, 12}, 1);
    assert_counting("nothing.npy", 2, (size_t[]){0, 3}, 1);
    npy_array number = read_fixture("number.npy");
    assert_int_equal(number.rank, 0);
    assert_int_equal(number.elements, 1);
    assert_true(number.data[0] == 3);
    free(number.data);
}

static void assert_writes(const char *name, const char *descr, size_t rank, const size_t *shape,
                          const void *data, size_t bytes) {
    char *folder = make_folder(), *path = text("%s/%s", folder, name), *expected_path = fixture(name);
    output *out;
    FILE *file;
    hl_error error;
    assert_ok(output_open(folder, &out, &error), error);
    assert_ok(npy_begin(out, name, descr, rank, shape, &file, &error), error);
    assert_ok(output_write(out, file, data, bytes, &error), error);
    assert_ok(output_commit(out, &error), error);
    size_t count, expected_count;
    char *content = read_file(path, &count), *expected = read_file(expected_path, &expected_count);
    assert_int_equal(count, expected_count);
    assert_memory_equal(content, expected, count);
    free(expected);
    free(content);
    free(expected_path);
    free(path);
    remove_folder(folder);
}

static void writes_what_numpy_writes(void **state) {
    (void)state;
    float counting[24], three = 3;
    int32_t ids[6];
    for (int i = 0; i < 24; ++i) counting[i] = (float)i;
    for (int i = 0; i < 6; ++i) ids[i] = i;
    assert_writes("cube.npy", "<f4", 3, (size_t[]){2, 3, 4}, counting, sizeof counting);
    assert_writes("row.npy", "<f4", 1, (size_t[]){24}, counting, sizeof counting);
    assert_writes("number.npy", "<f4", 0, NULL, &three, sizeof three);
    assert_writes("nothing.npy", "<f4", 2, (size_t[]){0, 3}, NULL, 0);
    assert_writes("ids.npy", "<i4", 2, (size_t[]){2, 3}, ids, sizeof ids);
}

static void refuses_too_many_dimensions(void **state) {
    (void)state;
    char *folder = make_folder();
    size_t shape[NPY_MAX_RANK + 1] = {0};
    output *out;
    FILE *file;
    hl_error error;
    assert_ok(output_open(folder, &out, &error), error);
    assert_int_equal(npy_begin(out, "a.npy", "<f4", NPY_MAX_RANK + 1, shape, &file, &error), HL_FAILED);
    output_abandon(out);
    assert_int_equal(count_files(folder), 0);
    remove_folder(folder);
}

/* Every refusal names the file and leaves nothing to free. */
static void assert_refused(const uint8_t *bytes, size_t count, const char *reason) {
    npy_array array;
    hl_error error = {""};
    /* an exact copy: a sanitizer sees whatever is read beyond it */
    uint8_t *copy = malloc(count + !count);
    assert_non_null(copy);
    memcpy(copy, bytes, count);
    assert_int_equal(npy_parse("some.npy", copy, count, &array, &error), HL_FAILED);
    free(copy);
    assert_null(array.data);
    assert_ptr_equal(strstr(error.message, "some.npy: "), error.message);
    if (!strstr(error.message, reason)) fail_msg("\"%s\" lacks \"%s\"", error.message, reason);
}

static void refuses_other_layouts(void **state) {
    (void)state;
    const char *names[] = {"fortran.npy", "big_endian.npy", "ids.npy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        char *path = fixture(names[i]);
        size_t count;
        char *bytes = read_file(path, &count);
        assert_refused((uint8_t *)bytes, count, "expected a C-order array");
        free(bytes);
        free(path);
    }
}

static void refuses_every_truncation(void **state) {
    (void)state;
    const char *names[] = {"cube.npy", "version2.npy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        char *path = fixture(names[i]);
        size_t count;
        char *bytes = read_file(path, &count);
        for (size_t cut = 0; cut < count; ++cut) assert_refused((uint8_t *)bytes, cut, "");
        free(bytes);
        free(path);
    }
}

/* A file with this dictionary, whatever it says, and `data` bytes of elements. */
static void assert_header_refused(const char *dictionary, size_t data, const char *reason) {
    size_t length = strlen(dictionary) + 1, count = 10 + length + data;
    uint8_t *bytes = calloc(count, 1);
    assert_non_null(bytes);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (uint8_t)(length & 0xff);
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + 10, dictionary, length - 1);
    bytes[10 + length - 1] = '\n';
    assert_refused(bytes, count, reason);
    free(bytes);
}

static void refuses_bad_headers(void **state) {
    (void)state;
#define START "{'descr': '<f4', 'fortran_order': False, 'shape': "
    assert_header_refused(START "(4294967296, 4294967296), }", 16, "too large");
    assert_header_refused(START "(4611686018427387904,), }", 0, "too large");
    assert_header_refused(START "(99999999999999999999999,), }", 0, "unexpected text");
    assert_header_refused(START "(-1,), }", 16, "unexpected text");
    assert_header_refused(START "(4), }", 16, "unexpected text");
    assert_header_refused(START "(4 4), }", 64, "unexpected text");
    assert_header_refused(START "(1, 1, 1, 1, 1, 1, 1, 1, 1), }", 4, "unexpected text");
    assert_header_refused(START "(4,), }garbage", 16, "unexpected text");
    assert_header_refused(START "(4,), ", 16, "unexpected text");
    assert_header_refused(START "(5,), }", 16, "16 bytes of elements, its header says 20");
    assert_header_refused(START "(3,), }", 16, "16 bytes of elements, its header says 12");
    assert_header_refused(START "(), }", 0, "0 bytes of elements, its header says 4");
    assert_header_refused("{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }", 8,
                          "unexpected text at byte 20");
    assert_header_refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }", 16,
                          "unexpected text");
    assert_header_refused("", 16, "unexpected text at byte 10");
    const uint8_t version3[] = "\x93NUMPY\x03\x00\x00\x00\x00\x00\x00\x00";
    assert_refused(version3, sizeof version3, "version 1.0 or 2.0");
}

static void missing_files_are_named(void **state) {
    (void)state;
    const char *paths[] = {TEST_GOLDEN "/io/no-such.npy", TEST_GOLDEN};
    for (size_t i = 0; i < 2; ++i) {
        npy_array array;
        hl_error error;
        assert_int_equal(npy_read(paths[i], &array, &error), HL_FAILED);
        assert_non_null(strstr(error.message, paths[i]));
        assert_null(array.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_numpy_writes),     cmocka_unit_test(writes_what_numpy_writes),
        cmocka_unit_test(refuses_too_many_dimensions), cmocka_unit_test(refuses_other_layouts),
        cmocka_unit_test(refuses_every_truncation),    cmocka_unit_test(refuses_bad_headers),
        cmocka_unit_test(missing_files_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
