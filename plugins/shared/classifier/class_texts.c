/* Directions of classes: all texts in all templates are one pool, which is encoded once and kept on disk. */
#include "classes.h"
#include "pool/pool.h"

#include <math.h>
#include <unictype.h>
#include <unistr.h>

static const char PLACE[] = "{}";

typedef struct text_job {
    const hl_ask *ask;
    const own_task *tasks;
    size_t task_count;
    const pool *templates; /* NULL: the texts alone */
    pool *texts;
    float *vectors; /* of the texts */
} text_job;

static size_t template_count(const text_job *job) {
    return job->templates ? job->templates->count : 1;
}

/* The text in place of each {}; free it. */
static char *fill_in(const char *template, const char *words) {
    char *out = NULL;
    size_t size = 0;
    FILE *into = open_memstream(&out, &size);
    if (!into) return NULL;
    for (const char *at = template, *place; at; at = place ? place + strlen(PLACE) : NULL) {
        place = strstr(at, PLACE);
        fprintf(into, "%.*s%s", place ? (int)(place - at) : (int)strlen(at), at, place ? words : "");
    }
    if (fclose(into) == 0) return out;
    free(out);
    return NULL;
}

/* One line, also where a value of gallery.json has several. */
static char *make_text(const text_job *job, const class_row *row, size_t template) {
    char *out = fill_in(job->templates ? job->templates->texts[template] : PLACE, row->text);
    for (char *at = out; at && *at; ++at) {
        if (*at == '\n' || *at == '\r') *at = ' ';
    }
    return out;
}

static bool is_blank(const char *text) {
    const uint8_t *at = (const uint8_t *)text;
    ucs4_t character;
    while ((at = u8_next(&character, at)) && uc_is_property_white_space(character)) {
    }
    return !at;
}

static hl_status check_templates(const pool *templates, hl_error *error) {
    for (size_t i = 0; i < templates->count; ++i) {
        if (strstr(templates->texts[i], PLACE)) continue;
        return hl_fail(error, HL_USAGE, "%s:%zu: expected a template with {} where the class's text goes",
                       templates->path, templates->lines[i]);
    }
    return HL_OK;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- the pool of all texts ---- */

static size_t count_texts(const text_job *job) {
    size_t count = 0;
    for (size_t t = 0; t < job->task_count; ++t) count += job->tasks[t].row_count * template_count(job);
    return count;
}

static bool make_texts(const text_job *job, char **out) {
    size_t made = 0;
    bool complete = true;
    for (size_t t = 0; t < job->task_count; ++t) {
        for (size_t i = 0; i < job->tasks[t].row_count * template_count(job) && complete; ++i) {
            size_t row = i / template_count(job);
            out[made] = make_text(job, &job->tasks[t].rows[row], i % template_count(job));
            complete = out[made++] != NULL;
        }
    }
    return complete;
}

/* Each once, one a line; NULL: no memory. */
static char *join_texts(char **texts, size_t count, size_t *bytes) {
    char *out = NULL;
    FILE *into = open_memstream(&out, bytes);
    if (!into) return NULL;
    qsort(texts, count, sizeof *texts, compare_texts);
    for (size_t i = 0; i < count; ++i) {
        if (i == 0 || strcmp(texts[i], texts[i - 1]) != 0) fprintf(into, "%s\n", texts[i]);
    }
    if (fclose(into) == 0) return out;
    free(out);
    return NULL;
}

static hl_status open_texts(text_job *job, hl_error *error) {
    size_t count = count_texts(job), bytes = 0;
    char **texts = calloc(count + 1, sizeof *texts), *joined = NULL;
    if (texts && make_texts(job, texts)) joined = join_texts(texts, count, &bytes);
    for (size_t i = 0; texts && i < count; ++i) free(texts[i]);
    free(texts);
    if (!joined) return hl_no_memory(error, "texts of classes");
    hl_status status =
        pool_parse(job->ask->host, "the texts of the classes", joined, bytes, &job->texts, error);
    return status == HL_OK ? pool_embeddings(job->ask, job->texts, &job->vectors, error) : status;
}

/* ---- directions ---- */

static hl_status add_row(const text_job *job, const class_row *row, double *sum, hl_error *error) {
    size_t dim = job->ask->model->embed_dim;
    for (size_t k = 0; k < template_count(job); ++k) {
        char *words = make_text(job, row, k);
        if (!words) return hl_no_memory(error, "texts of classes");
        size_t index = pool_find(job->texts, words);
        bool blank = is_blank(words);
        free(words);
        if (blank) return hl_fail(error, HL_USAGE, "the class \"%s\" has a text without a word", row->value);
        if (index == SIZE_MAX) return hl_no_memory(error, "texts of classes");
        for (size_t i = 0; i < dim; ++i) sum[i] += (double)job->vectors[index * dim + i];
    }
    return HL_OK;
}

static hl_status normalise(double *vector, size_t dim, const char *class, hl_error *error) {
    double square = 0;
    for (size_t i = 0; i < dim; ++i) square += vector[i] * vector[i];
    if (!(square > 0)) return hl_fail(error, HL_USAGE, "the texts of the class %s cancel each other", class);
    for (size_t i = 0; i < dim; ++i) vector[i] /= sqrt(square);
    return HL_OK;
}

static hl_status add_directions(const text_job *job, const own_task *task, double *out, hl_error *error) {
    size_t dim = job->ask->model->embed_dim, class = 0;
    hl_status status = HL_OK;
    for (size_t i = 0; i < task->row_count && status == HL_OK; ++i) {
        if (task->rows[i].value != task->classes[class]) ++class;
        status = add_row(job, &task->rows[i], out + class * dim, error);
    }
    for (size_t k = 0; k < task->shown.class_count && status == HL_OK; ++k) {
        status = normalise(out + k * dim, dim, task->classes[k], error);
    }
    return status;
}

hl_status classes_encode(const hl_ask *ask, const own_task *tasks, size_t count, const char *templates,
                         double *directions, hl_error *error) {
    pool *forms = NULL;
    text_job job = {.ask = ask, .tasks = tasks, .task_count = count};
    hl_status status = templates ? pool_open(ask->host, templates, &forms, error) : HL_OK;
    if (status == HL_OK && forms) status = check_templates(forms, error);
    job.templates = forms;
    if (status == HL_OK) status = open_texts(&job, error);
    for (size_t t = 0; t < count && status == HL_OK; ++t) {
        double *out = directions + tasks[t].shown.first * ask->model->embed_dim;
        status = add_directions(&job, &tasks[t], out, error);
    }
    ask->host->release(ask->host, job.vectors);
    pool_close(job.texts);
    pool_close(forms);
    return status;
}
