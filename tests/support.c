#include "tests/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool always(void *user) {
    (void)user;
    return true;
}

const hl_call stopped_call = {.size = sizeof stopped_call, .cancelled = always};

char *make_folder(void) {
    char *folder = text("/tmp/headlight-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void remove_tree(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) {
        unlink(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char *child = text("%s/%s", path, entry->d_name);
        struct stat status;
        if (lstat(child, &status) == 0 && S_ISDIR(status.st_mode)) {
            remove_tree(child);
        } else {
            unlink(child);
        }
        free(child);
    }
    closedir(folder);
    rmdir(path);
}

void remove_folder(char *folder) {
    remove_tree(folder);
    free(folder);
}

char *text(const char *format, ...) {
    char *out = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&out, format, arguments);
    va_end(arguments);
    assert_true(length >= 0);
    return out;
}

void write_file(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

void write_text(const char *path, const char *content) {
    write_file(path, content, strlen(content));
}

char *read_file(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s: cannot be read", path);
    size_t used = 0, room = 4096;
    char *out = malloc(room);
    assert_non_null(out);
    for (size_t got; (got = fread(out + used, 1, room - used - 1, file)) > 0;) {
        used += got;
        if (room - used < 2) assert_non_null(out = realloc(out, room *= 2));
    }
    fclose(file);
    out[used] = '\0';
    if (count) *count = used;
    return out;
}

bool file_exists(const char *path) {
    return access(path, F_OK) == 0;
}

size_t count_files(const char *folder) {
    DIR *open = opendir(folder);
    if (!open) return 0;
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(open));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) ++count;
    }
    closedir(open);
    return count;
}

void copy_file(const char *from, const char *to) {
    size_t count;
    char *content = read_file(from, &count);
    write_file(to, content, count);
    free(content);
}

void copy_folder(const char *from, const char *to) {
    mkdir(to, 0755);
    DIR *folder = opendir(from);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char *source = text("%s/%s", from, entry->d_name), *target = text("%s/%s", to, entry->d_name);
        struct stat status;
        assert_int_equal(stat(source, &status), 0);
        if (S_ISDIR(status.st_mode)) {
            copy_folder(source, target);
        } else {
            copy_file(source, target);
        }
        free(source);
        free(target);
    }
    closedir(folder);
}

/* stdout and stderr go to files, so that neither can fill a pipe and stop the program. */
bool kernel_is_the_subject;

void drop_kernel_warning(char *errors) {
    char *line = getenv("OPENBLAS_CORETYPE") && !kernel_is_the_subject
                     ? strstr(errors, "warning: OpenBLAS runs its ")
                     : NULL;
    char *end = line ? strchr(line, '\n') : NULL;
    if (end) memmove(line, end + 1, strlen(end + 1) + 1);
}

int run_program(const char *const *arguments, char **printed, char **errors) {
    char *folder = make_folder(), *out = text("%s/out", folder), *err = text("%s/err", folder);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int out_file = open(out, O_WRONLY | O_CREAT, 0600), err_file = open(err, O_WRONLY | O_CREAT, 0600);
        int in_file = open("/dev/null", O_RDONLY);
        dup2(in_file, 0);
        dup2(out_file, 1);
        dup2(err_file, 2);
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (printed) *printed = read_file(out, NULL);
    if (errors) {
        *errors = read_file(err, NULL);
        drop_kernel_warning(*errors);
    }
    free(out);
    free(err);
    remove_folder(folder);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_command(char **printed, char **errors, const char *argument, ...) {
    const char *arguments[128] = {TEST_COMMAND, argument};
    va_list list;
    va_start(list, argument);
    for (size_t i = 2; i < 127 && (arguments[i] = va_arg(list, const char *)); ++i) {
    }
    va_end(list);
    return run_program(arguments, printed, errors);
}

char *sum_files(const char *folder) {
    const char *script = "cd \"$0\" && find . -type f ! -name .lock ! -name .changes.json | LC_ALL=C sort | "
                         "xargs -r -d '\\n' sha256sum";
    char *sums;
    assert_int_equal(run_program((const char *const[]){"sh", "-c", script, folder, NULL}, &sums, NULL), 0);
    return sums;
}

double worst_error(const npy_array *expected, const npy_array *got) {
    assert_int_equal(expected->rank, got->rank);
    for (size_t i = 0; i < expected->rank; ++i) assert_int_equal(expected->shape[i], got->shape[i]);
    double largest = 0, worst = 0;
    for (size_t i = 0; i < expected->elements; ++i) {
        double difference = fabs((double)expected->data[i] - (double)got->data[i]);
        assert_true(isfinite(difference));
        largest = fmax(largest, fabs((double)expected->data[i]));
        worst = fmax(worst, difference);
    }
    return worst / largest;
}

npy_array read_array(const char *folder, const char *name) {
    char *path = text("%s/%s.npy", folder, name);
    npy_array array;
    hl_error error;
    assert_ok(npy_read(path, &array, &error), error);
    free(path);
    return array;
}

npy_array golden(const char *name_of_case, const char *name) {
    char *folder = text(TEST_GOLDEN "/%s", name_of_case);
    npy_array array = read_array(folder, name);
    free(folder);
    return array;
}

const char *const golden_images[GOLDEN_IMAGES] = {"rgb_wide.png",
                                                  "rgb_tall.png",
                                                  "rgb_tiny.png",
                                                  "gray.png",
                                                  "rgba_opaque.png",
                                                  "palette.png",
                                                  "n03998194_prayer_rug.jpg",
                                                  "n01910747_jellyfish.jpg",
                                                  "n02132136_brown_bear.jpg"};
