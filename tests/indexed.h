/* Galleries, indexed by the built command, and the atlases that come of it. */
#ifndef TESTS_INDEXED_H
#define TESTS_INDEXED_H

#include "core/atlas/opened.h"
#include "tests/mini.h"
#include "tests/support.h"

#include <sys/types.h>

#define TINY_MODEL TEST_GOLDEN "/tiny-a/model"

/* A folder with room for an atlas and a gallery of scenes. */
typedef struct workplace {
    char *folder, *images, *out; /* the folder; the gallery and the atlas in it */
} workplace;

/* The gallery of the scenes [0, count). */
workplace make_workplace(size_t count);
void leave(workplace *place);

/* Arguments end with NULL. */
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

/* The command must end with `status` and `said` among its errors. */
void assert_refused(int status, const char *said, const char *const *arguments);
#define refused(STATUS, SAID, ...) assert_refused(STATUS, SAID, (const char *const[]){__VA_ARGS__, NULL})

/* Starts a program, given by its path, with its words on /dev/null. */
pid_t start_program(const char *const *arguments);

atlas *open_atlas(const char *folder);

/* An image's number; SIZE_MAX when the atlas lacks it. */
size_t find_image(const atlas *of, const char *path);

/* The whole code: width + scalar_count numbers. */
void read_code(const atlas *of, size_t image, size_t head, float *code);

/* Same images, and the same codes up to `worst` of the largest. */
void assert_same_content(const char *left, const char *right, double worst);

/* The same files with the same bytes. */
void assert_same_bytes(const char *left, const char *right);

#endif
