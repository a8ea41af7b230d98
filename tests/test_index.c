/* `headlight index`, `merge` and `verify` through the built command: the codes of golden images,
 * interruption, changed galleries, damage, shares, memory. */
#include "core/atlas/opened.h"
#include "core/io/convert.h"
#include "tests/support.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MINI         TEST_SOURCE "/configs/mini/model"
#define MINI_GALLERY TEST_SOURCE "/configs/mini/gallery"
#define TINY         TEST_GOLDEN "/tiny-a/model"

/* ---- helpers ---- */

/* Ends the argument list. */
#define index_well(MODEL, IMAGES, ATLAS, ...)                                                                \
    assert_command(0, "index", "--model", MODEL, "--images", IMAGES, "--out", ATLAS, "--threads", "2",       \
                   __VA_ARGS__)
#define assert_command(STATUS, ...)                                                                          \
    do {                                                                                                     \
        char *command_errors;                                                                                \
        int command_status = run_command(NULL, &command_errors, __VA_ARGS__);                                \
        if (command_status != (STATUS)) fail_msg("status %d: %s", command_status, command_errors);           \
        free(command_errors);                                                                                \
    } while (0)

static void assert_refused(int status, const char *said, const char *const *arguments) {
    char *errors;
    const char *all[32] = {TEST_COMMAND};
    for (size_t i = 0; arguments[i]; ++i) all[i + 1] = arguments[i];
    int got = run_program(all, NULL, &errors);
    if (got != status || !strstr(errors, said))
        fail_msg("status %d, not %d with \"%s\": %s", got, status, said, errors);
    free(errors);
}
#define refused(STATUS, SAID, ...) assert_refused(STATUS, SAID, (const char *const[]){__VA_ARGS__, NULL})

static atlas *open_atlas(const char *folder) {
    atlas *opened;
    hl_error error;
    assert_ok(atlas_open(folder, &opened, &error), error);
    return opened;
}

/* An image's number; SIZE_MAX when the atlas lacks it. */
static size_t find_image(const atlas *of, const char *path) {
    for (size_t i = 0; i < atlas_count(of); ++i) {
        if (strcmp(atlas_path(of, i), path) == 0) return i;
    }
    return SIZE_MAX;
}

static size_t shard_of(const atlas *of, size_t image) {
    size_t shard = 0;
    while (atlas_shard_at(of, shard).first + atlas_shard_at(of, shard).count <= image) ++shard;
    return shard;
}

/* The whole code: width + scalar_count numbers. */
static void read_code(const atlas *of, size_t image, size_t head, float *code) {
    const atlas_layout *layout = atlas_layout_of(of);
    const atlas_head *shape = &layout->heads[head];
    size_t shard = shard_of(of, image), row = image - atlas_shard_at(of, shard).first;
    const uint8_t *codes = atlas_codes(of, shard, head);
    if (layout->dtype == HL_F16) {
        convert_f16(codes + row * shape->width * 2, shape->width, code);
    } else {
        memcpy(code, codes + row * shape->width * 4, shape->width * 4);
    }
    memcpy(code + shape->width, atlas_scalars(of, shard, head) + row * shape->scalar_count,
           shape->scalar_count * 4);
}

/* Same images, and the same codes up to `worst` of the largest. */
static void assert_same_content(const char *left, const char *right, double worst) {
    atlas *a = open_atlas(left), *b = open_atlas(right);
    assert_int_equal(atlas_count(a), atlas_count(b));
    assert_null(manifest_difference(atlas_layout_of(a), atlas_layout_of(b)));
    for (size_t i = 0; i < atlas_count(a); ++i) {
        size_t other = find_image(b, atlas_path(a, i));
        assert_int_not_equal(other, SIZE_MAX);
        for (size_t head = 0; head < atlas_layout_of(a)->head_count; ++head) {
            float x[128], y[128];
            double largest = 0;
            size_t width = shard_code_width(&atlas_layout_of(a)->heads[head]);
            read_code(a, i, head, x);
            read_code(b, other, head, y);
            for (size_t k = 0; k < width; ++k) largest = fmax(largest, fabs((double)x[k]));
            for (size_t k = 0; k < width; ++k) {
                assert_true(fabs((double)x[k] - (double)y[k]) <= worst * largest);
            }
        }
    }
    atlas_close(a);
    atlas_close(b);
}

/* The same files with the same bytes. */
static void assert_same_bytes(const char *left, const char *right) {
    assert_int_equal(count_files(left), count_files(right));
    atlas *opened = open_atlas(left);
    for (size_t i = 0; i <= atlas_shard_count(opened); ++i) {
        const char *name =
            i < atlas_shard_count(opened) ? strrchr(atlas_shard_at(opened, i).file, '/') : "/atlas.json";
        char *a = text("%s%s", left, name), *b = text("%s%s", right, name);
        size_t a_count, b_count;
        char *a_bytes = read_file(a, &a_count), *b_bytes = read_file(b, &b_count);
        assert_int_equal(a_count, b_count);
        assert_memory_equal(a_bytes, b_bytes, a_count);
        free(a);
        free(b);
        free(a_bytes);
        free(b_bytes);
    }
    atlas_close(opened);
}

/* A gallery of the mini model's scenes [first, last). */
static void put_scenes(const char *folder, size_t first, size_t last) {
    mkdir(folder, 0755);
    for (size_t i = first; i < last; ++i) {
        char *from = text(MINI_GALLERY "/scene-%03zu.jpg", i), *to = text("%s/scene-%03zu.jpg", folder, i);
        copy_file(from, to);
        free(from);
        free(to);
    }
}

/* Starts the command with its words on /dev/null. */
static pid_t start(const char *const *arguments) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) return child;
    int nowhere = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; ++i) dup2(nowhere, i);
    execv(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- golden codes ---- */

static const char *const PNG_IMAGES[] = {"rgb_wide.png", "rgb_tall.png",    "rgb_tiny.png",
                                         "gray.png",     "rgba_opaque.png", "palette.png"};
enum { PNG_COUNT = sizeof PNG_IMAGES / sizeof *PNG_IMAGES };

/* `dtype` f32: as exact as the model. f16: half a step of the last place on top. */
static void check_golden(const char *name, const char *model, const char *backend, const char *dtype,
                         double worst) {
    char *folder = make_folder(), *out = text("%s/atlas", folder);
    assert_command(0, "index", "--model", model, "--images", TEST_GOLDEN "/images", "--out", out, "--backend",
                   backend, "--dtype", dtype, "--batch", "4", NULL);
    npy_array expected = golden(name, "codes"); /* images, layers, heads, width + 3; PNG images first */
    atlas *opened = open_atlas(out);
    size_t heads = expected.shape[1] * expected.shape[2], width = expected.shape[3];
    assert_int_equal(atlas_layout_of(opened)->head_count, heads);
    double largest = 0, step = strcmp(dtype, "f16") == 0 ? 1.0 / 2048 : 0;
    for (size_t i = 0; i < expected.elements; ++i) largest = fmax(largest, fabs((double)expected.data[i]));
    for (size_t i = 0; i < PNG_COUNT; ++i) {
        size_t image = find_image(opened, PNG_IMAGES[i]);
        assert_int_not_equal(image, SIZE_MAX);
        for (size_t head = 0; head < heads; ++head) {
            float code[128];
            read_code(opened, image, head, code);
            const float *y = expected.data + (i * heads + head) * width;
            for (size_t k = 0; k < width; ++k) {
                double rounded = k < width - 3 ? step * fabs((double)y[k]) + step * 1e-4 : 0;
                assert_true(fabs((double)code[k] - (double)y[k]) <= worst * largest + rounded);
            }
        }
    }
    atlas_close(opened);
    free(expected.data);
    free(out);
    remove_folder(folder);
}

static void test_golden_codes(void **state) {
    (void)state;
    const char *const dtypes[] = {"f32", "f16"};
    for (size_t i = 0; i < 2; ++i) {
        check_golden("tiny-a", TINY, "reference", dtypes[i], 2e-5);
        check_golden("tiny-a", TINY, "openblas", dtypes[i], 1e-4);
        check_golden("tiny-b", TEST_GOLDEN "/tiny-b/model", "openblas", dtypes[i], 1e-4);
        check_golden("mini", MINI, "openblas", dtypes[i], 1e-4);
    }
}

/* `headlight decompose` of three scenes of the gallery, in `folder`. */
static void decompose(const char *folder) {
    assert_command(0, "decompose", "--model", MINI, "--image", MINI_GALLERY "/scene-000.jpg", "--image",
                   MINI_GALLERY "/scene-001.jpg", "--image", MINI_GALLERY "/scene-002.jpg", "--backend",
                   "reference", "--tokens", "--out", folder, NULL);
}

static npy_array read_array(const char *folder, const char *name) {
    char *path = text("%s/%s.npy", folder, name);
    npy_array array;
    hl_error error;
    assert_ok(npy_read(path, &array, &error), error);
    free(path);
    return array;
}

static void assert_near(const float *got, const float *expected, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; ++i) largest = fmax(largest, fabs((double)expected[i]));
    for (size_t i = 0; i < count; ++i) {
        assert_true(fabs((double)got[i] - (double)expected[i]) <= 1e-5 * largest);
    }
}

/* The contribution of the first token from its code: its own part, and its share of the further numbers. */
static void assert_first(const atlas *of, const char *arrays) {
    npy_array bases = read_array(arrays, "bases"), tokens = read_array(arrays, "tokens");
    size_t layers = tokens.shape[1], count = tokens.shape[2], heads = tokens.shape[3], d = tokens.shape[4];
    size_t rows = bases.shape[2], width = rows - 3;
    for (size_t i = 0; i < 3 * layers * heads; ++i) {
        size_t image = i / (layers * heads), head = i % (layers * heads);
        const float *first = (const float *)of->shards[0].data[of->layout.first + head] + image * width;
        const float *scalars = atlas_scalars(of, 0, head) + image * 3;
        const float *basis = bases.data + head * rows * d;
        float *contribution = calloc(d, sizeof *contribution);
        for (size_t j = 0; j < d; ++j) {
            double sum = 0;
            for (size_t k = 0; k < width; ++k) sum += (double)first[k] * (double)basis[k * d + j];
            for (size_t k = 0; k < 3; ++k) {
                sum += (double)scalars[k] / (double)count * (double)basis[(width + k) * d + j];
            }
            contribution[j] = (float)sum;
        }
        size_t layer = head / heads, within = head % heads;
        assert_near(contribution, tokens.data + (((image * layers + layer) * count + 0) * heads + within) * d,
                    d);
        free(contribution);
    }
    free(bases.data);
    free(tokens.data);
}

static void test_columns(void **state) {
    (void)state;
    char *folder = make_folder(), *arrays = text("%s/arrays", folder), *out = text("%s/atlas", folder);
    char *images = text("%s/images", folder);
    put_scenes(images, 0, 3);
    decompose(arrays);
    assert_command(0, "index", "--model", MINI, "--images", images, "--out", out, "--dtype", "f32",
                   "--backend", "reference", "--columns", "mlps,first,embedding", NULL);
    atlas *opened = open_atlas(out);
    npy_array embedding = read_array(arrays, "embedding"), mlps = read_array(arrays, "mlps");
    assert_int_equal(atlas_layout_of(opened)->mlps, mlps.shape[1]);
    assert_near(opened->shards[0].data[opened->layout.embedding], embedding.data, embedding.elements);
    assert_near(opened->shards[0].data[opened->layout.mlps], mlps.data, mlps.elements);
    assert_first(opened, arrays);
    atlas_close(opened);
    free(embedding.data);
    free(mlps.data);
    free(arrays);
    free(images);
    free(out);
    remove_folder(folder);
}

static void test_layers(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/atlas", folder), *images = text("%s/images", folder);
    put_scenes(images, 0, 3);
    index_well(MINI, images, out, "--layers", "L1-L2", NULL);
    atlas *opened = open_atlas(out);
    assert_int_equal(atlas_layout_of(opened)->head_count, 16);
    assert_string_equal(atlas_layout_of(opened)->heads[0].name, "L1.H0");
    assert_string_equal(atlas_layout_of(opened)->heads[15].name, "L2.H7");
    atlas_close(opened);
    index_well(MINI, images, out, "--layers", "L1-L2", NULL); /* the same again, and what the atlas says */
    index_well(MINI, images, out, NULL);
    refused(2, "the layers", "index", "--model", MINI, "--images", images, "--out", out, "--layers", "all");
    refused(2, "L0 to L3", "index", "--model", MINI, "--images", images, "--out", out, "--layers", "L4");
    free(images);
    free(out);
    remove_folder(folder);
}

/* ---- interruption ---- */

enum { KILLS = 20 };

/* Runs until the end, or until it is killed after `delay` seconds; whether it was killed. */
static bool run_for(const char *const *arguments, double delay) {
    pid_t child = start(arguments);
    struct timespec wait = {0, (long)(delay * 1e9)};
    nanosleep(&wait, NULL);
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status);
}

static void test_killed(void **state) {
    (void)state;
    char *folder = make_folder(), *images = text("%s/images", folder), *whole = text("%s/whole", folder);
    put_scenes(images, 0, 160);
    char *broken = text("%s/scene-100.jpg", images);
    write_text(broken, "no picture");
    double began = seconds();
    index_well(MINI, images, whole, "--shard-size", "32", NULL);
    double length = seconds() - began;
    uint32_t random = 12345;
    int killed = 0, partial = 0;
    for (int i = 0; i < KILLS; ++i) {
        char *out = text("%s/atlas-%d", folder, i);
        const char *const arguments[] = {TEST_COMMAND,   "index", "--model", MINI,        "--images",
                                         images,         "--out", out,       "--threads", "2",
                                         "--shard-size", "32",    NULL};
        random = random * 1664525u + 1013904223u;
        killed += run_for(arguments, fmin(length * (double)(random >> 8) / 16777216.0, 0.999));
        random = random * 1664525u + 1013904223u;
        killed += run_for(arguments, fmin(length * (double)(random >> 8) / 16777216.0, 0.999));
        char *first = text("%s/shard-000000.safetensors", out),
             *last = text("%s/shard-000004.safetensors", out);
        partial += file_exists(first) && !file_exists(last);
        index_well(MINI, images, out, "--shard-size", "32", NULL);
        assert_same_bytes(whole, out);
        free(first);
        free(last);
        free(out);
    }
    print_message("%d of %d runs were killed before their end, %d atlases were taken up in the middle\n",
                  killed, 2 * KILLS, partial);
    assert_true(killed >= KILLS / 2);
    free(broken);
    free(images);
    free(whole);
    remove_folder(folder);
}

/* SIGINT: says so, leaves what is done. */
static void test_cancelled(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/atlas", folder),
         *first = text("%s/shard-000000.safetensors", out);
    const char *const arguments[] = {TEST_COMMAND, "index", "--model",   MINI,        "--images",
                                     MINI_GALLERY, "--out", out,         "--threads", "2",
                                     "--batch",    "1",     "--backend", "reference", "--shard-size",
                                     "4",          NULL};
    pid_t child = start(arguments);
    for (int i = 0; i < 2000 && !file_exists(first); ++i) usleep(5000);
    kill(child, SIGINT);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_command(0, "verify", out, NULL);
    atlas *opened = open_atlas(out);
    assert_true(atlas_count(opened) >= 4 && atlas_count(opened) < 400);
    atlas_close(opened);
    free(first);
    free(out);
    remove_folder(folder);
}

/* ---- changed galleries ---- */

static void test_changed(void **state) {
    (void)state;
    char *folder = make_folder(), *images = text("%s/images", folder), *out = text("%s/atlas", folder);
    char *fresh = text("%s/fresh", folder), *gone = text("%s/scene-005.jpg", images);
    char *changed = text("%s/scene-012.jpg", images), *kept = text("%s/shard-000002.safetensors", out);
    char *dropped = text("%s/shard-000001.safetensors", out);
    put_scenes(images, 0, 24);
    index_well(MINI, images, out, "--shard-size", "8", NULL);
    struct stat before, after;
    assert_int_equal(stat(kept, &before), 0);
    unlink(gone);
    copy_file(MINI_GALLERY "/scene-300.jpg", changed);
    put_scenes(images, 30, 33);
    index_well(MINI, images, out, NULL);
    assert_int_equal(stat(kept, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_true(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    assert_false(file_exists(dropped));
    atlas *opened = open_atlas(out);
    assert_int_equal(atlas_count(opened), 26);
    assert_int_equal(find_image(opened, "scene-005.jpg"), SIZE_MAX);
    assert_int_equal(atlas_shard_count(opened), 4);
    assert_int_equal(atlas_shard_at(opened, 3).count, 4); /* three new ones and the one that changed */
    atlas_close(opened);
    index_well(MINI, images, fresh, NULL);
    assert_same_content(fresh, out, 1e-3);
    assert_command(0, "verify", out, NULL);
    char *copy = text("%s/copy", folder);
    copy_folder(out, copy);
    index_well(MINI, images, out, NULL); /* nothing to do */
    assert_same_bytes(copy, out);
    free(copy);
    free(dropped);
    free(kept);
    free(changed);
    free(gone);
    free(fresh);
    free(out);
    free(images);
    remove_folder(folder);
}

/* Rewritten shards are as good as new ones: their moments follow from what is left. */
static void test_rewritten_moments(void **state) {
    (void)state;
    char *folder = make_folder(), *images = text("%s/images", folder), *out = text("%s/atlas", folder);
    char *gone = text("%s/scene-000.jpg", images);
    put_scenes(images, 0, 9);
    index_well(MINI, images, out, NULL);
    unlink(gone);
    index_well(MINI, images, out, NULL);
    atlas *opened = open_atlas(out);
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
    free(out);
    free(images);
    remove_folder(folder);
}

static void test_unreadable(void **state) {
    (void)state;
    char *folder = make_folder(), *images = text("%s/images", folder), *out = text("%s/atlas", folder);
    char *words = text("%s/aa.png", images), *cut = text("%s/scene-001.jpg", images);
    char *nowhere = text("%s/zz.gif", images), *loop = text("%s/loop", images), *errors, *printed;
    put_scenes(images, 0, 4);
    write_text(words, "no picture");
    assert_int_equal(truncate(cut, 900), 0);
    assert_int_equal(symlink("missing", nowhere), 0);
    assert_int_equal(symlink(".", loop), 0);
    assert_int_equal(
        run_command(&printed, &errors, "index", "--model", MINI, "--images", images, "--out", out, NULL), 0);
    assert_string_equal(printed, "3 images, 3 skipped, 1 shard\n");
    assert_non_null(strstr(errors, "aa.png"));
    assert_non_null(strstr(errors, "scene-001.jpg"));
    assert_non_null(strstr(errors, "zz.gif"));
    free(printed);
    free(errors);
    atlas *opened = open_atlas(out);
    assert_int_equal(atlas_count(opened), 3);
    assert_int_equal(opened->shards[0].skipped, 3);
    assert_string_equal(opened->shards[0].skips[0].path, "aa.png");
    assert_string_equal(opened->shards[0].skips[2].path, "zz.gif");
    assert_null(strstr(opened->shards[0].skips[0].reason, folder));
    assert_true(strlen(opened->shards[0].skips[0].reason) > 5);
    atlas_close(opened);

    assert_int_equal(
        run_command(NULL, &errors, "index", "--model", MINI, "--images", images, "--out", out, NULL), 0);
    assert_string_equal(errors, ""); /* not tried again */
    free(errors);
    copy_file(MINI_GALLERY "/scene-001.jpg", cut);
    assert_int_equal(
        run_command(&printed, &errors, "index", "--model", MINI, "--images", images, "--out", out, NULL), 0);
    assert_string_equal(printed, "4 images, 2 skipped, 2 shards\n");
    assert_string_equal(errors, "");
    free(printed);
    free(errors);
    free(loop);
    free(nowhere);
    free(cut);
    free(words);
    free(out);
    free(images);
    remove_folder(folder);
}

/* A gallery in which nothing can be read is an atlas of nothing. */
static void test_all_unreadable(void **state) {
    (void)state;
    char *folder = make_folder(), *list = text("%s/list.txt", folder), *out = text("%s/atlas", folder);
    write_text(list, "a.jpg\nb.jpg\n");
    index_well(MINI, list, out, NULL);
    assert_command(0, "verify", out, NULL);
    atlas *opened = open_atlas(out);
    assert_int_equal(atlas_count(opened), 0);
    atlas_close(opened);
    free(out);
    free(list);
    remove_folder(folder);
}

/* ---- two at once ---- */

static void test_locked(void **state) {
    (void)state;
    char *folder = make_folder(), *images = text("%s/images", folder), *lock = text("%s/.lock", folder);
    char *out = text("%s/atlas", folder);
    free(lock);
    put_scenes(images, 0, 3);
    index_well(MINI, images, out, NULL);
    lock = text("%s/.lock", out);
    int held = open(lock, O_RDWR);
    assert_true(held >= 0);
    assert_int_equal(flock(held, LOCK_EX), 0);
    refused(1, "another process is indexing into this atlas", "index", "--model", MINI, "--images", images,
            "--out", out);
    close(held);
    index_well(MINI, images, out, NULL);
    free(lock);
    free(out);
    free(images);
    remove_folder(folder);
}

static void test_two_at_once(void **state) {
    (void)state;
    char *folder = make_folder(), *images = text("%s/images", folder), *out = text("%s/atlas", folder);
    put_scenes(images, 0, 60);
    const char *const arguments[] = {TEST_COMMAND,   "index", "--model", MINI,        "--images",
                                     images,         "--out", out,       "--threads", "1",
                                     "--shard-size", "4",     NULL};
    pid_t first = start(arguments), second = start(arguments);
    int a, b;
    assert_int_equal(waitpid(first, &a, 0), first);
    assert_int_equal(waitpid(second, &b, 0), second);
    assert_true(WIFEXITED(a) && WIFEXITED(b));
    assert_true(WEXITSTATUS(a) == 0 || WEXITSTATUS(b) == 0); /* the other was refused, or came later */
    assert_true(WEXITSTATUS(a) <= 1 && WEXITSTATUS(b) <= 1);
    assert_command(0, "verify", out, NULL);
    index_well(MINI, images, out, NULL);
    atlas *opened = open_atlas(out);
    assert_int_equal(atlas_count(opened), 60);
    atlas_close(opened);
    free(out);
    free(images);
    remove_folder(folder);
}

/* ---- damage ---- */

static void test_verify(void **state) {
    (void)state;
    char *folder = make_folder(), *images = text("%s/images", folder), *out = text("%s/atlas", folder);
    char *path = text("%s/shard-000001.safetensors", out);
    put_scenes(images, 0, 12);
    index_well(MINI, images, out, "--shard-size", "4", NULL);
    char *printed;
    assert_int_equal(run_command(&printed, NULL, "verify", out, NULL), 0);
    assert_string_equal(printed, "12 images, 0 skipped, 3 shards\n");
    free(printed);
    atlas *opened = open_atlas(out);
    const uint8_t *start_of = opened->shards[1].file.bytes;
    const size_t places[] = {0,
                             40,
                             (size_t)((const uint8_t *)atlas_codes(opened, 1, 5) - start_of) + 3,
                             (size_t)((const uint8_t *)atlas_scalars(opened, 1, 0) - start_of),
                             (size_t)((const uint8_t *)atlas_moments(opened, 1, 31) - start_of) + 99,
                             (size_t)((const uint8_t *)opened->shards[1].paths[2] - start_of)};
    atlas_close(opened);
    size_t count;
    char *content = read_file(path, &count);
    for (size_t i = 0; i < sizeof places / sizeof *places; ++i) {
        content[places[i]] ^= 16;
        write_file(path, content, count);
        content[places[i]] ^= 16;
        refused(1, "shard-000001.safetensors", "verify", out);
    }
    write_file(path, content, count - 100);
    refused(1, "shard-000001.safetensors", "verify", out);
    refused(1, "shard-000001.safetensors", "index", "--model", MINI, "--images", images, "--out", out);
    unlink(path);
    refused(1, "shard-000001.safetensors", "verify", out);
    free(content);
    free(path);
    free(out);
    free(images);
    remove_folder(folder);
}

/* ---- merging and shares ---- */

static void test_shares(void **state) {
    (void)state;
    char *folder = make_folder(), *images = text("%s/images", folder), *whole = text("%s/whole", folder);
    char *half[2], *merged = text("%s/merged", folder);
    put_scenes(images, 0, 33);
    index_well(MINI, images, whole, NULL);
    for (int i = 0; i < 2; ++i) {
        char *share = text("%d/2", i);
        half[i] = text("%s/half-%d", folder, i);
        index_well(MINI, images, half[i], "--shard", share, "--shard-size", "5", NULL);
        free(share);
    }
    atlas *opened = open_atlas(half[0]);
    assert_int_equal(atlas_count(opened), 17);
    atlas_close(opened);
    assert_command(0, "merge", merged, half[0], half[1], NULL);
    for (int i = 0; i < 2; ++i) {
        char *old = half[i];
        half[i] = text("%s/moved-%d", folder, i);
        assert_int_equal(rename(old, half[i]), 0); /* the merged atlas stands alone */
        free(old);
    }
    assert_command(0, "verify", merged, NULL);
    assert_same_content(whole, merged, 1e-3);
    opened = open_atlas(merged);
    for (size_t i = 1; i < atlas_count(opened); ++i) {
        assert_true(strcmp(atlas_path(opened, i - 1), atlas_path(opened, i)) < 0);
    }
    atlas_close(opened);
    index_well(MINI, images, merged, NULL); /* it goes on as any other atlas */
    for (int i = 0; i < 2; ++i) free(half[i]);
    free(merged);
    free(whole);
    free(images);
    remove_folder(folder);
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
    index_well(TINY, other, c, NULL);
    char *both = text("%s and %s both hold an image " MINI_GALLERY "/scene-001.jpg", a, b);
    refused(2, both, "merge", out, a, b);
    assert_false(file_exists(out));
    refused(2, "the fingerprint", "merge", out, a, c);
    refused(2, "the fingerprint", "index", "--model", TINY, "--images", list, "--out", a);
    refused(2, folder, "merge", folder, a);
    refused(2, "no atlas", "merge", out, list);
    assert_command(0, "merge", out, a, NULL);
    refused(2, "both hold", "merge", out, a); /* once more */
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
    char *folder = make_folder(), *images = text("%s/images", folder), *a = text("%s/a", folder);
    char *out = text("%s/out", folder), *path = text("%s/shard-000000.safetensors", a);
    put_scenes(images, 0, 3);
    index_well(MINI, images, a, NULL);
    size_t count;
    char *content = read_file(path, &count);
    content[count / 2] ^= 1;
    write_file(path, content, count);
    refused(1, path, "merge", out, a);
    assert_false(file_exists(out));
    free(content);
    free(path);
    free(out);
    free(a);
    free(images);
    remove_folder(folder);
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
    char *folder = make_folder(), *images = text("%s/images", folder);
    put_scenes(images, 0, 4);
    for (size_t i = 0; i < LAUNCHER_COUNT; ++i) {
        unsetenv(LAUNCHERS[i].rank);
        unsetenv(LAUNCHERS[i].size);
    }
    char *out = text("%s/none", folder);
    refused(2, "SLURM_PROCID", "index", "--model", MINI, "--images", images, "--out", out, "--shard", "auto");
    for (size_t i = 0; i < LAUNCHER_COUNT; ++i) {
        char *each = text("%s/atlas-%zu", folder, i), *printed;
        setenv(LAUNCHERS[i].rank, "2", 1);
        setenv(LAUNCHERS[i].size, "3", 1);
        assert_int_equal(run_command(&printed, NULL, "index", "--model", MINI, "--images", images, "--out",
                                     each, "--shard", "auto", NULL),
                         0);
        assert_non_null(strstr(printed, "share 2 of 3"));
        assert_non_null(strstr(printed, LAUNCHERS[i].rank));
        atlas *opened = open_atlas(each);
        assert_int_equal(atlas_count(opened), 1);
        assert_string_equal(atlas_path(opened, 0), "scene-003.jpg");
        atlas_close(opened);
        unsetenv(LAUNCHERS[i].rank);
        unsetenv(LAUNCHERS[i].size);
        free(printed);
        free(each);
    }
    free(out);
    free(images);
    remove_folder(folder);
}

/* ---- wrong wishes ---- */

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

/* ---- memory ---- */

static long peak_of_index(const char *images, const char *out) {
    const char *const arguments[] = {TEST_COMMAND,   "index", "--model", MINI,        "--images",
                                     images,         "--out", out,       "--threads", "2",
                                     "--shard-size", "32",    "--batch", "8",         NULL};
    pid_t child = start(arguments);
    int status;
    struct rusage usage;
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return usage.ru_maxrss;
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

/* Four times the images, the same memory but for their paths. */
static void test_memory(void **state) {
    (void)state;
    if (SANITIZED) skip(); /* the sanitizer keeps freed memory */
    char *folder = make_folder(), *images = text("%s/images", folder), *small = text("%s/small", folder);
    char *large = text("%s/large", folder);
    put_scenes(images, 0, 100);
    long few = peak_of_index(images, small), many = peak_of_index(MINI_GALLERY, large);
    print_message("peak of 100 images: %ld KiB, of 400: %ld KiB\n", few, many);
    assert_true(many - few < 3072);
    free(large);
    free(small);
    free(images);
    remove_folder(folder);
}

/* ---- other readers ---- */

static void test_numpy(void **state) {
    (void)state;
    const char *const ask[] = {"/usr/bin/python3", "-c", "import numpy", NULL};
    if (run_program(ask, NULL, NULL) != 0) {
        print_message("numpy is missing: open_atlas.py was not run\n");
        skip();
    }
    char *folder = make_folder(), *images = text("%s/images", folder), *out = text("%s/atlas", folder);
    put_scenes(images, 0, 10);
    index_well(MINI, images, out, "--shard-size", "4", NULL);
    const char *const open_it[] = {"/usr/bin/python3", TEST_SOURCE "/tests/open_atlas.py", out, "L3.H5",
                                   NULL};
    char *printed, *errors, *at;
    if (run_program(open_it, &printed, &errors) != 0) fail_msg("%s", errors);
    assert_int_equal(strtol(printed, &at, 10), 10);
    atlas *opened = open_atlas(out);
    size_t head = atlas_find_head(opened, "L3.H5"), width = atlas_layout_of(opened)->heads[head].width;
    for (size_t k = 0; k < width; ++k) {
        double sum = 0;
        float code[128];
        for (size_t i = 0; i < 10; ++i) {
            read_code(opened, i, head, code);
            sum += (double)code[k];
        }
        assert_true(fabs(strtod(at, &at) - sum / 10) <= 1e-12);
    }
    atlas_close(opened);
    free(printed);
    free(errors);
    free(out);
    free(images);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_codes),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_rewritten_moments),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_all_unreadable),
        cmocka_unit_test(test_locked),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_merge_refuses),
        cmocka_unit_test(test_merge_checks),
        cmocka_unit_test(test_share_auto),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
