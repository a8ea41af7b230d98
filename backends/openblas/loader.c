/* See loader.h. OpenBLAS chooses its kernel while it is loaded, by the processor's model number or as
 * OPENBLAS_CORETYPE says. It is let choose first; where that is less than the processor can do, it is
 * unloaded and loaded again with the variable set, which nobody else gets to see. */
#include "loader.h"

#include "buffers.h"
#include "environment.h"
#include "processor.h"
#include "trial.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HOW = RTLD_NOW | RTLD_LOCAL };

/* A library that is being opened. */
typedef struct candidate {
    const char *file;
    bool was_there; /* somebody else loaded it, so it stays as it is */
    bool lean;      /* see buffers.h */
} candidate;

/* What the user set, or NULL. */
static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

static size_t file_names(const char *names[2]) {
    names[0] = setting("HEADLIGHT_OPENBLAS");
    if (names[0]) return 1;
    names[0] = "libopenblas.so.0";
    names[1] = "libopenblas.so";
    return 2;
}

static hl_status not_found(hl_error *error) {
    const char *why = dlerror();
    return hl_fail(
        error, HL_FAILED,
        "OpenBLAS cannot be opened (%s); install it (Debian: libopenblas0-openmp), name the file in "
        "HEADLIGHT_OPENBLAS, or choose the backend reference",
        why ? why : "out of memory");
}

/* Loads the library with `kernel`, or with its own choice where that is NULL. Its own threads are not wanted.
 */
static void *load(const candidate *from, const char *kernel) {
    char core_type[64];
    const char *settings[3] = {"OPENBLAS_NUM_THREADS=1"};
    size_t count = 1;
    if (from->lean) settings[count++] = "OMP_NUM_THREADS=1";
    if (kernel) {
        snprintf(core_type, sizeof core_type, "OPENBLAS_CORETYPE=%s", kernel);
        settings[count++] = core_type;
    }
    if (!environment_lend(settings, count)) return NULL;
    void *library = dlopen(from->file, HOW);
    environment_return();
    return library;
}

/* A symbol into the function pointer at `pointer`; ISO C has no cast between the two. */
static bool find(void *library, const char *name, void *pointer) {
    void *symbol = dlsym(library, name);
    memcpy(pointer, &symbol, sizeof symbol);
    return symbol != NULL;
}

static hl_status find_functions(void *library, blas_functions *out, hl_error *error) {
    *out = (blas_functions){.library = library};
    const struct {
        const char *name;
        void *pointer;
    } needed[] = {
        {"cblas_sgemm", &out->sgemm},
        {"cblas_dgemm", &out->dgemm},
        {"cblas_sgemv", &out->sgemv},
        {"dsyev_", &out->dsyev},
        {"openblas_get_config", &out->config},
        {"openblas_get_corename", &out->core_name},
        {"openblas_set_num_threads", &out->set_threads},
    };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; ++i) {
        if (find(library, needed[i].name, needed[i].pointer)) continue;
        return hl_fail(
            error, HL_FAILED,
            "the OpenBLAS library that was found lacks %s; name another file in HEADLIGHT_OPENBLAS",
            needed[i].name);
    }
    if (strstr(out->config(), "USE64BITINT")) {
        return hl_fail(error, HL_FAILED,
                       "the OpenBLAS library that was found takes 64-bit sizes; one with 32-bit sizes is "
                       "needed: name its file in HEADLIGHT_OPENBLAS");
    }
    if (!find(library, "omp_get_max_threads", &out->omp_get_max_threads) ||
        !find(library, "omp_set_num_threads", &out->omp_set_num_threads)) {
        out->omp_get_max_threads = NULL;
        out->omp_set_num_threads = NULL;
    }
    find(library, "blas_memory_alloc", &out->take_buffer);
    find(library, "blas_memory_free", &out->give_buffer);
    return HL_OK;
}

/* One thread, and the buffers of all others for us. On OpenMP this also sets the caller's own number. */
static void silence_threads(const blas_functions *blas) {
    int before = blas->omp_get_max_threads ? blas->omp_get_max_threads() : 0;
    blas->set_threads(1);
    if (before > 0) blas->omp_set_num_threads(before);
}

static hl_status try_kernel(blas_functions *blas, hl_error *error) {
    silence_threads(blas);
    return trial_run(blas, &blas->row_unit, error);
}

static bool is_slow(const blas_functions *blas) {
    return kernel_level(blas->core_name()) < processor_level();
}

/* Unloads all but the OpenMP runtime below it, which others in the process may have come to use. */
static void unload(const blas_functions *blas) {
    Dl_info runtime;
    void *symbol;
    memcpy(&symbol, &blas->omp_get_max_threads, sizeof symbol);
    if (symbol && dladdr(symbol, &runtime)) dlopen(runtime.dli_fname, HOW | RTLD_NOLOAD | RTLD_NODELETE);
    dlclose(blas->library);
}

/* Loads the library again with the best kernel that it has and the processor can run, or else as it was. */
static hl_status load_better(const candidate *from, blas_functions *blas, hl_error *error) {
    const char *kernel;
    for (size_t i = 0; (kernel = processor_kernel(i)); ++i) {
        unload(blas);
        void *library = load(from, kernel);
        hl_status status = library ? find_functions(library, blas, error) : not_found(error);
        if (status != HL_OK) return status;
        bool better = !is_slow(blas) || strcasecmp(blas->core_name(), kernel) == 0;
        if (better && try_kernel(blas, NULL) == HL_OK) return HL_OK;
    }
    unload(blas);
    void *library = load(from, NULL);
    hl_status status = library ? find_functions(library, blas, error) : not_found(error);
    return status == HL_OK ? try_kernel(blas, error) : status;
}

static void advise(const candidate *from, blas_functions *blas) {
    const char *own = setting("OPENBLAS_CORETYPE"), *kernel = blas->core_name();
    char remedy[200] = "this build has no better one; install a newer OpenBLAS, or name its file in "
                       "HEADLIGHT_OPENBLAS";
    if (own) {
        snprintf(remedy, sizeof remedy,
                 "OPENBLAS_CORETYPE=%.40s asks for it; unset it and the best is chosen", own);
    } else if (from->was_there) {
        snprintf(remedy, sizeof remedy,
                 "this program loaded OpenBLAS before; set OPENBLAS_CORETYPE=%s before it starts",
                 processor_kernel(0));
    }
    snprintf(blas->advice, sizeof blas->advice,
             "OpenBLAS runs its %s kernel (%s) on a processor that has %s, slower than could be: %s", kernel,
             level_name(kernel_level(kernel)), level_name(processor_level()), remedy);
}

static hl_status open_candidate(candidate *from, blas_functions *out, hl_error *error) {
    void *library = dlopen(from->file, HOW | RTLD_NOLOAD);
    from->was_there = library != NULL;
    if (!library) library = load(from, NULL);
    if (!library) return not_found(error);
    hl_status status = find_functions(library, out, error);
    if (status != HL_OK) return status;
    bool free_choice = !from->was_there && !setting("OPENBLAS_CORETYPE");
    status = is_slow(out) && free_choice ? load_better(from, out, error) : try_kernel(out, error);
    if (status == HL_OK && is_slow(out)) advise(from, out);
    dlopen(from->file, HOW | RTLD_NOLOAD | RTLD_NODELETE); /* it has threads of its own */
    return status;
}

hl_status loader_open(unsigned threads, blas_functions *out, hl_error *error) {
    const char *names[2];
    size_t count = file_names(names);
    candidate from = {.file = NULL};
    hl_status status = buffers_check(threads, &from.lean, error);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        from.file = names[i];
        status = open_candidate(&from, out, error);
        if (status == HL_OK) return HL_OK;
        if (i + 1 < count) status = HL_OK;
    }
    return status;
}

hl_status loader_find(void **library, hl_error *error) {
    const char *names[2];
    size_t count = file_names(names);
    for (size_t i = 0; i < count; ++i) {
        *library = dlopen(names[i], HOW);
        if (*library) return HL_OK;
    }
    return not_found(error);
}
