/* `headlight index` of galleries that have changed, that cannot be read, and that are large. */
#include "tests/indexed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_changed(void **state) {
    (void)state;
    workplace place = make_workplace(24);
    char *fresh = text("%s/fresh", place.folder), *gone = text("%s/scene-005.jpg", place.images);
    char *changed = text("%s/scene-012.jpg", place.images);
    char *kept = text("%s/shard-000002.safetensors", place.out);
    char *dropped = text("%s/shard-000001.safetensors", place.out);
    index_well(MINI, place.images, place.out, "--shard-size", "8", NULL);
    struct stat before, after;
    assert_int_equal(stat(kept, &before), 0);
    unlink(gone);
    copy_file(MINI_GALLERY "/scene-300.jpg", changed);
    put_scenes(place.images, 30, 33);
    index_well(MINI, place.images, place.out, NULL);
    assert_int_equal(stat(kept, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_true(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    assert_false(file_exists(dropped));
    atlas *opened = open_atlas(place.out);
    assert_int_equal(atlas_count(opened), 26);
    assert_int_equal(find_image(opened, "scene-005.jpg"), SIZE_MAX);
    assert_int_equal(atlas_shard_count(opened), 4);
    assert_int_equal(atlas_shard_at(opened, 3).count, 4); /* three new ones and the one that changed */
    atlas_close(opened);
    index_well(MINI, place.images, fresh, NULL);
    assert_same_content(fresh, place.out, 1e-3);
    assert_command(0, "verify", place.out, NULL);
    char *copy = text("%s/copy", place.folder);
    copy_folder(place.out, copy);
    index_well(MINI, place.images, place.out, NULL); /* nothing to do */
    assert_same_bytes(copy, place.out);
    free(copy);
    free(dropped);
    free(kept);
    free(changed);
    free(gone);
    free(fresh);
    leave(&place);
}

/* Rewritten shards are as good as new ones: their moments follow from what is left. */
static void test_rewritten_moments(void **state) {
    (void)state;
    workplace place = make_workplace(9);
    char *gone = text("%s/scene-000.jpg", place.images);
    index_well(MINI, place.images, place.out, NULL);
    unlink(gone);
    index_well(MINI, place.images, place.out, NULL);
    atlas *opened = open_atlas(place.out);
    assert_int_equal(atlas_count(opened), 8);
    for (size_t head = 0; head < atlas_layout_of(opened)->head_count; ++head) {
        size_t width = shard_code_width(&atlas_layout_of(opened)->heads[head]);
        double sums[128] = {0};
        float code[128];
        for (size_t i = 0; i < 8; ++i) {
            read_code(opened, i, head, code);
            for (size_t k = 0; k < width; ++k) sums[k] += (double)code[k];
        }
        for (size_t k = 0; k < width; ++k)
            assert_true(fabs(sums[k] - atlas_moments(opened, 0, head)[k]) <= 1e-12);
    }
    atlas_close(opened);
    free(gone);
    leave(&place);
}

/* Indexes, which must print `said`; the errors, which the caller frees. */
static char *index_saying(const workplace *place, const char *said) {
    char *printed, *errors;
    assert_int_equal(run_command(&printed, &errors, "index", "--model", MINI, "--images", place->images,
                                 "--out", place->out, NULL),
                     0);
    assert_string_equal(printed, said);
    free(printed);
    return errors;
}

static void assert_skips(const workplace *place) {
    atlas *opened = open_atlas(place->out);
    assert_int_equal(atlas_count(opened), 3);
    assert_int_equal(opened->shards[0].skipped, 2);
    assert_string_equal(opened->shards[0].skips[0].path, "aa.png");
    assert_string_equal(opened->shards[0].skips[1].path, "scene-001.jpg");
    assert_null(strstr(opened->shards[0].skips[0].reason, place->folder));
    assert_true(strlen(opened->shards[0].skips[0].reason) > 5);
    atlas_close(opened);
}

static void test_unreadable(void **state) {
    (void)state;
    workplace place = make_workplace(4);
    char *words = text("%s/aa.png", place.images), *cut = text("%s/scene-001.jpg", place.images);
    char *nowhere = text("%s/zz.gif", place.images), *loop = text("%s/loop", place.images);
    write_text(words, "no picture");
    assert_int_equal(truncate(cut, 900), 0);
    assert_int_equal(symlink("missing", nowhere), 0);
    assert_int_equal(symlink(".", loop), 0);
    char *errors = index_saying(&place, "3 images, 2 skipped, 1 shard\n");
    assert_non_null(strstr(errors, "aa.png"));
    assert_non_null(strstr(errors, "scene-001.jpg"));
    assert_non_null(strstr(errors, "zz.gif"));
    assert_skips(&place);
    free(errors);
    unlink(nowhere);
    errors = index_saying(&place, "3 images, 2 skipped, 1 shard\n");
    assert_string_equal(errors, ""); /* what is damaged is not tried again */
    free(errors);
    copy_file(MINI_GALLERY "/scene-001.jpg", cut);
    errors = index_saying(&place, "4 images, 1 skipped, 2 shards\n");
    assert_string_equal(errors, "");
    free(errors);
    free(loop);
    free(nowhere);
    free(cut);
    free(words);
    leave(&place);
}

/* Of a gallery in which nothing can be read there is no atlas, or one that only says so. */
static void test_all_unreadable(void **state) {
    (void)state;
    char *folder = make_folder(), *list = text("%s/list.txt", folder), *out = text("%s/atlas", folder);
    char *broken = text("%s/b.jpg", folder);
    write_text(list, "a.jpg\nb.jpg\n");
    refused(1, "none of the gallery's 2 images could be read", "index", "--model", MINI, "--images", list,
            "--out", out);
    assert_false(file_exists(out));
    write_text(broken, "no picture");
    for (int again = 0; again < 2; ++again) {
        refused(1, "none of the gallery's 2 images could be read", "index", "--model", MINI, "--images", list,
                "--out", out);
    }
    assert_command(0, "verify", out, NULL);
    atlas *opened = open_atlas(out);
    assert_int_equal(atlas_count(opened), 0);
    assert_int_equal(opened->shards[0].skipped, 1);
    atlas_close(opened);
    copy_file(MINI_GALLERY "/scene-000.jpg", broken);
    index_well(MINI, list, out, NULL);
    free(broken);
    free(out);
    free(list);
    remove_folder(folder);
}

static long peak_of_index(const char *images, const char *out) {
    const char *const arguments[] = {TEST_COMMAND,   "index", "--model", MINI,        "--images",
                                     images,         "--out", out,       "--threads", "2",
                                     "--shard-size", "32",    "--batch", "8",         NULL};
    pid_t child = start_program(arguments);
    int status;
    struct rusage usage;
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return usage.ru_maxrss;
}

/* Four times the images, the same memory but for their paths. */
static void test_memory(void **state) {
    (void)state;
#ifdef TEST_SANITIZED
    skip(); /* sanitizers keep memory of their own, some of it freed memory */
#endif
    workplace place = make_workplace(100);
    char *large = text("%s/large", place.folder);
    long few = peak_of_index(place.images, place.out), many = peak_of_index(MINI_GALLERY, large);
    print_message("peak of 100 images: %ld KiB, of 400: %ld KiB\n", few, many);
    assert_true(many - few < 3072);
    free(large);
    leave(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changed),    cmocka_unit_test(test_rewritten_moments),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_all_unreadable),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
