/* .safetensors files: numbers against numpy's conversions, and every way in which a file can be wrong. */
#include "tests/support.h"

#include "core/weights/safetensors.h"
#include "core/weights/weights.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static hl_weights *open_path(const char *path) {
    hl_weights *weights;
    hl_error error;
    assert_ok(weights_api.open(path, &weights, &error), error);
    return weights;
}

static float *read_all(const hl_weights *weights, const hl_stored_tensor *tensor) {
    hl_error error;
    float *out = malloc((size_t)tensor->elements * sizeof *out + 1);
    assert_non_null(out);
    assert_ok(weights_api.read(weights, tensor, 0, tensor->elements, out, &error), error);
    return out;
}

static void assert_same_bits(const float *got, const float *expected, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        if (isnan(expected[i])) {
            assert_true(isnan(got[i]));
        } else {
            assert_memory_equal(&got[i], &expected[i], sizeof *got);
        }
    }
}

/* ---- good files ---- */

static void converts_as_numpy_does(void **state) {
    (void)state;
    hl_weights *weights = open_path(TEST_GOLDEN "/io/floats.safetensors");
    const char *names[] = {"f16", "bf16", "f64", "f32"};
    for (size_t i = 0; i < 4; ++i) {
        npy_array expected = golden("io", names[i]);
        const hl_stored_tensor *tensor = weights_api.find(weights, names[i]);
        assert_non_null(tensor);
        assert_int_equal(tensor->rank, expected.rank);
        assert_int_equal(tensor->elements, expected.elements);
        float *got = read_all(weights, tensor);
        assert_same_bits(got, expected.data, expected.elements);

        float part[3]; /* from the middle, and again after the pages were given back */
        hl_error error;
        weights_api.done(weights, tensor);
        assert_ok(weights_api.read(weights, tensor, 7, 3, part, &error), error);
        assert_same_bits(part, expected.data + 7, 3);
        free(got);
        free(expected.data);
    }
    weights_api.close(weights);
}

static void lists_by_name(void **state) {
    (void)state;
    hl_weights *weights = open_path(TEST_GOLDEN "/io/floats.safetensors");
    const char *names[] = {"bf16", "f16", "f32", "f64", "i64", "scalar"};
    const hl_dtype types[] = {HL_BF16, HL_F16, HL_F32, HL_F64, HL_I64, HL_F32};
    for (size_t i = 0; i < 6; ++i) {
        const hl_stored_tensor *tensor = weights_api.at(weights, i);
        assert_string_equal(tensor->name, names[i]);
        assert_int_equal(tensor->dtype, types[i]);
        assert_ptr_equal(tensor, weights_api.find(weights, names[i]));
    }
    assert_null(weights_api.at(weights, 6));
    assert_null(weights_api.find(weights, "f"));
    assert_null(weights_api.find(weights, "__metadata__"));
    const hl_stored_tensor *matrix = weights_api.find(weights, "f32");
    assert_int_equal(matrix->shape[0], 3);
    assert_int_equal(matrix->shape[1], 5);
    const hl_stored_tensor *scalar = weights_api.find(weights, "scalar");
    assert_int_equal(scalar->rank, 0);
    float *value = read_all(weights, scalar);
    assert_true(*value == 2.5f);
    free(value);
    weights_api.close(weights);
}

static void refuses_reads_that_cannot_be(void **state) {
    (void)state;
    hl_weights *weights = open_path(TEST_GOLDEN "/io/floats.safetensors");
    const hl_stored_tensor *tensor = weights_api.find(weights, "f32");
    const hl_stored_tensor *whole = weights_api.find(weights, "i64");
    float out[32];
    hl_error error;
    assert_int_equal(weights_api.read(weights, tensor, 0, 16, out, &error), HL_FAILED);
    assert_int_equal(weights_api.read(weights, tensor, 16, 0, out, &error), HL_FAILED);
    assert_int_equal(weights_api.read(weights, tensor, 1, UINT64_MAX, out, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "tensor f32"));
    assert_ok(weights_api.read(weights, tensor, 15, 0, out, &error), error);
    assert_int_equal(weights_api.read(weights, whole, 0, 1, out, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "tensor i64"));
    weights_api.close(weights);
    weights_api.close(NULL);
}

/* The checkpoint in f16 and the same numbers stored as f32. */
static void rounded_checkpoints_agree(void **state) {
    (void)state;
    const char *kinds[] = {"f16", "bf16"};
    for (size_t k = 0; k < 2; ++k) {
        char *half_path = text("%s/tiny-a/model-%s/open_clip_model.safetensors", TEST_GOLDEN, kinds[k]);
        char *full_path =
            text("%s/tiny-a/model-%s-rounded/open_clip_model.safetensors", TEST_GOLDEN, kinds[k]);
        hl_weights *half = open_path(half_path), *full = open_path(full_path);
        size_t count = 0;
        for (const hl_stored_tensor *tensor; (tensor = weights_api.at(half, count)); ++count) {
            float *got = read_all(half, tensor);
            float *expected = read_all(full, weights_api.find(full, tensor->name));
            assert_same_bits(got, expected, (size_t)tensor->elements);
            free(got);
            free(expected);
        }
        assert_true(count > 20);
        assert_null(weights_api.at(full, count));
        weights_api.close(half);
        weights_api.close(full);
        free(half_path);
        free(full_path);
    }
}

/* ---- files made here ---- */

/* Parses a file of this header and `data` zero bytes from an exact copy, so that a sanitizer sees what is
 * read beyond it. The copy is the caller's. */
static hl_status parse(const char *header, size_t data, uint8_t **copy, hl_weights **weights,
                       hl_error *error) {
    size_t length = strlen(header), count = 8 + length + data;
    *copy = calloc(count, 1);
    assert_non_null(*copy);
    for (size_t i = 0; i < 8; ++i) (*copy)[i] = (uint8_t)(length >> 8 * i);
    memcpy(*copy + 8, header, length);
    return safetensors_parse("some.safetensors", *copy, count, weights, error);
}

static void assert_accepted(const char *header, size_t data, size_t tensors) {
    uint8_t *copy;
    hl_weights *weights;
    hl_error error;
    assert_ok(parse(header, data, &copy, &weights, &error), error);
    size_t count = 0;
    for (const hl_stored_tensor *tensor; (tensor = weights_api.at(weights, count)); ++count) {
        weights_api.done(weights, tensor); /* not a mapped file: leaves the memory alone */
        if (tensor->dtype == HL_F32) free(read_all(weights, tensor));
    }
    assert_int_equal(count, tensors);
    weights_api.close(weights);
    free(copy);
}

static void accepts_what_the_format_allows(void **state) {
    (void)state;
    assert_accepted("{}", 0, 0);
    assert_accepted("{\"__metadata__\":{\"format\":\"pt\"}}        ", 0, 0);
    assert_accepted("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, 1);
    assert_accepted("{\"a\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[0,0]},"
                    "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                    "\"c\":{\"dtype\":\"F32\",\"shape\":[7,0],\"data_offsets\":[4,4]}}",
                    4, 3);
    assert_accepted("{\"b\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[4,7]},"
                    "\"a\":{\"data_offsets\":[0,4],\"shape\":[2,1,1,1,1,1,1,1],\"dtype\":\"I16\"}}",
                    7, 2);
    const struct {
        const char *dtype;
        size_t bytes;
    } types[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2},    {"I64", 8},
                 {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U8", 1},      {"BOOL", 1},
                 {"U64", 8}, {"U32", 4}, {"U16", 2}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
    for (size_t i = 0; i < sizeof types / sizeof *types; ++i) {
        char *header = text("{\"a\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%zu]}}",
                            types[i].dtype, 3 * types[i].bytes);
        assert_accepted(header, 3 * types[i].bytes, 1);
        free(header);
    }
}

/* Beginnings and ends of entries, to keep the table below readable. */
#define A(rest)       "{\"a\":{" rest "}}"
#define F32(shape)    "\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":"
#define NEW(shape)    "\"dtype\":\"F3_NEW\",\"shape\":" shape ",\"data_offsets\":"
#define TWO(one, two) "{\"a\":{" one "},\"b\":{" two "}}"

static const struct {
    const char *header;
    size_t data;
    const char *reason;
} BAD[] = {
    {"[]", 0, "expected a JSON object"},
    {" {}", 0, "expected a JSON object"},
    {"{} {}", 0, "header: no valid JSON near byte 3"},
    {"{\"a\":", 0, "header: no valid JSON near byte 5"},
    {"{\"1\":1,", 0, "header: no valid JSON near byte 7"},
    {"{\"\xff\":{" F32("[1]") "[0,4]}}", 4, "header:1: not UTF-8"},
    {"{\"a\\u0000b\":{" F32("[1]") "[0,4]}}", 4, "a NUL character at byte 3"},
    {"{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0, "a NUL character at byte 22"},
    {"{", 0, "a header of 1 bytes"},
    {"{}", 1, "1 bytes of data, the tensors end at 0"},
    {"{\"a\":3}", 0, "no object"},
    {A(""), 0, "dtype"},
    {A("\"shape\":[1],\"data_offsets\":[0,4]"), 4, "dtype is missing or no text"},
    {A("\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]"), 4, "dtype is missing or no text"},
    {A("\"dtype\":[\"F32\"],\"shape\":[1],\"data_offsets\":[0,4]"), 4, "dtype is missing or no text"},
    {A("\"dtype\":\"F32\",\"data_offsets\":[0,4]"), 4, "shape is missing"},
    {A(F32("{}") "[0,4]"), 4, "shape is missing or no list"},
    {A(F32("[-1]") "[0,4]"), 4, "non-negative integers"},
    {A(F32("[1.5]") "[0,6]"), 6, "non-negative integers"},
    {A(F32("[\"1\"]") "[0,4]"), 4, "non-negative integers"},
    {A(F32("[1e300]") "[0,4]"), 4, "non-negative integers"},
    {A(F32("[1152921504606846976]") "[0,4]"), 4, "non-negative integers"},
    {A(F32("[4503599627370496,4503599627370496]") "[0,0]"), 0, "shape is too large"},
    {A(F32("[4503599627370496,1024]") "[0,0]"), 0, "shape is too large"},
    {A(F32("[4503599627370496,4503599627370496,0]") "[0,0]"), 0, "shape is too large"},
    {A(F32("[1,1,1,1,1,1,1,1,2]") "[0,4]"), 4, "disagree"},
    {A(F32("[0,1,1,1,1,1,1,4503599627370496,4503599627370496]") "[0,0]"), 0, "shape is too large"},
    {A("\"dtype\":\"F32\",\"shape\":[1]"), 4, "data_offsets are not two"},
    {A(F32("[1]") "[0]"), 4, "data_offsets are not two"},
    {A(F32("[1]") "[0,4,4]"), 4, "data_offsets are not two"},
    {A(F32("[1]") "[-4,0]"), 4, "data_offsets are not two"},
    {A(F32("[1]") "[0.5,4.5]"), 5, "data_offsets are not two"},
    {A(F32("[1]") "[4,0]"), 4, "end before they begin"},
    {A(F32("[1]") "[0,4]"), 3, "beyond the end of the file"},
    {A(F32("[1]") "[0,9007199254740991]"), 4, "beyond the end of the file"},
    {A(F32("[2]") "[0,4]"), 4, "disagree"},
    {A(F32("[0]") "[0,4]"), 4, "disagree"},
    {A(F32("[1]") "[0,4]"), 5, "5 bytes of data, the tensors end at 4"},
    {A(F32("[1]") "[1,5]"), 5, "unused bytes lie before it"},
    {TWO(F32("[2]") "[0,8]", F32("[2]") "[4,12]"), 12, "b: it overlaps"},
    {TWO(F32("[2]") "[0,8]", F32("[2]") "[0,8]"), 8, "overlaps"},
    {TWO(F32("[1]") "[0,4]", F32("[1]") "[8,12]"), 12, "b: unused bytes"},
    {"{\"a\":{" F32("[1]") "[0,4]},\"a\":{" F32("[1]") "[4,8]}}", 8, "a: its name comes twice"},
    /* of a dtype that nobody knows everything but its size is checked */
    {A(NEW("[1]") "[0,5]"), 4, "beyond the end of the file"},
    {A(NEW("[1]") "[5,4]"), 5, "end before they begin"},
    {A(NEW("[1]") "[0,4]"), 5, "5 bytes of data, the tensors end at 4"},
    {A(NEW("[1]") "[1,5]"), 5, "unused bytes lie before it"},
    {A(NEW("[-1]") "[0,4]"), 4, "non-negative integers"},
    {A(NEW("[4503599627370496,4503599627370496]") "[0,4]"), 4, "shape is too large"},
    {TWO(NEW("[1]") "[0,8]", F32("[2]") "[4,12]"), 12, "b: it overlaps"},
    {TWO(F32("[2]") "[0,8]", NEW("[2]") "[4,12]"), 12, "b: it overlaps"},
};

static void refuses_bad_headers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; ++i) {
        uint8_t *copy;
        hl_weights *weights;
        hl_error error = {""};
        hl_status status = parse(BAD[i].header, BAD[i].data, &copy, &weights, &error);
        free(copy);
        if (status != HL_FAILED) fail_msg("accepted: %s", BAD[i].header);
        assert_null(weights);
        assert_ptr_equal(strstr(error.message, "some.safetensors: "), error.message);
        if (!strstr(error.message, BAD[i].reason)) fail_msg("%s: %s", BAD[i].header, error.message);
    }
}

/* A dtype of tomorrow, of another size or of half bytes, makes no sound file damaged. */
static void unknown_dtypes_are_left_to_who_needs_them(void **state) {
    (void)state;
    static const struct {
        const char *dtype;
        size_t bytes; /* of three numbers */
    } types[] = {{"F4", 2},   {"F6_E2M3", 3},     {"F6_E3M2", 3}, {"F8_E8M0", 3}, {"F8_E4M3FNUZ", 3},
                 {"C64", 24}, {"TOMORROW", 1000}, {"f32", 12},    {"", 0}};
    for (size_t i = 0; i < COUNT(types); ++i) {
        char *header = text("{\"a\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[4,%zu]},"
                            "\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}",
                            types[i].dtype, 4 + types[i].bytes);
        uint8_t *copy;
        hl_weights *weights;
        hl_error error;
        assert_ok(parse(header, 4 + types[i].bytes, &copy, &weights, &error), error);
        const hl_stored_tensor *other = weights_api.find(weights, "a");
        assert_int_equal(other->dtype, HL_OTHER);
        assert_string_equal(other->type, types[i].dtype);
        assert_int_equal(other->elements, 3);
        float out[3];
        assert_int_equal(weights_api.read(weights, other, 0, 3, out, &error), HL_FAILED);
        assert_non_null(strstr(error.message, "tensor a: "));
        free(read_all(weights, weights_api.find(weights, "b")));
        weights_api.done(weights, other);
        weights_api.close(weights);
        free(copy);
        free(header);
    }
}

/* Nothing stores a number in less than a bit. */
static void unknown_dtypes_have_bounds(void **state) {
    (void)state;
    static const struct {
        const char *shape;
        bool sound;
    } shapes[] = {{"16", true}, {"2,8", true}, {"24", false}, {"4503591627370496,1024", false}};
    for (size_t i = 0; i < COUNT(shapes); ++i) {
        char *header =
            text("{\"a\":{\"dtype\":\"F1\",\"shape\":[%s],\"data_offsets\":[0,2]}}", shapes[i].shape);
        uint8_t *copy;
        hl_weights *weights = NULL;
        hl_error error;
        assert_int_equal(parse(header, 2, &copy, &weights, &error), shapes[i].sound ? HL_OK : HL_FAILED);
        if (!shapes[i].sound) assert_non_null(strstr(error.message, "disagree"));
        weights_api.close(weights);
        free(copy);
        free(header);
    }
}

/* hl_stored_tensor has room for eight. */
static void many_dimensions_fold_into_the_last(void **state) {
    (void)state;
    uint8_t *copy;
    hl_weights *weights;
    hl_error error;
    assert_ok(parse("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,2,1,1,1,1,1,3,5,2],\"data_offsets\":[0,60]}}", 60,
                    &copy, &weights, &error),
              error);
    const hl_stored_tensor *tensor = weights_api.at(weights, 0);
    assert_int_equal(tensor->rank, 8);
    assert_int_equal(tensor->shape[1], 2);
    assert_int_equal(tensor->shape[7], 30);
    assert_int_equal(tensor->elements, 60);
    weights_api.close(weights);
    free(copy);
}

/* As serde_json reads it, with which the format's own library reads its headers: white space, and no NUL. */
static void padding_is_white_space(void **state) {
    (void)state;
    static const struct {
        const char *padding;
        size_t count;
    } padded[] = {{" ", 1}, {"        ", 8}, {"\n", 1}, {"\r\n\t ", 4}},
      wrong[] = {{"\0", 1}, {"\0\0\0\0\0\0\0\0", 8}, {"  \0", 3}, {"\0  ", 3}, {" \0 ", 3}, {"\0\n", 2}};
    for (size_t i = 0; i < COUNT(padded) + COUNT(wrong); ++i) {
        bool good = i < COUNT(padded);
        const char *padding = good ? padded[i].padding : wrong[i - COUNT(padded)].padding;
        size_t count = good ? padded[i].count : wrong[i - COUNT(padded)].count;
        uint8_t bytes[24] = {(uint8_t)(2 + count), [8] = '{', [9] = '}'};
        memcpy(bytes + 10, padding, count);
        hl_weights *weights;
        hl_error error = {""};
        hl_status status = safetensors_parse("s", bytes, 10 + count, &weights, &error);
        if (status != (good ? HL_OK : HL_FAILED)) fail_msg("padding %zu: %s", i, error.message);
        if (!good) assert_non_null(strstr(error.message, "NUL"));
        weights_api.close(weights);
    }
}

static void refuses_bad_header_lengths(void **state) {
    (void)state;
    const uint64_t lengths[] = {0, 1, 3, 100000001, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 60};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
        uint8_t bytes[10] = {[8] = '{', [9] = '}'};
        for (size_t k = 0; k < 8; ++k) bytes[k] = (uint8_t)(lengths[i] >> 8 * k);
        hl_weights *weights;
        hl_error error = {""};
        assert_int_equal(safetensors_parse("s", bytes, sizeof bytes, &weights, &error), HL_FAILED);
        assert_non_null(strstr(error.message, "header of"));
    }
}

/* A header as deep as a file allows must not run out of stack. */
static void refuses_deep_nesting(void **state) {
    (void)state;
    size_t depth = 100000;
    char *header = malloc(depth * 5 + 1);
    assert_non_null(header);
    for (size_t i = 0; i < depth; ++i) memcpy(header + i * 5, "{\"a\":", 5);
    header[depth * 5] = '\0';
    uint8_t *copy;
    hl_weights *weights;
    hl_error error;
    assert_int_equal(parse(header, 0, &copy, &weights, &error), HL_FAILED);
    free(copy);
    free(header);
}

static void refuses_every_truncation(void **state) {
    (void)state;
    size_t count;
    char *bytes = read_file(TEST_GOLDEN "/io/floats.safetensors", &count);
    for (size_t cut = 0; cut < count; cut += cut < 700 ? 1 : 997) {
        uint8_t *copy = malloc(cut + !cut);
        assert_non_null(copy);
        memcpy(copy, bytes, cut);
        hl_weights *weights;
        hl_error error;
        assert_int_equal(safetensors_parse("s", copy, cut, &weights, &error), HL_FAILED);
        assert_null(weights);
        free(copy);
    }
    free(bytes);
}

static void missing_files_are_named(void **state) {
    (void)state;
    char *folder = make_folder(), *empty = text("%s/empty.safetensors", folder);
    write_text(empty, "");
    const char *paths[] = {TEST_GOLDEN "/no-such.safetensors", TEST_GOLDEN, empty};
    const char *reasons[] = {"No such file", "not a regular file", "in a file of 0"};
    for (size_t i = 0; i < 3; ++i) {
        hl_weights *weights;
        hl_error error;
        assert_int_equal(weights_api.open(paths[i], &weights, &error), HL_FAILED);
        assert_null(weights);
        assert_non_null(strstr(error.message, paths[i]));
        assert_non_null(strstr(error.message, reasons[i]));
    }
    free(empty);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converts_as_numpy_does),
        cmocka_unit_test(lists_by_name),
        cmocka_unit_test(refuses_reads_that_cannot_be),
        cmocka_unit_test(rounded_checkpoints_agree),
        cmocka_unit_test(accepts_what_the_format_allows),
        cmocka_unit_test(refuses_bad_headers),
        cmocka_unit_test(refuses_bad_header_lengths),
        cmocka_unit_test(refuses_deep_nesting),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(unknown_dtypes_are_left_to_who_needs_them),
        cmocka_unit_test(unknown_dtypes_have_bounds),
        cmocka_unit_test(many_dimensions_fold_into_the_last),
        cmocka_unit_test(padding_is_white_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
