/* Shares of one gallery, each indexed for itself, and `headlight merge`. */
#include "tests/indexed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_shares(void **state) {
    (void)state;
    workplace place = make_workplace(33);
    char *half[2], *merged = text("%s/merged", place.folder);
    index_well(MINI, place.images, place.out, NULL);
    for (int i = 0; i < 2; ++i) {
        char *share = text("%d/2", i);
        half[i] = text("%s/half-%d", place.folder, i);
        index_well(MINI, place.images, half[i], "--shard", share, "--shard-size", "5", NULL);
        free(share);
    }
    atlas *opened = open_atlas(half[0]);
    assert_int_equal(atlas_count(opened), 17);
    atlas_close(opened);
    assert_command(0, "merge", merged, half[0], half[1], NULL);
    for (int i = 0; i < 2; ++i) {
        char *old = half[i];
        half[i] = text("%s/moved-%d", place.folder, i);
        assert_int_equal(rename(old, half[i]), 0); /* the merged atlas stands alone */
        free(old);
    }
    assert_command(0, "verify", merged, NULL);
    assert_same_content(place.out, merged, 1e-3);
    opened = open_atlas(merged);
    for (size_t i = 1; i < atlas_count(opened); ++i) {
        assert_true(strcmp(atlas_path(opened, i - 1), atlas_path(opened, i)) < 0);
    }
    atlas_close(opened);
    index_well(MINI, place.images, merged, NULL); /* it goes on as any other atlas */
    for (int i = 0; i < 2; ++i) free(half[i]);
    free(merged);
    leave(&place);
}

typedef struct launcher {
    const char *rank, *size;
} launcher;

static const launcher LAUNCHERS[] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                     {"PMI_RANK", "PMI_SIZE"},
                                     {"MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"},
                                     {"SLURM_PROCID", "SLURM_NTASKS"}};
enum { LAUNCHER_COUNT = sizeof LAUNCHERS / sizeof *LAUNCHERS };

static void test_share_auto(void **state) {
    (void)state;
    workplace place = make_workplace(4);
    for (size_t i = 0; i < LAUNCHER_COUNT; ++i) {
        unsetenv(LAUNCHERS[i].rank);
        unsetenv(LAUNCHERS[i].size);
    }
    refused(2, "SLURM_PROCID", "index", "--model", MINI, "--images", place.images, "--out", place.out,
            "--shard", "auto");
    for (size_t i = 0; i < LAUNCHER_COUNT; ++i) {
        char *each = text("%s/atlas-%zu", place.folder, i), *printed;
        char *own = text("%s/parts/2-of-3", each);
        setenv(LAUNCHERS[i].rank, "2", 1);
        setenv(LAUNCHERS[i].size, "3", 1);
        assert_int_equal(run_command(&printed, NULL, "index", "--model", MINI, "--images", place.images,
                                     "--out", each, "--shard", "auto", NULL),
                         0);
        assert_non_null(strstr(printed, "share 2 of 3"));
        assert_non_null(strstr(printed, LAUNCHERS[i].rank));
        atlas *opened = open_atlas(own);
        assert_int_equal(atlas_count(opened), 1);
        assert_string_equal(atlas_path(opened, 0), "scene-003.jpg");
        atlas_close(opened);
        unsetenv(LAUNCHERS[i].rank);
        unsetenv(LAUNCHERS[i].size);
        free(printed);
        free(own);
        free(each);
    }
    leave(&place);
}

/* More processes than images: whoever has none leaves an atlas all the same, for the merge. */
static void test_empty_share(void **state) {
    (void)state;
    workplace place = make_workplace(2);
    char *empty = text("%s/empty", place.folder), *whole = text("%s/whole", place.folder);
    index_well(MINI, place.images, empty, "--shard", "3/4", NULL);
    atlas *opened = open_atlas(empty);
    assert_int_equal(atlas_count(opened), 0);
    atlas_close(opened);
    index_well(MINI, place.images, place.out, NULL);
    assert_command(0, "merge", whole, empty, place.out, NULL);
    assert_command(0, "verify", empty, NULL);
    assert_same_content(place.out, whole, 0);
    free(whole);
    free(empty);
    leave(&place);
}

static void test_merge_refuses(void **state) {
    (void)state;
    char *folder = make_folder(), *a = text("%s/a", folder), *b = text("%s/b", folder),
         *c = text("%s/c", folder);
    char *list = text("%s/list.txt", folder), *out = text("%s/out", folder),
         *other = text("%s/other.txt", folder);
    write_text(list, MINI_GALLERY "/scene-000.jpg\n" MINI_GALLERY "/scene-001.jpg\n");
    write_text(other, MINI_GALLERY "/scene-001.jpg\n" MINI_GALLERY "/scene-002.jpg\n");
    index_well(MINI, list, a, NULL);
    index_well(MINI, other, b, NULL);
    index_well(TINY_MODEL, other, c, NULL);
    char *both = text("%s and %s both hold an image " MINI_GALLERY "/scene-001.jpg", a, b);
    refused(2, both, "merge", out, a, b);
    assert_false(file_exists(out));
    refused(2, "the fingerprint", "merge", out, a, c);
    refused(2, "the fingerprint", "index", "--model", TINY_MODEL, "--images", list, "--out", a);
    refused(2, folder, "merge", folder, a);
    refused(2, "no atlas", "merge", out, list);
    assert_command(0, "merge", out, a, NULL);
    assert_command(0, "merge", out, a, NULL); /* once more: it has all that a has */
    refused(2, "both hold", "merge", out, b); /* one image is in both, by another shard */
    assert_command(0, "verify", out, NULL);
    assert_same_content(a, out, 0);
    free(both);
    free(other);
    free(list);
    free(out);
    free(a);
    free(b);
    free(c);
    remove_folder(folder);
}

/* A shard that is damaged is not spread. */
static void test_merge_checks(void **state) {
    (void)state;
    workplace place = make_workplace(3);
    char *merged = text("%s/merged", place.folder), *path = text("%s/shard-000000.safetensors", place.out);
    index_well(MINI, place.images, place.out, NULL);
    size_t count;
    char *content = read_file(path, &count);
    content[count / 2] ^= 1;
    write_file(path, content, count);
    refused(1, path, "merge", merged, place.out);
    assert_false(file_exists(merged));
    free(content);
    free(path);
    free(merged);
    leave(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),       cmocka_unit_test(test_share_auto),
        cmocka_unit_test(test_empty_share),  cmocka_unit_test(test_merge_refuses),
        cmocka_unit_test(test_merge_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
