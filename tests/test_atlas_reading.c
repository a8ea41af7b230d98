/* An atlas answers from what it reads, and never from damage; what was made by an earlier version, or without
 * the columns that are asked for, is brought up to date. */
#include "core/atlas/reading.h"
#include "core/host/host.h"
#include "tests/experiment.h"
#include "tests/indexed.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_COLUMNS "embedding,mlps,first"
#define GALLERY     "model: {path: " MINI "}\ngallery: {images: images, atlas: atlas}\n"
#define ASKED       "  - {plugin: text-neighbors, texts: [snow], heads: [L3.H5, L1.H2], count: 8}\n"

static host *open_host(void) {
    const hl_library_settings settings = {.user = NULL};
    host *made;
    hl_error error;
    assert_ok(host_open(&settings, 2, &made, &error), error);
    return made;
}

static char *read_manifest(const workplace *place) {
    char *path = text("%s/atlas.json", place->out), *out = read_file(path, NULL);
    free(path);
    return out;
}

static void leave_all(workplace *place, outcome *got) {
    free(place->images);
    free(place->out);
    end(got);
}

/* ---- damage ---- */

/* Everything that a question can read of a head, or of the columns. */
static hl_status read_all(const char *folder, size_t head, float *codes, float *embeddings, double *moments,
                          hl_error *error) {
    atlas *opened;
    host *services = open_host();
    const hl_host *interface = &services->interface;
    size_t count;
    double sums[64];
    hl_status status = atlas_open(folder, &opened, error);
    if (status == HL_OK) {
        const atlas_images images = {NULL, atlas_count(opened)};
        status = atlas_read_codes(opened, interface, head, images, codes, error);
        if (status == HL_OK) status = atlas_read_embeddings(opened, interface, images, embeddings, error);
        if (status == HL_OK) {
            status = atlas_sum_moments(opened, interface, head, images, 0, 1, &count, sums, moments, error);
        }
    }
    atlas_close(opened);
    host_close(services);
    return status;
}

/* A byte changed anywhere in a shard: an error that names it, or the same answer. */
static void no_answer_comes_from_a_flipped_byte(void **state) {
    (void)state;
    enum { IMAGES = 3, ROOM = IMAGES * 2048 };
    static float codes[ROOM], embeddings[ROOM], again[ROOM], also[ROOM];
    static double moments[ROOM], others[ROOM];
    workplace place = make_workplace(IMAGES);
    char *path = text("%s/shard-000000.safetensors", place.out);
    hl_error error;
    index_well(MINI, place.images, place.out, "--columns", ALL_COLUMNS, "--layers", "L3", NULL);
    assert_ok(read_all(place.out, 5, codes, embeddings, moments, &error), error);
    size_t count, noticed = 0, tried = 0;
    char *content = read_file(path, &count);
    for (size_t i = 0; i < count; i += 1 + i % 13, ++tried) {
        content[i] = (char)(content[i] ^ (1 << i % 8));
        write_file(path, content, count);
        content[i] = (char)(content[i] ^ (1 << i % 8));
        memset(again, 0, sizeof again);
        memset(also, 0, sizeof also);
        memset(others, 0, sizeof others);
        hl_status status = read_all(place.out, 5, again, also, others, &error);
        if (status != HL_OK) {
            assert_int_equal(status, HL_FAILED);
            assert_non_null(strstr(error.message, "shard-000000.safetensors"));
            ++noticed;
        } else if (memcmp(codes, again, sizeof codes) != 0 || memcmp(embeddings, also, sizeof also) != 0 ||
                   memcmp(moments, others, sizeof moments) != 0) {
            fail_msg("byte %zu of %zu", i, count);
        }
    }
    assert_true(noticed > 0 && noticed < tried / 2); /* most of it was not asked for */
    free(content);
    free(path);
    leave(&place);
}

/* Shards of one size, each in the other's place; one of another atlas; one that is cut. */
static void wrong_shards_are_named(void **state) {
    (void)state;
    workplace place = make_workplace(8);
    char *first = text("%s/shard-000000.safetensors", place.out),
         *second = text("%s/shard-000001.safetensors", place.out), *aside = text("%s/aside", place.folder);
    index_well(MINI, place.images, place.out, "--shard-size", "4", NULL);
    assert_int_equal(rename(first, aside), 0);
    assert_int_equal(rename(second, first), 0);
    assert_int_equal(rename(aside, second), 0);
    outcome got = run_in(place.folder, GALLERY, ASKED);
    need_failure(&got, 1, "shard-000000.safetensors");
    forget(&got);
    assert_int_equal(truncate(first, 5000), 0);
    got = run_in(place.folder, GALLERY, ASKED);
    need_failure(&got, 1, "shard-000000.safetensors");
    free(first);
    free(second);
    free(aside);
    leave_all(&place, &got);
}

/* What is damaged is not copied into a new shard, whose checksum would be right. */
static void damage_is_not_copied(void **state) {
    (void)state;
    workplace place = make_workplace(8);
    char *path = text("%s/shard-000000.safetensors", place.out),
         *gone = text("%s/scene-001.jpg", place.images);
    index_well(MINI, place.images, place.out, "--shard-size", "4", NULL);
    atlas *opened = open_atlas(place.out);
    size_t at = (size_t)((const uint8_t *)atlas_codes(opened, 0, 7) - opened->shards[0].file.bytes), count;
    atlas_close(opened);
    char *content = read_file(path, &count);
    content[at] ^= 1;
    write_file(path, content, count);
    unlink(gone);
    refused(1, "codes", "index", "--model", MINI, "--images", place.images, "--out", place.out);
    refused(1, "codes", "index", "--model", MINI, "--images", place.images, "--out", place.out, "--columns",
            "embedding");
    free(content);
    free(path);
    free(gone);
    leave(&place);
}

/* ---- version 1 ---- */

/* atlas.json as earlier versions wrote it. */
static void make_version_1(const workplace *place) {
    char *path = text("%s/atlas.json", place->out);
    cJSON *root = read_json(path), *shard;
    cJSON_SetNumberValue(cJSON_GetObjectItem(root, "version"), 1);
    cJSON_ArrayForEach(shard, cJSON_GetObjectItem(root, "shards")) {
        cJSON_DeleteItemFromObject(shard, "header");
        cJSON_DeleteItemFromObject(shard, "tensors");
    }
    char *printed = cJSON_Print(root), *lines = text("%s\n", printed);
    write_text(path, lines);
    free(lines);
    cJSON_free(printed);
    cJSON_Delete(root);
    free(path);
}

static void version_1_is_brought_up_to_date(void **state) {
    (void)state;
    workplace place = make_workplace(10);
    char *lock = text("%s/.lock", place.out);
    index_well(MINI, place.images, place.out, "--shard-size", "4", NULL);
    char *second = read_manifest(&place);
    outcome got = run_in(place.folder, GALLERY, ASKED);
    need_success(&got);
    char *results = cJSON_Print(results_of(&got, 0));
    forget(&got);

    /* a run does it, and an index; what is made is what would have been made */
    for (int i = 0; i < 2; ++i) {
        make_version_1(&place);
        assert_command(0, "verify", place.out, NULL);
        if (i == 0) {
            got = run_in(place.folder, GALLERY, ASKED);
            need_success(&got);
            char *again = cJSON_Print(results_of(&got, 0));
            assert_string_equal(again, results);
            cJSON_free(again);
            forget(&got);
        } else {
            index_well(MINI, place.images, place.out, NULL);
        }
        char *now = read_manifest(&place);
        assert_string_equal(now, second);
        free(now);
    }

    /* one that cannot be written answers all the same, and stays */
    make_version_1(&place);
    char *first = read_manifest(&place);
    unlink(lock);
    assert_int_equal(mkdir(lock, 0700), 0);
    got = run_in(place.folder, GALLERY, ASKED);
    need_success(&got);
    char *again = cJSON_Print(results_of(&got, 0)), *now = read_manifest(&place);
    assert_string_equal(again, results);
    assert_string_equal(now, first);
    cJSON_free(again);
    free(now);
    free(first);
    free(second);
    cJSON_free(results);
    free(lock);
    leave_all(&place, &got);
}

/* A question to one head reads the whole shard, and a merge checks what it copies. */
static void version_1_is_no_excuse(void **state) {
    (void)state;
    workplace place = make_workplace(8);
    char *path = text("%s/shard-000001.safetensors", place.out), *merged = text("%s/merged", place.folder);
    index_well(MINI, place.images, place.out, "--shard-size", "4", NULL);
    make_version_1(&place);
    assert_command(0, "merge", merged, place.out, NULL);
    assert_command(0, "verify", merged, NULL);
    assert_same_content(place.out, merged, 0);
    atlas *whole = open_atlas(merged);
    for (size_t i = 0; i < whole->opened; ++i) assert_non_null(whole->shards[i].sums);
    size_t at = (size_t)((const uint8_t *)atlas_codes(whole, 1, 9) - whole->shards[1].file.bytes), count;
    atlas_close(whole);
    char *content = read_file(path, &count);
    content[at] ^= 1;
    write_file(path, content, count);
    outcome got = run_in(place.folder, GALLERY, ASKED);
    need_failure(&got, 1, "shard-000001.safetensors");
    remove_folder(merged);
    char *again = text("%s/again", place.folder);
    refused(1, "shard-000001.safetensors", "merge", again, place.out);
    free(again);
    free(content);
    free(path);
    leave_all(&place, &got);
}

/* The same weights, preprocessing and precision as ever are the same atlas: this is what headlight 0.1 called
 * it before it told precisions apart. */
static void fingerprints_are_what_they_were(void **state) {
    (void)state;
    workplace place = make_workplace(2);
    static const char *const backends[] = {"reference", "openblas"};
    for (size_t i = 0; i < COUNT(backends); ++i) {
        index_well(MINI, place.images, place.out, "--backend", backends[i], NULL);
        atlas *opened = open_atlas(place.out);
        assert_string_equal(atlas_layout_of(opened)->fingerprint, "83863a3aa6ddcba444ff4d09fe3d3fca");
        atlas_close(opened);
        remove_folder(strdup(place.out));
    }
    leave(&place);
}

/* ---- columns ---- */

static void assert_columns(const char *folder, uint32_t columns, size_t images) {
    atlas *opened = open_atlas(folder);
    assert_int_equal(atlas_layout_of(opened)->columns, columns);
    assert_int_equal(atlas_count(opened), images);
    atlas_close(opened);
}

static const void *column_of(const atlas *of, size_t shard, size_t tensor) {
    return of->shards[shard].data[tensor];
}

/* Same shards, same columns: as the model gave them, whenever that was. */
static void assert_same_columns(const char *left, const char *right) {
    atlas *a = open_atlas(left), *b = open_atlas(right);
    assert_int_equal(a->opened, b->opened);
    for (size_t i = 0; i < a->opened; ++i) {
        for (size_t tensor = a->layout->first; tensor <= a->layout->mlps; ++tensor) {
            assert_int_equal(a->shards[i].bytes[tensor], b->shards[i].bytes[tensor]);
            assert_memory_equal(column_of(a, i, tensor), column_of(b, i, tensor), a->shards[i].bytes[tensor]);
        }
    }
    atlas_close(a);
    atlas_close(b);
}

static void columns_are_added(void **state) {
    (void)state;
    workplace place = make_workplace(9);
    char *broken = text("%s/broken.jpg", place.images), *fresh = text("%s/fresh", place.folder);
    write_text(broken, "no image");
#define INDEXED(OUT, ...)                                                                                    \
    index_well(MINI, place.images, OUT, "--backend", "reference", "--shard-size", "3", __VA_ARGS__, NULL)
    INDEXED(fresh, "--columns", ALL_COLUMNS);
    INDEXED(place.out, "--dtype", "f16");
    assert_columns(place.out, 0, 9);
    INDEXED(place.out, "--columns", "embedding");
    assert_columns(place.out, ATLAS_EMBEDDING, 9);
    INDEXED(place.out, "--columns", "mlps,first");
    assert_columns(place.out, ATLAS_EMBEDDING | ATLAS_MLPS | ATLAS_FIRST, 9);
    assert_command(0, "verify", place.out, NULL);
    assert_same_content(place.out, fresh, 0);
    assert_same_columns(place.out, fresh);
    char *before = sum_files(place.out);
    INDEXED(place.out, "--columns", "mlps"); /* has all it needs */
    char *after = sum_files(place.out);
    assert_string_equal(before, after);
    free(before);
    free(after);
    free(broken);
    free(fresh);
    leave(&place);
}

/* Killed at any moment nothing is lost, and what was done is not done again. */
static void adding_is_gone_on_with(void **state) {
    (void)state;
    enum { IMAGES = 40 };
    workplace place = make_workplace(IMAGES);
    char *fresh = text("%s/fresh", place.folder);
#define TWICE(OUT, ...)                                                                                      \
    index_well(MINI, place.images, OUT, "--backend", "reference", "--shard-size", "2", __VA_ARGS__, NULL)
    TWICE(fresh, "--columns", "mlps");
    TWICE(place.out, "--dtype", "f16");
    const char *const words[] = {TEST_COMMAND, "index", "--model",   MINI,        "--images",
                                 place.images, "--out", place.out,   "--backend", "reference",
                                 "--columns",  "mlps",  "--threads", "1",         NULL};
    for (int i = 0; i < 6; ++i) {
        pid_t child = start_program(words);
        usleep(20000 * (useconds_t)(i + 1));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        assert_command(0, "verify", place.out, NULL);
        atlas *opened = open_atlas(place.out);
        assert_int_equal(atlas_count(opened), IMAGES);
        atlas_close(opened);
    }
    TWICE(place.out, "--columns", "mlps");
    assert_columns(place.out, ATLAS_MLPS, IMAGES);
    assert_command(0, "verify", place.out, NULL);
    assert_same_content(place.out, fresh, 0);
    assert_int_equal(count_files(place.out), count_files(fresh));
    free(fresh);
    leave(&place);
}

/* A question over some of an atlas's images needs all their files once; without one it says so and loses
 * nothing. */
static void a_column_that_cannot_be_added_is_named(void **state) {
    (void)state;
    workplace place = make_workplace(4);
    char *list = text("%s/list.txt", place.images), *away = text("%s/scene-003.jpg", place.images),
         *aside = text("%s/aside.jpg", place.folder);
    static const char head[] = "model: {path: " MINI "}\ngallery: {images: images/list.txt, atlas: atlas}\n";
    static const char asked[] = "  - {plugin: text-neighbors, texts: [snow], heads: [embedding]}\n";
    write_text(list, "scene-001.jpg\n");
    index_well(MINI, place.images, place.out, "--shard-size", "2", NULL);
    assert_int_equal(rename(away, aside), 0);
    outcome got = run_in(place.folder, head, asked);
    need_failure(&got, 1, "\"embedding\"");
    assert_non_null(strstr(got.errors, "scene-003.jpg"));
    assert_columns(place.out, 0, 4);
    assert_int_equal(rename(aside, away), 0);
    forget(&got);
    got = run_in(place.folder, head, asked);
    need_success(&got);
    assert_columns(place.out, ATLAS_EMBEDDING, 4);
    free(list);
    free(away);
    free(aside);
    leave_all(&place, &got);
}

/* ---- reading ---- */

static void moments_of_folds_add_up(void **state) {
    (void)state;
    enum { IMAGES = 23, FOLDS = 4, ROOM = 64 };
    static double sums[2][ROOM], products[2][ROOM * ROOM], part[ROOM], squares[ROOM * ROOM];
    static float codes[IMAGES * ROOM];
    workplace place = make_workplace(IMAGES);
    index_well(MINI, place.images, place.out, "--shard-size", "5", NULL);
    atlas *opened = open_atlas(place.out);
    host *services = open_host();
    const hl_host *interface = &services->interface;
    const size_t head = 11, width = shard_code_width(&atlas_layout_of(opened)->heads[head]);
    size_t order[IMAGES], count, total = 0;
    hl_error error;
    atlas_order(opened, order);
    const atlas_images images = {order, IMAGES};
    assert_ok(atlas_sum_moments(opened, interface, head, images, 0, 1, &count, sums[0], products[0], &error),
              error);
    assert_int_equal(count, IMAGES);
    for (size_t fold = 0; fold < FOLDS; ++fold) {
        assert_ok(
            atlas_sum_moments(opened, interface, head, images, fold, FOLDS, &count, part, squares, &error),
            error);
        total += count;
        for (size_t k = 0; k < width; ++k) sums[1][k] += part[k];
        for (size_t k = 0; k < width * width; ++k) products[1][k] += squares[k];
    }
    assert_int_equal(total, IMAGES);
    assert_ok(atlas_read_codes(opened, interface, head, images, codes, &error), error);
    for (size_t a = 0; a < width; ++a) {
        double plain = 0;
        for (size_t i = 0; i < IMAGES; ++i) plain += (double)codes[i * width + a];
        assert_true(fabs(sums[0][a] - sums[1][a]) <= 1e-9 && fabs(plain - sums[0][a]) <= 1e-9);
        for (size_t b = 0; b < width; ++b) {
            plain = 0;
            for (size_t i = 0; i < IMAGES; ++i)
                plain += (double)codes[i * width + a] * (double)codes[i * width + b];
            assert_true(fabs(products[0][a * width + b] - products[1][a * width + b]) <= 1e-9);
            assert_true(fabs(products[0][a * width + b] - plain) <= 1e-9);
        }
    }
    for (size_t i = 1; i < IMAGES; ++i) {
        assert_true(strcmp(atlas_path(opened, order[i - 1]), atlas_path(opened, order[i])) < 0);
    }
    atlas_close(opened);
    host_close(services);
    leave(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_answer_comes_from_a_flipped_byte),
        cmocka_unit_test(wrong_shards_are_named),
        cmocka_unit_test(damage_is_not_copied),
        cmocka_unit_test(version_1_is_brought_up_to_date),
        cmocka_unit_test(version_1_is_no_excuse),
        cmocka_unit_test(fingerprints_are_what_they_were),
        cmocka_unit_test(columns_are_added),
        cmocka_unit_test(adding_is_gone_on_with),
        cmocka_unit_test(a_column_that_cannot_be_added_is_named),
        cmocka_unit_test(moments_of_folds_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
