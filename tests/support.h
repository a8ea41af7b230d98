/* What every test needs: temporary folders, files, the built command, golden arrays. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* after the above, as cmocka wants it */
#include <cmocka.h>

#include "core/io/npy.h"
#include "headlight/error.h"
#include "headlight/library.h"

#define COUNT(ARRAY) (sizeof(ARRAY) / sizeof *(ARRAY))

/* A fresh folder below /tmp, removed with all that is in it by `remove_folder`. Static storage until the next
 * call is not shared: the caller owns the string and frees it through `remove_folder`. */
char *make_folder(void);
void remove_folder(char *folder);

/* printf into a new string that the caller frees. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

void write_file(const char *path, const void *bytes, size_t count);
void write_text(const char *path, const char *content);
/* The whole file with a NUL after it; the caller frees it. count may be NULL. */
char *read_file(const char *path, size_t *count);
bool file_exists(const char *path);
/* A line with digest and name for each file in the folder and below, hidden ones too, locks apart; free it.
 */
char *sum_files(const char *folder);
/* Names in a folder, "." and ".." left out. */
size_t count_files(const char *folder);
void copy_file(const char *from, const char *to);
/* Recursively. */
void copy_folder(const char *from, const char *to);

/* A call that is cancelled from the start. */
extern const hl_call stopped_call;

/* Runs the built command without a shell; arguments end with NULL. Returns its exit status (128 + signal when
 * it was killed). printed and errors, unless NULL, get what it wrote; the caller frees them. */
int run_command(char **printed, char **errors, const char *argument, ...) __attribute__((sentinel));

/* The same with any program, found on PATH. */
int run_program(const char *const *arguments, char **printed, char **errors);

/* Where the machine's own OPENBLAS_CORETYPE asks for a slower kernel, every command says so: of no concern to
 * tests of anything else. Takes the line out of what went to stderr, as run_program does, unless that is what
 * a test is about. */
void drop_kernel_warning(char *errors);
extern bool kernel_is_the_subject;

/* Largest absolute difference divided by the largest absolute value expected; fails the test when shapes
 * differ. */
double worst_error(const npy_array *expected, const npy_array *got);
/* Reads FOLDER/NAME.npy. */
npy_array read_array(const char *folder, const char *name);
/* Reads tests/golden/CASE/NAME.npy. */
npy_array golden(const char *name_of_case, const char *name);

/* The images of golden arrays, in their order. The PNG images come first; other decoders than the one used
 * for the arrays read the JPEG files slightly differently. */
enum { GOLDEN_PNGS = 6, GOLDEN_IMAGES = 9 };
extern const char *const golden_images[GOLDEN_IMAGES];

/* Fails the test with the message when status is not HL_OK. */
#define assert_ok(status, error)                                                                             \
    assert_true((status) == HL_OK ? true : (print_error("%s\n", (error).message), false))

#endif
