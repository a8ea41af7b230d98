#include "tests/indexed.h"

#include "core/io/convert.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

workplace make_workplace(size_t count) {
    char *folder = make_folder();
    workplace place = {folder, text("%s/images", folder), text("%s/atlas", folder)};
    put_scenes(place.images, 0, count);
    return place;
}

void leave(workplace *place) {
    free(place->images);
    free(place->out);
    remove_folder(place->folder);
}

void assert_refused(int status, const char *said, const char *const *arguments) {
    char *errors;
    const char *all[32] = {TEST_COMMAND};
    for (size_t i = 0; arguments[i]; ++i) all[i + 1] = arguments[i];
    int got = run_program(all, NULL, &errors);
    if (got != status || !strstr(errors, said))
        fail_msg("status %d, not %d with \"%s\": %s", got, status, said, errors);
    free(errors);
}

pid_t start_program(const char *const *arguments) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) return child;
    int nowhere = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; ++i) dup2(nowhere, i);
    execv(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

atlas *open_atlas(const char *folder) {
    atlas *opened;
    hl_error error;
    assert_ok(atlas_open(folder, &opened, &error), error);
    return opened;
}

size_t find_image(const atlas *of, const char *path) {
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

void read_code(const atlas *of, size_t image, size_t head, float *code) {
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

void assert_same_content(const char *left, const char *right, double worst) {
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

void assert_same_bytes(const char *left, const char *right) {
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
