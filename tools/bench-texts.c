/* For tools/bench-texts: encodes the lines of a file in one process, so many times, and leaves the
 * embeddings.
 *
 *     bench-texts MODEL TEXTS RUNS THREADS OUT BACKEND [KEY=VALUE of the backend]...
 *
 * prints one line of JSON: the seconds of each run, after some texts that have the model loaded. */
#include <headlight/library.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MODEL = 1, TEXTS, RUNS, THREADS, OUT, BACKEND, COMPUTE, MOST_TEXTS = 1 << 20, LONGEST = 4096 };

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static char **read_lines(const char *path, size_t *count) {
    char line[LONGEST], **lines = calloc(MOST_TEXTS, sizeof *lines);
    FILE *file = fopen(path, "r");
    if (!file || !lines) return NULL;
    while (*count < MOST_TEXTS && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        lines[(*count)++] = strdup(line);
    }
    fclose(file);
    return lines;
}

static hl_status encode(const hl_ask *ask, char **lines, size_t count, int runs, float *out,
                        hl_error *error) {
    enum { FIRST = 64 };
    const char *const *texts = (const char *const *)lines;
    hl_status status = ask->encode_texts(ask, texts, count < FIRST ? count : FIRST, out, error);
    for (int i = 0; i < runs && status == HL_OK; ++i) {
        double start = seconds_now();
        status = ask->encode_texts(ask, texts, count, out, error);
        printf("%s%.6f", i > 0 ? ", " : "", seconds_now() - start);
    }
    return status;
}

static hl_status write_all(const char *path, const float *numbers, size_t count, hl_error *error) {
    FILE *file = fopen(path, "wb");
    bool written = file && fwrite(numbers, sizeof *numbers, count, file) == count;
    if (file && fclose(file) != 0) written = false;
    return written ? HL_OK : hl_fail(error, HL_FAILED, "%s cannot be written", path);
}

static hl_status run(const hl_ask *ask, char **word, hl_error *error) {
    size_t count = 0, dim = ask->model->embed_dim;
    char **lines = read_lines(word[TEXTS], &count);
    float *out = lines ? calloc(count + 1, dim * sizeof *out) : NULL;
    hl_status status = out ? HL_OK : hl_fail(error, HL_FAILED, "%s cannot be read", word[TEXTS]);
    printf("{\"seconds\": [");
    if (status == HL_OK) status = encode(ask, lines, count, atoi(word[RUNS]), out, error);
    printf("]}\n");
    if (status == HL_OK) status = write_all(word[OUT], out, count * dim, error);
    for (size_t i = 0; i < count; ++i) free(lines[i]);
    return free(lines), free(out), status;
}

int main(int words, char **word) {
    if (words < COMPUTE) return fprintf(stderr, "see tools/bench-texts\n"), 2;
    const hl_ask_settings settings = {.size = sizeof settings,
                                      .model = word[MODEL],
                                      .backend = word[BACKEND],
                                      .compute = (const char *const *)(word + COMPUTE),
                                      .compute_count = (size_t)(words - COMPUTE),
                                      .threads = (unsigned)atoi(word[THREADS])};
    const hl_library_settings none = {.size = sizeof none};
    hl_library *library = NULL;
    const hl_ask *ask = NULL;
    hl_error error;
    hl_status status = hl_library_open(&none, &library, &error);
    if (status == HL_OK) status = hl_ask_open(library, NULL, &settings, &ask, &error);
    if (status == HL_OK) status = run(ask, word, &error);
    if (status != HL_OK) fprintf(stderr, "%s\n", error.message);
    return hl_ask_close(ask), hl_library_close(library), status != HL_OK;
}
