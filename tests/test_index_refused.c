/* What `headlight verify` finds, and what `headlight index` and its like refuse. */
#include "tests/indexed.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_verify(void **state) {
    (void)state;
    workplace place = make_workplace(12);
    char *path = text("%s/shard-000001.safetensors", place.out);
    index_well(MINI, place.images, place.out, "--shard-size", "4", NULL);
    char *printed;
    assert_int_equal(run_command(&printed, NULL, "verify", place.out, NULL), 0);
    assert_string_equal(printed, "12 images, 0 skipped, 3 shards\n");
    free(printed);
    size_t count;
    char *content = read_file(path, &count);
    atlas *opened = open_atlas(place.out);
    const uint8_t *start_of = opened->shards[1].file.bytes;
    const size_t places[] = {0,
                             40,
                             (size_t)((const uint8_t *)atlas_codes(opened, 1, 5) - start_of) + 3,
                             (size_t)((const uint8_t *)atlas_scalars(opened, 1, 0) - start_of),
                             (size_t)((const uint8_t *)atlas_moments(opened, 1, 31) - start_of) + 99,
                             (size_t)((const char *)memmem(content, count, "scene-005", 9) - content)};
    atlas_close(opened);
    for (size_t i = 0; i < COUNT(places); ++i) {
        content[places[i]] ^= 16;
        write_file(path, content, count);
        content[places[i]] ^= 16;
        refused(1, "shard-000001.safetensors", "verify", place.out);
    }
    write_file(path, content, count - 100);
    refused(1, "shard-000001.safetensors", "verify", place.out);
    refused(1, "shard-000001.safetensors", "index", "--model", MINI, "--images", place.images, "--out",
            place.out);
    unlink(path);
    refused(1, "shard-000001.safetensors", "verify", place.out);
    free(content);
    free(path);
    leave(&place);
}

static void test_usage(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/atlas", folder);
#define INDEX "index", "--model", MINI, "--images", MINI_GALLERY, "--out", out
    refused(2, "--shard", INDEX, "--shard", "2/2");
    refused(2, "--shard", INDEX, "--shard", "1");
    refused(2, "--shard", INDEX, "--shard", "-1/2");
    refused(2, "--shard", INDEX, "--shard", "0/0");
    refused(2, "--shard", INDEX, "--shard", "0/2x");
    refused(2, "f16 or f32", INDEX, "--dtype", "f64");
    refused(2, "did you mean \"embedding\"", INDEX, "--columns", "mlps,embeding");
    refused(2, "expected \"all\"", INDEX, "--layers", "8-11");
    refused(2, "expected \"all\"", INDEX, "--layers", "L3-L2");
    refused(2, "expected \"all\"", INDEX, "--layers", "L1x");
    refused(2, "its layers are L0 to L3", INDEX, "--layers", "L2-L9");
    refused(2, "unknown compute plugin", INDEX, "--backend", "abacus");
    refused(2, "/no/such", "index", "--model", MINI, "--images", "/no/such", "--out", out);
    refused(2, "/no/such", "index", "--model", "/no/such", "--images", MINI_GALLERY, "--out", out);
    refused(2, "is missing", "index", "--model", MINI, "--images", MINI_GALLERY);
    refused(2, "is missing", "merge", out);
    refused(2, "is missing", "verify");
#undef INDEX
    assert_int_equal(count_files(folder), 0);
    free(out);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
