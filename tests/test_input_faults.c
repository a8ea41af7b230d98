/* Files that change or cannot be read any more while they are used, through the built command: an error that
 * names the file, never a signal, and nothing left behind. */
#include "tests/scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The preload library cannot be loaded before a sanitizer's. */
#define PRELOAD "LD_PRELOAD=" TEST_PRELOAD "/fail_call.preload"

typedef struct fault {
    const char *file; /* NULL: the merges */
    const char *fault;
    const char *words[16];
    enum {
        FAILS,
        SUCCEEDS,
        EITHER
    } end; /* EITHER: what is lost may be made again, or not be needed any more */
} fault;

#define ARRAYS  "decompose", "--model", "model", "--backend", "reference", "--out", "other"
#define INDEX   "index", "--model", "model", "--backend", "reference", "--out", "other"
#define CONFIG  "model/open_clip_config.json"
#define WEIGHTS "model/open_clip_model.safetensors"
#define SHARD   "atlas/shard-000000.safetensors"

static const fault FAULTS[] = {
    /* read as a whole */
    {"e.yaml", "read:1:EIO", {"run", "e.yaml"}, FAILS},
    {"e.yaml", "stat:1:SHRINK", {"run", "e.yaml"}, FAILS},
    {"e.yaml", "read:1+:SHORT", {"run", "e.yaml"}, SUCCEEDS},
    {"e.yaml", "read:1:EINTR", {"run", "e.yaml"}, SUCCEEDS},
    {"labels.json", "read:1:EIO", {"run", "e.yaml"}, FAILS},
    {"labels.json", "stat:1:EMPTY", {"run", "--check", "e.yaml"}, FAILS},
    {"gallery.json", "read:1:EIO", {INDEX, "--images", "gallery.json"}, FAILS},
    {"gallery.json", "read:1:EMFILE", {INDEX, "--images", "gallery.json"}, FAILS},
    {"gallery.json", "stat:2:SHRINK", {INDEX, "--images", "gallery.json"}, FAILS},
    {"list.txt", "stat:2:EMPTY", {INDEX, "--images", "list.txt"}, FAILS},
    {"a.jpg", "read:1:EIO", {ARRAYS, "--image", "a.jpg"}, FAILS},
    {"a.jpg", "read:2:EIO", {ARRAYS, "--image", "a.jpg"}, FAILS},
    {"a.jpg", "stat:1:SHRINK", {ARRAYS, "--image", "a.jpg"}, FAILS},
    {"a.jpg", "read:1+:SHORT", {ARRAYS, "--image", "a.jpg"}, SUCCEEDS},
    {"texts.txt", "read:1:EIO", {ARRAYS, "--image", "a.jpg", "--texts", "texts.txt"}, FAILS},
    {"texts.txt", "stat:1:SHRINK", {ARRAYS, "--image", "a.jpg", "--texts", "texts.txt"}, FAILS},
    {"texts.txt", "read:1:EINTR", {ARRAYS, "--image", "a.jpg", "--texts", "texts.txt"}, SUCCEEDS},
    {"pixels.npy", "read:1:EIO", {ARRAYS, "--pixels", "pixels.npy"}, FAILS},
    {"pixels.npy", "stat:1:SHRINK", {ARRAYS, "--pixels", "pixels.npy"}, FAILS},
    {"pixels.npy", "stat:1:EMPTY", {ARRAYS, "--pixels", "pixels.npy"}, FAILS},
    /* the last to read it is the plugin that opens it, after all that were asked whether it is theirs */
    {CONFIG, "read:11:EIO", {ARRAYS, "--image", "a.jpg"}, FAILS},
    {CONFIG, "open:6:EMFILE", {ARRAYS, "--image", "a.jpg"}, FAILS},
    {NULL, "read:1:EIO", {ARRAYS, "--image", "a.jpg", "--text", "x"}, FAILS},
    {NULL, "stat:1:SHRINK", {ARRAYS, "--image", "a.jpg", "--text", "x"}, FAILS},
    {"atlas/atlas.json", "read:1:EIO", {"verify", "atlas"}, FAILS},
    {"atlas/atlas.json", "stat:1:EMPTY", {"run", "e.yaml"}, FAILS},
    /* read in parts */
    {WEIGHTS, "pread:1:EIO", {ARRAYS, "--image", "a.jpg"}, FAILS},
    {WEIGHTS, "pread:1:EMPTY", {ARRAYS, "--image", "a.jpg"}, FAILS},
    {WEIGHTS, "pread:2:SHRINK", {ARRAYS, "--image", "a.jpg"}, FAILS},
    {WEIGHTS, "pread:3:EMPTY", {ARRAYS, "--image", "a.jpg"}, FAILS},
    {WEIGHTS, "pread:9:EIO", {"run", "e.yaml"}, FAILS},
    {WEIGHTS, "pread:20:EMPTY", {"run", "e.yaml"}, FAILS},
    {WEIGHTS, "pread:5:EMPTY", {INDEX, "--images", "list.txt"}, FAILS},
    {WEIGHTS, "pread:1+:SHORT", {ARRAYS, "--image", "a.jpg"}, SUCCEEDS},
    {WEIGHTS, "pread:4:EINTR", {ARRAYS, "--image", "a.jpg"}, SUCCEEDS},
    /* mapped */
    {SHARD, "map:1:ENOMEM", {"verify", "atlas"}, FAILS},
    {SHARD, "map:1:EMPTY", {"verify", "atlas"}, FAILS},
    {SHARD, "map:1:SHRINK", {"verify", "atlas"}, FAILS},
    {SHARD, "map:1:EMPTY", {"merge", "other", "atlas"}, FAILS},
    {SHARD, "map:1:EMPTY", {"run", "e.yaml"}, FAILS},
    {SHARD, "stat:2:EMPTY", {"verify", "atlas"}, FAILS}, /* the second is after its header was read */
    {SHARD, "stat:2:SHRINK", {"verify", "atlas"}, FAILS},
    {SHARD, "stat:2:EMPTY", {"merge", "other", "atlas"}, FAILS},
    {SHARD, "stat:2:EMPTY", {"run", "e.yaml"}, FAILS},
    {SHARD, "stat:2:SHRINK", {"run", "e.yaml"}, FAILS},
    {SHARD, "stat:3:EMPTY", {"run", "e.yaml"}, FAILS}, /* from here on it is searched */
    {SHARD, "stat:3:SHRINK", {"run", "e.yaml"}, FAILS},
    {SHARD, "stat:4:EMPTY", {"run", "e.yaml"}, SUCCEEDS}, /* the last look: nothing is read any more */
};

static scratch_call call_of(const fault *each, char *variables[2]) {
    const char *name = each->file ? each->file : scratch_merges;
    scratch_call call = {.environment = {PRELOAD, variables[0], variables[1]}};
    variables[0] = text("FAIL_CALL=%s", each->fault);
    variables[1] = text("FAIL_CALL_FILE=%s", name);
    call.environment[1] = variables[0];
    call.environment[2] = variables[1];
    for (size_t i = 0; each->words[i]; ++i) call.words[i] = each->words[i];
    return call;
}

static void check_fault(const fault *each) {
    const char *name = each->file ? each->file : scratch_merges, *slash = strrchr(name, '/');
    char *path = scratch_path(name), *aside = scratch_path("aside"), *variables[2] = {NULL}, *said;
    char *what = text("%s %s on %s", each->words[0], each->fault, name);
    run_program((const char *const[]){"cp", "-p", path, aside, NULL}, NULL, NULL); /* with its time */
    scratch_remove("other");
    scratch_remove("out");
    scratch_call call = call_of(each, variables);
    int status = scratch_run(&call, &said);
    if (status != (each->end == FAILS)) fail_msg("%s: status %d: %s", what, status, said);
    if (status != 0) {
        bool named = strstr(said, slash ? slash + 1 : name) != NULL;
        bool one_line = strchr(said, '\n') && !strchr(said, '\n')[1];
        if (!named || !one_line) fail_msg("%s: %s", what, said);
        if (scratch_has("out/results.json") || scratch_has("other/codes.npy")) fail_msg("%s: results", what);
    }
    scratch_check_clean(what);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(aside, path), 0);
    free(said);
    free(what);
    free(variables[0]);
    free(variables[1]);
    free(aside);
    free(path);
}

static void a_file_that_fails_is_named(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(FAULTS); ++i) check_fault(&FAULTS[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_file_that_fails_is_named)};
    return cmocka_run_group_tests(tests, scratch_fill, scratch_empty);
}
