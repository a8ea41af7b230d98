/* How often the built command looks at a file, counted from outside (see preload/fail_call.c). */
#include "core/atlas/writer.h"
#include "core/host/host.h"
#include "tests/indexed.h"
#include "tests/mini.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Calls of the kind `name` that the command makes on files whose path ends in `ending`; all calls are let
 * through. Arguments end with NULL. */
static long count_calls(const char *name, const char *ending, const char *const *arguments) {
    char *folder = make_folder(), *counts = text("%s/counts", folder), *errors;
    setenv("FAIL_CALL", "any:1000000000:EIO", 1);
    setenv("FAIL_CALL_FILE", ending, 1);
    setenv("FAIL_CALL_COUNT", counts, 1);
    setenv("LD_PRELOAD", TEST_PRELOAD "/fail_call.preload", 1);
    const char *all[32] = {TEST_COMMAND};
    for (size_t i = 0; arguments[i]; ++i) all[i + 1] = arguments[i];
    int status = run_program(all, NULL, &errors);
    unsetenv("LD_PRELOAD");
    if (status != 0) fail_msg("status %d: %s", status, errors);
    char *lines = read_file(counts, NULL), *line = text("\n%s ", name), *from = text("\n%s", lines);
    const char *found = strstr(from, line);
    long count = found ? strtol(found + strlen(line), NULL, 10) : 0;
    free(errors);
    free(lines);
    free(line);
    free(from);
    free(counts);
    remove_folder(folder);
    return count;
}
#define CALLS(NAME, ENDING, ...) count_calls(NAME, ENDING, (const char *const[]){__VA_ARGS__, NULL})

/* Scenes that can be read, and files that cannot, which is remembered: an update looks at both alike. */
static void an_update_looks_once_at_each_image(void **state) {
    (void)state;
    enum { IMAGES = 12000, READABLE = 3 };
    workplace place = make_workplace(READABLE);
    char *list = text("%s/list.txt", place.images), *lines = calloc(IMAGES + 1, 32), *at = lines;
    for (int i = 0; i < IMAGES; ++i) {
        char *path = text("%s/sub-%d/broken-%05d.jpg", place.images, i % 4, i);
        if (i < 4) {
            char *folder = text("%s/sub-%d", place.images, i);
            assert_int_equal(mkdir(folder, 0755), 0);
            free(folder);
        }
        if (i >= READABLE) write_text(path, "no image");
        at += i < READABLE ? sprintf(at, "scene-%03d.jpg\n", i)
                           : sprintf(at, "sub-%d/broken-%05d.jpg\n", i % 4, i);
        free(path);
    }
    write_text(list, lines);
    const char *const sources[] = {place.images, list};
    for (size_t i = 0; i < COUNT(sources); ++i) {
        index_well(TINY_MODEL, sources[i], place.out, NULL);
        long looks = CALLS("stat", ".jpg", "index", "--model", TINY_MODEL, "--images", sources[i], "--out",
                           place.out, "--threads", "2");
        assert_int_equal(looks, IMAGES);
    }
    free(list);
    free(lines);
    leave(&place);
}

/* ---- what a question reads ---- */

#define EXPERIMENT                                                                                           \
    "headlight: 1\nmodel: {path: " MINI "}\ncompute: {backend: reference, threads: 2}\n"                     \
    "gallery: {images: images, atlas: atlas}\noutput: out\nanalyses:\n"
#define ONE_HEAD "  - {plugin: text-neighbors, texts: [snow], heads: [L3.H5]}\n"

static void a_run_opens_its_atlas_once(void **state) {
    (void)state;
    workplace place = make_workplace(5);
    char *experiment = text("%s/e.yaml", place.folder);
    write_text(experiment, EXPERIMENT ONE_HEAD "  - {plugin: text-neighbors, texts: [a star], heads: all}\n");
    index_well(MINI, place.images, place.out, "--shard-size", "2", NULL);
    assert_int_equal(CALLS("open", "/atlas.json", "run", experiment), 1);
    put_scenes(place.images, 5, 8); /* brought up to date on the way: the new one is written, not read */
    assert_int_equal(CALLS("open", "/atlas/atlas.json", "run", experiment), 1);
    free(experiment);
    leave(&place);
}

enum { SHARDS = 40, IMAGES_OF_SHARD = 512, HEADS = 32, WIDTH = 16 };

/* An atlas of random codes such as the mini model's, whose images are one file with many names. */
static void make_large_atlas(const workplace *place) {
    atlas *small = open_atlas(place->out);
    atlas_layout layout = *atlas_layout_of(small);
    char *large = text("%s/large", place->folder);
    hl_library_settings settings = {.user = NULL};
    host *services;
    atlas_writer *writer;
    hl_error error;
    struct stat about;
    char *scene = text("%s/scene-000.jpg", place->images);
    assert_int_equal(stat(scene, &about), 0);
    assert_ok(host_open(&settings, 2, &services, &error), error);
    assert_ok(atlas_writer_open(large, &layout, IMAGES_OF_SHARD, &writer, &error), error);
    int64_t modified = (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec;
    uint32_t state = 1;
    for (int shard = 0; shard < SHARDS; ++shard) {
        shard_builder *filled;
        assert_ok(shard_builder_open(atlas_writer_layout(writer), IMAGES_OF_SHARD, &filled, &error), error);
        for (int i = 0; i < IMAGES_OF_SHARD; ++i) {
            char *name = text("s%02d-%03d.jpg", shard, i), *path = text("%s/%s", place->images, name);
            assert_int_equal(link(scene, path), 0);
            assert_ok(shard_builder_add(filled, (shard_image){name, about.st_size, modified}, &error), error);
            for (size_t head = 0; head < layout.head_count; ++head) {
                float code[WIDTH + 8] = {0};
                for (uint32_t k = 0; k < layout.heads[head].width; ++k) {
                    state = state * 1664525u + 1013904223u;
                    code[k] = (float)(state >> 8) / 8388608.0f - 1.0f;
                }
                assert_ok(shard_builder_code(filled, head, code, &error), error);
            }
            free(name);
            free(path);
        }
        assert_ok(atlas_writer_append(writer, filled, &services->interface, &error), error);
        shard_builder_close(filled);
    }
    atlas_writer_close(writer);
    host_close(services);
    atlas_close(small);
    remove_folder(strdup(place->out));
    assert_int_equal(rename(large, place->out), 0);
    assert_int_equal(unlink(scene), 0);
    free(scene);
    free(large);
}

/* Bytes of shards that a run touches, in whole pages. */
static long touched_by(const char *experiment, const char *counts) {
    char *errors;
    setenv("COUNT_PAGES_FILE", ".safetensors", 1);
    setenv("COUNT_PAGES", counts, 1);
    setenv("LD_PRELOAD", TEST_PRELOAD "/count_pages.preload", 1);
    int status = run_command(NULL, &errors, "run", experiment, NULL);
    unsetenv("LD_PRELOAD");
    if (status != 0) fail_msg("status %d: %s", status, errors);
    char *number = read_file(counts, NULL);
    long bytes = strtol(number, NULL, 10);
    free(number);
    free(errors);
    return bytes;
}

/* The head's codes, the further numbers, headers, paths, sizes and times, each up to whole pages at both
 * ends. */
static long expected_bytes(const char *folder) {
    atlas *opened = open_atlas(folder);
    size_t head = atlas_find_head(opened, "L3.H5"), pages = 0;
    for (size_t i = 0; i < opened->opened; ++i) {
        const shard_file *shard = &opened->shards[i];
        const shard_layout *layout = shard->layout;
        const size_t read[] = {layout->codes + head, layout->scalars[head], layout->paths,
                               layout->bytes,        layout->modified,      layout->skipped};
        uint64_t header;
        memcpy(&header, shard->file.bytes, sizeof header);
        pages += header / 4096 + 2;
        for (size_t k = 0; k < COUNT(read); ++k) pages += shard->bytes[read[k]] / 4096 + 2;
    }
    assert_int_equal(opened->opened, SHARDS);
    atlas_close(opened);
    return (long)pages * 4096;
}

static long size_of_shards(const char *folder) {
    atlas *opened = open_atlas(folder);
    long all = 0;
    for (size_t i = 0; i < opened->opened; ++i) all += (long)opened->shards[i].file.count;
    atlas_close(opened);
    return all;
}

static void a_question_reads_its_head(void **state) {
    (void)state;
    workplace place = make_workplace(1);
    char *experiment = text("%s/e.yaml", place.folder), *counts = text("%s/counts", place.folder);
    index_well(MINI, place.images, place.out, NULL);
    make_large_atlas(&place);
    long all = size_of_shards(place.out), most = expected_bytes(place.out);
    write_text(experiment, EXPERIMENT ONE_HEAD);
    long read = touched_by(experiment, counts);
    if (read > most || read == 0) fail_msg("read %ld bytes, at most %ld of %ld expected", read, most, all);
    assert_true(most < all / 4);
    /* and the counting sees what is read */
    write_text(experiment, EXPERIMENT "  - {plugin: text-neighbors, texts: [snow], heads: all, count: 1}\n");
    assert_true(touched_by(experiment, counts) > 2 * read);
    free(experiment);
    free(counts);
    leave(&place);
}

/* An experiment is read once, whatever is set in it and however many variants it has; in a run each image
 * that it names is opened once, for passes and pictures alike. */
static void a_run_opens_what_it_reads_once(void **state) {
    (void)state;
    char *folder = make_folder(), *gallery = text("%s/gallery", folder), *path = text("%s/once.yaml", folder);
    char *set = text("output=%s/out", folder), *asked = text("%s/asked.jpg", folder);
    put_scenes(gallery, 0, 5);
    copy_file(MINI_GALLERY "/scene-007.jpg", asked);
    static const char analyses[] =
        "analyses:\n"
        "  - {plugin: topic-segmentation, images: asked.jpg, texts: [snow, a red star], heads: [aggregate, "
        "L3.H5]}\n"
        "  - {plugin: image-neighbors, images: [asked.jpg, asked.jpg], heads: [L3.H5, L2], count: 2}\n"
        "  - {plugin: text-neighbors, texts: [{image: asked.jpg}], heads: [L3.H5], count: 2}\n";
    char *plain =
        text("headlight: 1\nmodel: {path: " MINI "}\ngallery: {images: gallery, atlas: atlas}\n%s", analyses);
    char *varied = text("%svariants: [{name: a}, {name: b, set: {analyses.0.opacity: 0.5}}, {name: c, set: "
                        "{analyses: [{plugin: text-neighbors, texts: rain, heads: L1}]}}]\n",
                        plain);
    write_text(path, varied);
    assert_int_equal(CALLS("open", "once.yaml", "run", path, "--set", set), 1);
    write_text(path, plain);
    assert_int_equal(CALLS("open", "once.yaml", "run", path, "--set", set), 1);
    assert_int_equal(CALLS("open", "asked.jpg", "run", path, "--set", set), 1);
    free(plain);
    free(varied);
    free(set);
    free(asked);
    free(path);
    free(gallery);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_looks_once_at_each_image),
        cmocka_unit_test(a_run_opens_its_atlas_once),
        cmocka_unit_test(a_question_reads_its_head),
        cmocka_unit_test(a_run_opens_what_it_reads_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
