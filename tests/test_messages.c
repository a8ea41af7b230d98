/* Messages about long paths: what does not fit is left out of the middle, so that the reason stays, and no
 * character is cut in two. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <unistr.h>

static char *repeat(const char *piece, size_t times) {
    size_t length = strlen(piece);
    char *out = malloc(length * times + 1);
    assert_non_null(out);
    for (size_t i = 0; i < times; ++i) memcpy(out + i * length, piece, length);
    out[length * times] = '\0';
    return out;
}

/* Letters of one to four bytes, and paths that end at every place around the room. */
static void the_middle_is_left_out(void **state) {
    (void)state;
    static const char *const letters[] = {"a", "\xc3\xa4", "\xe5\xb1\xb1", "\xf0\x9f\x90\xb3"};
    for (size_t i = 0; i < COUNT(letters); ++i) {
        for (size_t bytes = 900; bytes < 4200; bytes += bytes < 1100 ? 1 : 97) {
            char *path = repeat(letters[i], bytes / strlen(letters[i]));
            hl_error error;
            assert_int_equal(hl_fail(&error, HL_FAILED, "/top/%s: cannot be read: no such disk", path),
                             HL_FAILED);
            const char *end =
                error.message + strlen(error.message) - strlen(": cannot be read: no such disk");
            assert_string_equal(end, ": cannot be read: no such disk");
            assert_memory_equal(error.message, "/top/", 5);
            assert_null(u8_check((const uint8_t *)error.message, strlen(error.message)));
            bool cut = strlen(path) + 5 + strlen(end) >= sizeof error.message;
            assert_int_equal(strstr(error.message, "...") != NULL, cut);
            free(path);
        }
    }
}

static void bytes_that_are_no_text_are_cut_too(void **state) {
    (void)state;
    char *path = repeat("\x80", 3000);
    hl_error error;
    hl_fail(&error, HL_FAILED, "%s: gone", path);
    assert_true(strlen(error.message) < sizeof error.message);
    free(path);
    path = repeat("\xff", 3000);
    hl_fail(&error, HL_FAILED, "%s: gone", path);
    assert_string_equal(error.message + strlen(error.message) - 6, ": gone");
    free(path);
}

/* What a file calls something may hold line breaks; a message is one line. */
static void a_message_is_one_line(void **state) {
    (void)state;
    hl_error error;
    hl_fail(&error, HL_USAGE, "%s: \"%s\" is unknown", "a.json", "\nWord\r\nPiece\n");
    assert_string_equal(error.message, "a.json: \" Word  Piece \" is unknown");
}

/* Through the command: files, experiments and their places, deep below. */
static void a_long_path_keeps_its_reason(void **state) {
    (void)state;
    char *folder = make_folder(), *name = repeat("\xc3\xa4lfred-", 25), *deep = strdup(folder), *said;
    for (int i = 0; i < 12; ++i) {
        char *next = text("%s/%s", deep, name);
        free(deep);
        deep = next;
        run_program((const char *const[]){"mkdir", deep, NULL}, NULL, NULL);
    }
    char *yaml = text("%s/e.yaml", deep), *image = text("%s/no-such.jpg", deep);
    write_text(yaml,
               "headlight: 1\nmodel: {path: " TEST_SOURCE
               "/configs/mini/model}\noutput: o\nanalyses: [{plugin: topic-segmentation, txts: [a]}]\n");
    assert_int_equal(run_command(NULL, &said, "run", yaml, NULL), 2);
    assert_non_null(strstr(said, "e.yaml:4:"));
    assert_non_null(strstr(said, "did you mean \"texts\"?\n"));
    free(said);
    assert_int_equal(run_command(NULL, &said, "run", yaml, "--set", "model.path=gone", "--set",
                                 "analyses.0={plugin: topic-segmentation}", NULL),
                     2);
    assert_non_null(strstr(said, "--set model.path: "));
    free(said);
    write_text(yaml, "headlight: 1\nmodel: {path: m}\noutput: o\nanalyses: [{plugin: topic-segmentation}]\n");
    assert_int_equal(run_command(NULL, &said, "run", yaml, NULL), 2);
    assert_non_null(strstr(said, "e.yaml:2:15: "));
    assert_non_null(strstr(said, "/m does not exist"));
    free(said);
    const char *model = TEST_SOURCE "/configs/mini/model";
    assert_int_equal(
        run_command(NULL, &said, "decompose", "--model", model, "--image", image, "--out", folder, NULL), 1);
    assert_non_null(strstr(said, "no-such.jpg: cannot be opened: No such file or directory"));
    free(said);
    assert_int_equal(run_command(NULL, &said, "verify", deep, NULL), 2);
    assert_non_null(strstr(said, "no atlas is there"));
    free(said);
    free(image);
    free(yaml);
    free(name);
    free(deep);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_middle_is_left_out),
        cmocka_unit_test(bytes_that_are_no_text_are_cut_too),
        cmocka_unit_test(a_message_is_one_line),
        cmocka_unit_test(a_long_path_keeps_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
