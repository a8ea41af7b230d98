/* Galleries: folders with links, lists, gallery.json; order, repeats, and files that are damaged. */
#include "core/atlas/gallery.h"
#include "tests/support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static gallery *open_well(const char *source) {
    gallery *list;
    hl_error error;
    assert_ok(gallery_open(source, &list, &error), error);
    return list;
}

static void assert_paths(const gallery *list, size_t count, const char *const *expected) {
    assert_int_equal(list->count, count);
    for (size_t i = 0; i < count; ++i) assert_string_equal(list->images[i].path, expected[i]);
}

static void put(const char *folder, const char *name, const char *content) {
    char *path = text("%s/%s", folder, name);
    write_text(path, content);
    free(path);
}

static void put_folder(const char *folder, const char *name) {
    char *path = text("%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0755), 0);
    free(path);
}

static void put_link(const char *folder, const char *name, const char *target) {
    char *path = text("%s/%s", folder, name);
    assert_int_equal(symlink(target, path), 0);
    free(path);
}

/* Also of formats that nothing here reads: they are to be reported as skipped. */
static void whatever_people_call_photos_is_found(void **state) {
    (void)state;
    static const char *const ENDINGS[] = {"HEIC", "arw",  "avif", "bmp",  "cr2", "cr3", "dng",
                                          "gif",  "heif", "jp2",  "jpeg", "jpg", "jxl", "nef",
                                          "png",  "psd",  "tga",  "tiff", "webp"};
    enum { COUNT = sizeof ENDINGS / sizeof *ENDINGS };
    char *folder = make_folder();
    for (size_t i = 0; i < COUNT; ++i) {
        char *name = text("photo.%s", ENDINGS[i]);
        put(folder, name, "x");
        free(name);
    }
    put(folder, "photo.txt", "x");
    put(folder, "photo.mp4", "x");
    put(folder, "heic", "x");
    gallery *list = open_well(folder);
    assert_int_equal(list->count, COUNT);
    for (size_t i = 0; i < COUNT; ++i) assert_string_equal(list->images[i].path + 6, ENDINGS[i]);
    gallery_close(list);
    remove_folder(folder);
}

/* Byte order of whole paths, any case of the ending, nothing but images. */
static void test_folder(void **state) {
    (void)state;
    char *folder = make_folder();
    put_folder(folder, "b");
    put_folder(folder, "b/deep");
    put(folder, "b/deep/1.png", "x");
    put(folder, "b/2.JPEG", "xy");
    put(folder, "b.jpg", "xyz");
    put(folder, "a.GIF", "x");
    put(folder, "notes.txt", "x");
    put(folder, "jpg", "x");
    put(folder, "Z.bmp", "x");
    char *slashed = text("%s//", folder), *file = text("%s/a.GIF", folder);
    gallery *list = open_well(slashed);
    assert_paths(list, 5, (const char *const[]){"Z.bmp", "a.GIF", "b.jpg", "b/2.JPEG", "b/deep/1.png"});
    assert_string_equal(list->folder, folder);
    assert_string_equal(list->images[1].file, file);
    assert_int_equal(list->images[2].bytes, 3);
    assert_null(list->images[0].facts);
    gallery_close(list);
    free(slashed);
    free(file);
    remove_folder(folder);
}

/* A folder is walked once, however it is linked; the shortest way to it gives its name. */
static void test_links(void **state) {
    (void)state;
    char *folder = make_folder();
    put_folder(folder, "a");
    put_folder(folder, "a/far");
    put_folder(folder, "z");
    put(folder, "z/1.jpg", "x");
    put(folder, "a/2.jpg", "x");
    put_link(folder, "a/loop", "..");
    put_link(folder, "a/far/self", ".");
    put_link(folder, "a/again", "../z");
    put_link(folder, "nowhere.jpg", "missing");
    put_link(folder, "round.png", "round.png");
    put_link(folder, "same.jpg", "z/1.jpg");
    put_link(folder, "nowhere", "missing");
    gallery *list = open_well(folder);
    assert_paths(list, 5,
                 (const char *const[]){"a/2.jpg", "nowhere.jpg", "round.png", "same.jpg", "z/1.jpg"});
    assert_int_equal(list->images[1].bytes, -1);
    assert_int_equal(list->images[1].modified, -1);
    assert_int_equal(list->images[3].bytes, 1);
    gallery_close(list);
    remove_folder(folder);
}

/* Named pipes and the like are no images, and nobody waits for them. */
static void test_special_files(void **state) {
    (void)state;
    char *folder = make_folder(), *pipe = text("%s/pipe.jpg", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    put(folder, "real.jpg", "x");
    gallery *list = open_well(folder);
    assert_paths(list, 1, (const char *const[]){"real.jpg"});
    gallery_close(list);
    hl_error error;
    assert_int_equal(gallery_open(pipe, &list, &error), HL_USAGE);
    free(pipe);
    remove_folder(folder);
}

static void test_modified(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/1.jpg", folder);
    write_text(path, "x");
    const struct timespec times[2] = {{1, 0}, {1234567890, 123456789}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    gallery *list = open_well(folder);
    assert_true(list->images[0].modified == INT64_C(1234567890123456789));
    gallery_close(list);
    free(path);
    remove_folder(folder);
}

/* Order, repeats, empty lines, both kinds of line ends, a byte order mark, "./", absolute paths. */
static void test_list(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/list.txt", folder), *absolute = text("%s/abs.jpg", folder);
    char *content = text("\xef\xbb\xbf%s\r\n\n./b.jpg\nno such.png\nb.jpg\n././a.jpg", "c.jpg");
    char *whole = text("%s\n%s\n", content, absolute);
    put(folder, "b.jpg", "xy");
    write_text(path, whole);
    gallery *list = open_well(path);
    assert_paths(list, 5, (const char *const[]){absolute, "a.jpg", "b.jpg", "c.jpg", "no such.png"});
    assert_string_equal(list->images[0].file, absolute);
    assert_int_equal(list->images[2].bytes, 2);
    assert_int_equal(list->images[3].bytes, -1);
    assert_ptr_equal(gallery_find(list, "b.jpg"), &list->images[2]);
    assert_null(gallery_find(list, "b.jp"));
    gallery_close(list);
    free(whole);
    free(content);
    free(absolute);
    free(path);
    remove_folder(folder);
}

static void test_document(void **state) {
    (void)state;
    gallery *list = open_well(TEST_SOURCE "/configs/mini/gallery.json");
    assert_int_equal(list->count, 400);
    assert_string_equal(list->folder, TEST_SOURCE "/configs/mini");
    const gallery_image *image = gallery_find(list, "gallery/scene-001.jpg");
    assert_non_null(image);
    assert_string_equal(hl_get_text(image->facts, "mask"), "masks/scene-001.png");
    assert_true(image->bytes > 1000);
    assert_string_equal(image->file, TEST_SOURCE "/configs/mini/gallery/scene-001.jpg");
    gallery_close(list);
}

static const char *caption_of(const gallery *list, const char *path) {
    const gallery_image *image = gallery_find(list, path);
    assert_non_null(image);
    return hl_get_text(image->facts, "caption");
}

/* The folder says which images there are, its gallery.json what is known of them. */
static void test_document_in_folder(void **state) {
    (void)state;
    char *folder = make_folder();
    put_folder(folder, "b");
    put(folder, "a.jpg", "x");
    put(folder, "b/1.jpg", "x");
    put(folder, "c.jpg", "x");
    put(folder, "gallery.json",
        "[{\"path\": \"gone.jpg\", \"caption\": \"nowhere\"}, {\"path\": \"./b/1.jpg\", \"caption\": "
        "\"deep\"},"
        " {\"path\": \"a.jpg\", \"caption\": \"near\"}]");
    put(folder, "b/gallery.json", "no JSON, and no business of this gallery");
    gallery *list = open_well(folder);
    assert_paths(list, 3, (const char *const[]){"a.jpg", "b/1.jpg", "c.jpg"});
    assert_string_equal(caption_of(list, "a.jpg"), "near");
    assert_string_equal(caption_of(list, "b/1.jpg"), "deep");
    assert_null(gallery_find(list, "c.jpg")->facts);
    assert_int_equal(list->images[1].bytes, 1);
    gallery_close(list);
    put(folder, "gallery.json", "[]");
    list = open_well(folder);
    assert_int_equal(list->count, 3);
    gallery_close(list);
    remove_folder(folder);
}

/* In a folder it is as wrong as by itself. */
static void test_bad_document_in_folder(void **state) {
    (void)state;
    static const char *const documents[] = {"",
                                            "{}",
                                            "[{\"path\": \"a.jpg\"}",
                                            "[{\"caption\": \"a\"}]",
                                            "[{\"path\": \"a.jpg\"}, {\"path\": \"a.jpg\"}]",
                                            "[{\"path\": \"a.jpg\", \"caption\": \"\xff\"}]"};
    char *folder = make_folder(), *path = text("%s/gallery.json", folder);
    put(folder, "a.jpg", "x");
    for (size_t i = 0; i < COUNT(documents); ++i) {
        write_text(path, documents[i]);
        gallery *list;
        hl_error error;
        assert_int_equal(gallery_open(folder, &list, &error), HL_FAILED);
        assert_null(list);
        if (!strstr(error.message, path)) fail_msg("%s: %s", documents[i], error.message);
    }
    assert_int_equal(unlink(path), 0);
    put_folder(folder, "gallery.json"); /* a folder of that name is a folder */
    put(folder, "gallery.json/b.jpg", "x");
    gallery *list = open_well(folder);
    assert_paths(list, 2, (const char *const[]){"a.jpg", "gallery.json/b.jpg"});
    gallery_close(list);
    free(path);
    remove_folder(folder);
}

/* The system's names are bytes; only texts have an encoding. */
static void test_names_of_any_bytes(void **state) {
    (void)state;
    char *folder = make_folder();
    put(folder, "bad\xff\xfe.png", "x");
    put(folder, "line\nbreak.png", "xy");
    gallery *list = open_well(folder);
    assert_paths(list, 2, (const char *const[]){"bad\xff\xfe.png", "line\nbreak.png"});
    assert_int_equal(list->images[1].bytes, 2);
    gallery_close(list);
    remove_folder(folder);
}

typedef struct bad_file {
    const char *name, *content, *said; /* said: part of the message */
    hl_status status;
} bad_file;

static const bad_file BAD_FILES[] = {
    {"a.json", "[{\"path\": \"a.jpg\"}", "byte", HL_FAILED},
    {"a.json", "[{\"path\": \"a.jpg\"}] x", "byte", HL_FAILED},
    {"a.json", "{\"path\": \"a.jpg\"}", "expected a list", HL_FAILED},
    {"a.json", "[{\"path\": \"a.jpg\"}, {\"file\": \"b.jpg\"}]", "item 1", HL_FAILED},
    {"a.json", "[{\"path\": 3}]", "item 0", HL_FAILED},
    {"a.json", "[{\"path\": \"\"}]", "item 0", HL_FAILED},
    {"a.json", "[[]]", "item 0", HL_FAILED},
    {"a.json", "[{\"path\": \"a.jpg\"}, {\"path\": \"a.jpg\", \"caption\": \"b\"}]", "\"a.jpg\"", HL_FAILED},
    {"a.json", "[{\"path\": \"a.jpg\"}, {\"path\": \"./a.jpg\"}]", "\"a.jpg\"", HL_FAILED},
    {"a.json", "[{\"path\": \"a.jpg\", \"caption\": \"\", \"path\": \"b.jpg\"}]", "item 0 (from 0): has two",
     HL_FAILED},
    {"a.json", "[{\"path\": \"a.jpg\\u0000x\"}]", "NUL", HL_FAILED},
    {"a.json", "[{\"path\": \"a.jpg\",\n\"caption\": \"\xe9t\xe9\"}]", "a.json:2: not UTF-8", HL_FAILED},
    {"a.txt", "a.jpg\n\xe9.jpg\n", "a.txt:2: not UTF-8", HL_FAILED},
    {"a.JSON", "[]", "no image", HL_USAGE},
    {"a.txt", "\n\n", "no image", HL_USAGE},
    {"a.txt", "", "no image", HL_USAGE},
};

static void test_bad_files(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof BAD_FILES / sizeof *BAD_FILES; ++i) {
        const bad_file *bad = &BAD_FILES[i];
        char *folder = make_folder(), *path = text("%s/%s", folder, bad->name);
        write_text(path, bad->content);
        gallery *list;
        hl_error error;
        assert_int_equal(gallery_open(path, &list, &error), bad->status);
        assert_null(list);
        assert_non_null(strstr(error.message, path));
        if (!strstr(error.message, bad->said)) fail_msg("%s: %s", bad->content, error.message);
        free(path);
        remove_folder(folder);
    }
}

static void assert_left_out(const gallery *list, const char *expected) {
    char said[256] = "";
    left_out_describe(&list->left_out, said, sizeof said);
    assert_string_equal(said, expected);
}

/* What file managers, network drives and archives leave is no photograph; a gallery's own name may be hidden.
 */
static void test_hidden_and_system(void **state) {
    (void)state;
    static const char *const FOLDERS[] = {".thumbnails", ".git",         "@eaDir",       "__MACOSX",
                                          "#recycle",    "$RECYCLE.BIN", "$Recycle.Bin", "lost+found",
                                          "b/.cache",    "b/@eaDir",     "@Recycle"};
    char *folder = make_folder();
    put_folder(folder, "b");
    for (size_t i = 0; i < COUNT(FOLDERS); ++i) {
        char *inner = text("%s/thumb.jpg", FOLDERS[i]);
        put_folder(folder, FOLDERS[i]);
        put(folder, inner, "x");
        free(inner);
    }
    put(folder, "._a.jpg", "x");
    put(folder, "b/.hidden.png", "x");
    put(folder, ".nothing", "x");
    put(folder, "a.jpg", "x");
    put(folder, "b/@eaDir.jpg", "x");
    put(folder, "recycle.jpg", "x");
    gallery *list = open_well(folder);
    assert_paths(list, 3, (const char *const[]){"a.jpg", "b/@eaDir.jpg", "recycle.jpg"});
    assert_left_out(list, "5 hidden files or folders, 8 system folders");
    gallery_close(list);
    char *hidden = text("%s/.thumbnails", folder);
    list = open_well(hidden);
    assert_paths(list, 1, (const char *const[]){"thumb.jpg"});
    assert_left_out(list, "");
    gallery_close(list);
    free(hidden);
    remove_folder(folder);
}

/* However their paths are written, and in whichever folder's gallery.json; but an image that it names is one.
 */
static void test_masks(void **state) {
    (void)state;
    char *folder = make_folder();
    put_folder(folder, "masks");
    put_folder(folder, "b");
    put(folder, "a.jpg", "x");
    put(folder, "c.jpg", "x");
    put(folder, "d.jpg", "x");
    put(folder, "masks/a.png", "x");
    put(folder, "masks/c.png", "x");
    put(folder, "masks/free.png", "x");
    put(folder, "d-mask.png", "x");
    put(folder, "b/1.jpg", "x");
    put(folder, "b/1-mask.png", "x");
    put_link(folder, "again.png", "masks/a.png");
    char *document =
        text("[{\"path\": \"a.jpg\", \"mask\": \"masks/a.png\"}, {\"path\": \"c.jpg\", \"mask\": "
             "\"./masks/../masks/c.png\"}, {\"path\": \"d.jpg\", \"mask\": \"%s/d-mask.png\"}, "
             "{\"path\": \"b/1.jpg\", \"mask\": \"d.jpg\"}, {\"path\": \"x.jpg\", \"mask\": \"gone.png\"}, "
             "{\"path\": \"y.jpg\", \"mask\": 3}]",
             folder);
    put(folder, "gallery.json", document);
    put(folder, "b/gallery.json", "[{\"path\": \"1.jpg\", \"mask\": \"1-mask.png\"}]");
    gallery *list = open_well(folder);
    assert_paths(list, 5, (const char *const[]){"a.jpg", "b/1.jpg", "c.jpg", "d.jpg", "masks/free.png"});
    assert_left_out(list, "5 masks");
    gallery_close(list);
    free(document);
    remove_folder(folder);
}

/* The list that a run leaves says which pictures are its own; what lies beside them is the user's. */
static void test_pictures_of_runs(void **state) {
    (void)state;
    char *folder = make_folder();
    put_folder(folder, "out");
    put_folder(folder, "out/variant");
    put(folder, "out/heat-1.png", "x");
    put(folder, "out/variant/heat-2.png", "x");
    put(folder, "out/mine.jpg", "x");
    put(folder, "heat-0.png", "x");
    put(folder, "photo.png", "x");
    put(folder, "out/.headlight-run-files", "heat-1.png\nreport.html\nvariant/heat-2.png\n../photo.png\n");
    put(folder, ".headlight-run-files", "heat-0.png\nresults.json\n");
    gallery *list = open_well(folder);
    assert_paths(list, 2, (const char *const[]){"out/mine.jpg", "photo.png"});
    assert_left_out(list, "3 pictures of earlier runs");
    gallery_close(list);
    char *only = text("%s/out/variant", folder);
    list = open_well(only); /* asked for by name, by one who may want just that */
    assert_paths(list, 1, (const char *const[]){"heat-2.png"});
    gallery_close(list);
    free(only);
    remove_folder(folder);
}

static void test_all_left_out(void **state) {
    (void)state;
    char *folder = make_folder();
    put(folder, "._a.jpg", "x");
    gallery *list;
    hl_error error;
    assert_int_equal(gallery_open(folder, &list, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "left out: 1 hidden file or folder"));
    remove_folder(folder);
}

static void test_neither(void **state) {
    (void)state;
    gallery *list;
    hl_error error;
    assert_int_equal(gallery_open("/no/such/gallery", &list, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "/no/such/gallery"));
    assert_int_equal(gallery_open(TEST_GOLDEN "/images/gray.png", &list, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "neither"));
    char *folder = make_folder();
    assert_int_equal(gallery_open(folder, &list, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "no image"));
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder),
        cmocka_unit_test(whatever_people_call_photos_is_found),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_special_files),
        cmocka_unit_test(test_modified),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_neither),
        cmocka_unit_test(test_document_in_folder),
        cmocka_unit_test(test_bad_document_in_folder),
        cmocka_unit_test(test_names_of_any_bytes),
        cmocka_unit_test(test_hidden_and_system),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_pictures_of_runs),
        cmocka_unit_test(test_all_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
