/* What an atlas holds is not lost: not to `headlight run`, not to a gallery that is away, not to an index or
 * a merge that fails or is killed anywhere; and nothing goes that is somebody else's. */
#include "tests/experiment.h"
#include "tests/indexed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCENES_HERE = 6 };

#define ASKED "  - {plugin: text-neighbors, texts: [snow], heads: [L3.H5], count: 8}\n"

static void free_place(workplace *place) {
    free(place->images);
    free(place->out);
}

static char *in_folder(const workplace *place, const char *name) {
    return text("%s/%s", place->folder, name);
}

static void put_text(const workplace *place, const char *name, const char *content) {
    char *path = in_folder(place, name);
    write_text(path, content);
    free(path);
}

/* "images/scene-00N.jpg" in the notation of a list or a gallery.json; the first `count` scenes. */
static void put_gallery(const workplace *place, const char *name, size_t count) {
    bool json = strstr(name, ".json");
    char *content = strdup(json ? "[" : "");
    for (size_t i = 0; i < count; ++i) {
        char *longer = json ? text("%s%s{\"path\": \"images/scene-%03zu.jpg\"}", content, i ? ", " : "", i)
                            : text("%simages/scene-%03zu.jpg\n", content, i);
        free(content);
        content = longer;
    }
    char *whole = text("%s%s", content, json ? "]" : "");
    put_text(place, name, whole);
    free(whole);
    free(content);
}

static char *scene(const workplace *place, size_t number) {
    return text("%s/scene-%03zu.jpg", place->images, number);
}

static int count_neighbors(const outcome *got) {
    return cJSON_GetArraySize(cJSON_GetObjectItem(cJSON_GetArrayItem(results_of(got, 0), 0), "neighbors"));
}

static size_t count_images(const char *folder) {
    atlas *opened = open_atlas(folder);
    size_t count = atlas_count(opened);
    atlas_close(opened);
    return count;
}

/* ---- run ---- */

/* Images that a gallery names are away, some or all: the atlas answers for them, and stays as it is. */
static void check_away(const char *gallery, size_t away) {
    workplace place = make_workplace(SCENES_HERE);
    char *source = in_folder(&place, gallery), *copy = in_folder(&place, "copy");
    put_gallery(&place, gallery, SCENES_HERE);
    index_well(MINI, source, place.out, NULL);
    copy_folder(place.out, copy);
    for (size_t i = 0; i < away; ++i) {
        char *path = scene(&place, i);
        assert_int_equal(unlink(path), 0);
        free(path);
    }
    char *head = text("model: {path: " MINI "}\ngallery: {images: %s, atlas: atlas}\n", gallery);
    outcome got = run_in(place.folder, head, ASKED);
    need_success(&got);
    assert_int_equal(count_neighbors(&got), SCENES_HERE);
    char *said = text("%zu of the gallery's %d images cannot be found", away, SCENES_HERE);
    if (!strstr(got.errors, said)) fail_msg("%s", got.errors);
    assert_same_bytes(copy, place.out);
    free(said);
    free(head);
    free(copy);
    free(source);
    free_place(&place);
    end(&got);
}

static void test_away(void **state) {
    (void)state;
    check_away("gallery.json", 1);
    check_away("gallery.json", SCENES_HERE);
    check_away("list.txt", 4);
    check_away("list.txt", SCENES_HERE);
}

/* A folder that is empty or not there is no gallery; an atlas of it stays. */
static void test_folder_away(void **state) {
    (void)state;
    for (int emptied = 0; emptied < 2; ++emptied) {
        workplace place = make_workplace(SCENES_HERE);
        char *copy = in_folder(&place, "copy"), *moved = in_folder(&place, "moved");
        index_well(MINI, place.images, place.out, NULL);
        copy_folder(place.out, copy);
        assert_int_equal(rename(place.images, moved), 0);
        if (emptied) assert_int_equal(mkdir(place.images, 0777), 0);
        refused(2, place.images, "index", "--model", MINI, "--images", place.images, "--out", place.out);
        outcome got =
            run_in(place.folder, "model: {path: " MINI "}\ngallery: {images: images, atlas: atlas}\n", ASKED);
        assert_int_equal(got.status, 2);
        assert_same_bytes(copy, place.out);
        free(moved);
        free(copy);
        free_place(&place);
        end(&got);
    }
}

/* A file that is damaged now has no codes that stand for it, but the atlas keeps those of before. */
static void test_changed_for_the_worse(void **state) {
    (void)state;
    workplace place = make_workplace(SCENES_HERE);
    char *path = scene(&place, 2), *aside = in_folder(&place, "aside.jpg");
    const char *head = "model: {path: " MINI "}\ngallery: {images: images, atlas: atlas}\n";
    index_well(MINI, place.images, place.out, NULL);
    assert_int_equal(rename(path, aside), 0);
    write_text(path, "half an upload");
    outcome got = run_in(place.folder, head, ASKED);
    need_success(&got);
    assert_int_equal(count_neighbors(&got), SCENES_HERE - 1);
    assert_int_equal(count_images(place.out), SCENES_HERE);
    forget(&got);
    assert_int_equal(rename(aside, path), 0); /* with its time of modification */
    got = run_in(place.folder, head, ASKED);
    need_success(&got);
    assert_int_equal(count_neighbors(&got), SCENES_HERE);
    assert_int_equal(count_images(place.out), SCENES_HERE);
    free(aside);
    free(path);
    free_place(&place);
    end(&got);
}

/* ---- index ---- */

static void remove_scenes(const workplace *place, size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
        char *path = scene(place, i);
        unlink(path);
        free(path);
    }
}

/* Up to half of an atlas goes, and it is said; more only with --prune. */
static void test_dropping(void **state) {
    (void)state;
    workplace place = make_workplace(SCENES_HERE);
    char *copy = in_folder(&place, "copy"), *errors;
    index_well(MINI, place.images, place.out, "--shard-size", "2", NULL);
    copy_folder(place.out, copy);
    remove_scenes(&place, 0, 4);
    put_scenes(place.images, 10, 11); /* what is new makes up for nothing */
    refused(1, "lacks 4 of its 6 images", "index", "--model", MINI, "--images", place.images, "--out",
            place.out);
    refused(1, "--prune", "index", "--model", MINI, "--images", place.images, "--out", place.out);
    assert_same_bytes(copy, place.out);
    put_scenes(place.images, 0, 1);
    assert_int_equal(run_command(NULL, &errors, "index", "--model", MINI, "--images", place.images, "--out",
                                 place.out, NULL),
                     0);
    if (!strstr(errors, "dropped 3 images that the gallery lacks")) fail_msg("%s", errors);
    assert_int_equal(count_images(place.out), 4);
    free(errors);
    remove_scenes(&place, 0, 6);
    assert_int_equal(run_command(NULL, &errors, "index", "--model", MINI, "--images", place.images, "--out",
                                 place.out, "--prune", NULL),
                     0);
    if (!strstr(errors, "dropped 3 images that the gallery lacks")) fail_msg("%s", errors);
    assert_int_equal(count_images(place.out), 1);
    assert_command(0, "verify", place.out, NULL);
    free(errors);
    free(copy);
    leave(&place);
}

/* Another gallery, a share that has others, a list whose disk is away. */
static void test_wrong_gallery(void **state) {
    (void)state;
    workplace place = make_workplace(SCENES_HERE);
    char *copy = in_folder(&place, "copy"), *other = in_folder(&place, "other"),
         *list = in_folder(&place, "list.txt");
    put_gallery(&place, "list.txt", SCENES_HERE);
    put_scenes(other, 20, 30);
    index_well(MINI, place.images, place.out, NULL);
    copy_folder(place.out, copy);
    refused(1, "the gallery lacks 6 of its 6", "index", "--model", MINI, "--images", other, "--out",
            place.out);
    refused(1, "this share of the gallery lacks 4 of its 6", "index", "--model", MINI, "--images",
            place.images, "--out", place.out, "--shard", "1/3");
    assert_same_bytes(copy, place.out);
    char *listed = in_folder(&place, "listed"), *listed_copy = in_folder(&place, "listed-copy");
    index_well(MINI, list, listed, NULL);
    copy_folder(listed, listed_copy);
    remove_scenes(&place, 0, SCENES_HERE);
    refused(1, "lacks 6 of its 6", "index", "--model", MINI, "--images", list, "--out", listed);
    assert_same_bytes(listed_copy, listed);
    free(listed_copy);
    free(listed);
    free(list);
    free(other);
    free(copy);
    leave(&place);
}

/* ---- what is somebody else's ---- */

static void assert_content(const char *path, const char *content) {
    char *found = read_file(path, NULL);
    assert_string_equal(found, content);
    free(found);
}

/* In a folder without atlas.json nothing is ours that a broken change does not explain. */
static void test_foreign_files(void **state) {
    (void)state;
    static const struct {
        const char *name, *said;
        int status;
    } FILES[] = {{"shard-000000.safetensors", "but no atlas.json", 1},
                 {"shard-000007.safetensors", "but no atlas.json", 1},
                 {"shard-123456789.safetensors", "but no atlas.json", 1},
                 {".lock", "there is .lock", 2},
                 {"shard-1.safetensors", "there is shard-1.safetensors", 2}};
    for (size_t i = 0; i < COUNT(FILES); ++i) {
        workplace place = make_workplace(1);
        char *file = text("%s/%s", place.out, FILES[i].name);
        assert_int_equal(mkdir(place.out, 0777), 0);
        write_text(file, "precious");
        refused(FILES[i].status, FILES[i].said, "index", "--model", MINI, "--images", place.images, "--out",
                place.out);
        assert_content(file, "precious");
        assert_int_equal(count_files(place.out), 1);
        free(file);
        leave(&place);
    }
}

/* An atlas that lost its atlas.json, and gets it back. */
static void test_lost_manifest(void **state) {
    (void)state;
    workplace place = make_workplace(4);
    char *listed = text("%s/atlas.json", place.out), *aside = in_folder(&place, "aside.json"),
         *copy = in_folder(&place, "copy");
    index_well(MINI, place.images, place.out, "--shard-size", "2", NULL);
    copy_folder(place.out, copy);
    assert_int_equal(rename(listed, aside), 0);
    refused(1, "bring that file back", "index", "--model", MINI, "--images", place.images, "--out",
            place.out);
    refused(1, "bring that file back", "merge", place.out, copy);
    assert_int_equal(rename(aside, listed), 0);
    index_well(MINI, place.images, place.out, NULL);
    assert_same_bytes(copy, place.out);
    free(copy);
    free(aside);
    free(listed);
    leave(&place);
}

/* Shards beside an atlas that it does not list stay, and keep their names. */
static void test_strangers(void **state) {
    (void)state;
    workplace place = make_workplace(2);
    char *stranger = text("%s/shard-000001.safetensors", place.out), *errors;
    index_well(MINI, place.images, place.out, NULL);
    write_text(stranger, "precious");
    put_scenes(place.images, 2, 4);
    assert_int_equal(run_command(NULL, &errors, "index", "--model", MINI, "--images", place.images, "--out",
                                 place.out, NULL),
                     0);
    if (!strstr(errors, "1 file named like shards is not in atlas.json")) fail_msg("%s", errors);
    assert_content(stranger, "precious");
    assert_int_equal(count_images(place.out), 4);
    assert_command(0, "verify", place.out, NULL);
    free(errors);
    free(stranger);
    leave(&place);
}

/* A folder that a user made stays, even empty. */
static void test_own_folder_stays(void **state) {
    (void)state;
    workplace place = make_workplace(1);
    char *list = in_folder(&place, "list.txt");
    write_text(list, "nowhere.jpg\n");
    assert_int_equal(mkdir(place.out, 0777), 0);
    refused(1, "could be read", "index", "--model", MINI, "--images", list, "--out", place.out);
    assert_true(file_exists(place.out));
    assert_int_equal(count_files(place.out), 0);
    free(list);
    leave(&place);
}

/* ---- faults ---- */

/* The command with a fault, "NAME:N:HOW" (see preload/fail_call.c); its exit status. */
static int run_faulty(const char *fault, const char *const *arguments) {
    const char *all[32] = {TEST_COMMAND};
    for (size_t i = 0; arguments[i]; ++i) all[i + 1] = arguments[i];
    setenv("LD_PRELOAD", TEST_PRELOAD "/fail_call.preload", 1);
    setenv("FAIL_CALL", fault, 1);
    int status = run_program(all, NULL, NULL);
    unsetenv("FAIL_CALL");
    unsetenv("LD_PRELOAD");
    return status;
}

#ifdef TEST_SANITIZED
#define NEEDS_FAULTS() skip()
#else
#define NEEDS_FAULTS()
#endif

typedef struct faults {
    const char *call, *how;
} faults;

static const faults FAULTS[] = {{"rename", "KILL"},  {"unlink", "KILL"}, {"rename", "EIO"},
                                {"write", "ENOSPC"}, {"sync", "EIO"},    {"mkdir", "EACCES"}};

/* Calls `attempt` with fault after fault until none is met any more; at least one must have been. */
static void try_faults(void (*attempt)(const char *fault, bool killed, int *status, void *user), void *user) {
    for (size_t i = 0; i < COUNT(FAULTS); ++i) {
        int status = -1, met = 0;
        for (int number = 1; status != 0; ++number, ++met) {
            char *fault = text("%s:%d:%s", FAULTS[i].call, number, FAULTS[i].how);
            attempt(fault, strcmp(FAULTS[i].how, "KILL") == 0, &status, user);
            if (status == 0 && strcmp(FAULTS[i].how, "KILL") != 0 && number < 3) status = -1; /* coped with */
            free(fault);
        }
        if (met < 2) fail_msg("%s: %s was never met", FAULTS[i].call, FAULTS[i].how);
    }
}

/* An atlas of some scenes becomes one of others: shards are added, rewritten and dropped. */
typedef struct update {
    workplace place;
    char *before, *after;
} update;

static void try_update(const char *fault, bool killed, int *status, void *user) {
    const update *self = user;
    char *out = text("%s/out", self->place.folder);
    copy_folder(self->before, out);
    const char *const arguments[] = {"index", "--model", MINI,        "--images", self->place.images,
                                     "--out", out,       "--threads", "1",        NULL};
    *status = run_faulty(fault, arguments);
    if (*status != 0 && *status != (killed ? 128 + SIGKILL : 1)) fail_msg("%s: status %d", fault, *status);
    assert_command(0, "verify", out, NULL);
    index_well(MINI, self->place.images, out, NULL);
    assert_same_bytes(self->after, out);
    remove_folder(out);
}

static void test_faulty_update(void **state) {
    (void)state;
    NEEDS_FAULTS();
    update self = {.place = make_workplace(8)};
    self.before = text("%s/before", self.place.folder);
    self.after = text("%s/after", self.place.folder);
    index_well(MINI, self.place.images, self.before, "--shard-size", "2", NULL);
    remove_scenes(&self.place, 0, 2);
    remove_scenes(&self.place, 4, 5);
    put_scenes(self.place.images, 8, 11);
    copy_folder(self.before, self.after);
    index_well(MINI, self.place.images, self.after, NULL);
    try_faults(try_update, &self);
    free(self.before);
    free(self.after);
    leave(&self.place);
}

/* A first index: until something is published, an error leaves nothing. */
static void try_first(const char *fault, bool killed, int *status, void *user) {
    const update *self = user;
    char *out = text("%s/out", self->place.folder);
    const char *const arguments[] = {"index", "--model", MINI,        "--images", self->place.images,
                                     "--out", out,       "--threads", "1",        "--shard-size",
                                     "2",     NULL};
    *status = run_faulty(fault, arguments);
    if (*status != 0 && *status != (killed ? 128 + SIGKILL : 1)) fail_msg("%s: status %d", fault, *status);
    char *listed = text("%s/atlas.json", out);
    if (file_exists(listed)) {
        assert_command(0, "verify", out, NULL);
    } else if (!killed && file_exists(out)) {
        fail_msg("%s: an empty folder is left", fault);
    }
    index_well(MINI, self->place.images, out, "--shard-size", "2", NULL);
    assert_same_bytes(self->after, out);
    free(listed);
    remove_folder(out);
}

static void test_faulty_first_index(void **state) {
    (void)state;
    NEEDS_FAULTS();
    update self = {.place = make_workplace(3)};
    self.after = text("%s/after", self.place.folder);
    index_well(MINI, self.place.images, self.after, "--shard-size", "2", NULL);
    try_faults(try_first, &self);
    free(self.after);
    leave(&self.place);
}

/* Merging is all or nothing, into a new folder and into an atlas that is there. */
typedef struct merge_case {
    char *folder, *inputs[2], *before, *after; /* before: the target; NULL: there is none */
} merge_case;

static void try_merge(const char *fault, bool killed, int *status, void *user) {
    const merge_case *self = user;
    char *out = text("%s/out", self->folder), *listed = text("%s/atlas.json", out);
    if (self->before) copy_folder(self->before, out);
    *status = run_faulty(fault, (const char *const[]){"merge", out, self->inputs[0], self->inputs[1], NULL});
    if (*status != 0 && *status != (killed ? 128 + SIGKILL : 1)) fail_msg("%s: status %d", fault, *status);
    bool done = file_exists(listed) && count_images(out) == count_images(self->after);
    if (done && strncmp(fault, "write:", 6) == 0) *status = 0; /* only the summary could not be printed */
    if (*status == 1 && self->before) assert_same_bytes(self->before, out);
    if (*status == 1 && !self->before && count_files(out) > 0) fail_msg("%s: files are left", fault);
    if (!done) assert_command(0, "merge", out, self->inputs[0], self->inputs[1], NULL);
    if (done) { /* killed behind its end: the next writer tidies up */
        char *empty = text("%s/empty", self->folder);
        assert_command(0, "merge", out, empty, NULL);
        free(empty);
    }
    assert_same_bytes(self->after, out);
    free(listed);
    remove_folder(out);
}

static void test_faulty_merge(void **state) {
    (void)state;
    NEEDS_FAULTS();
    for (int there = 0; there < 2; ++there) {
        workplace place = make_workplace(6);
        merge_case self = {.folder = place.folder, .after = in_folder(&place, "after")};
        char *all[3], *empty = in_folder(&place, "empty");
        index_well(MINI, place.images, empty, "--shard", "7/8", "--shard-size", "1", NULL);
        for (int i = 0; i < 3; ++i) {
            char *share = text("%d/3", i);
            all[i] = text("%s/part-%d", place.folder, i);
            index_well(MINI, place.images, all[i], "--shard", share, "--shard-size", "1", NULL);
            free(share);
        }
        self.inputs[0] = all[1];
        self.inputs[1] = all[2];
        self.before = there ? all[0] : NULL;
        if (there) copy_folder(all[0], self.after);
        assert_command(0, "merge", self.after, all[1], all[2], NULL);
        try_faults(try_merge, &self);
        for (int i = 0; i < 3; ++i) free(all[i]);
        free(empty);
        free(self.after);
        leave(&place);
    }
}

/* The second input is damaged, at its start, in its middle, cut: nothing is there, and a good copy goes well.
 */
static void test_merge_of_damage(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; ++kind) {
        workplace place = make_workplace(4);
        char *a = in_folder(&place, "a"), *b = in_folder(&place, "b"), *good = in_folder(&place, "good"),
             *out = in_folder(&place, "out"), *shard = text("%s/shard-000001.safetensors", b);
        index_well(MINI, place.images, a, "--shard", "0/2", "--shard-size", "1", NULL);
        index_well(MINI, place.images, b, "--shard", "1/2", "--shard-size", "1", NULL);
        copy_folder(b, good);
        size_t count;
        char *content = read_file(shard, &count);
        if (kind < 2) content[kind ? count / 2 : 9] ^= 1;
        write_file(shard, content, kind < 2 ? count : count - 8);
        refused(1, shard, "merge", out, a, b);
        assert_int_equal(count_files(out), 0);
        assert_command(0, "merge", out, a, good, NULL);
        assert_int_equal(count_images(out), 4);
        free(content);
        free(shard);
        free(out);
        free(good);
        free(b);
        free(a);
        leave(&place);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_away),
        cmocka_unit_test(test_folder_away),
        cmocka_unit_test(test_changed_for_the_worse),
        cmocka_unit_test(test_dropping),
        cmocka_unit_test(test_wrong_gallery),
        cmocka_unit_test(test_foreign_files),
        cmocka_unit_test(test_lost_manifest),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_own_folder_stays),
        cmocka_unit_test(test_faulty_update),
        cmocka_unit_test(test_faulty_first_index),
        cmocka_unit_test(test_faulty_merge),
        cmocka_unit_test(test_merge_of_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
