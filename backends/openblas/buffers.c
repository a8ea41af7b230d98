/* See buffers.h. */
#include "buffers.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* OpenBLAS's BUFFER_SIZE, where it is largest. */
static const size_t BUFFER = (size_t)128 << 20;

static sem_t vacant;
static unsigned reserved = 1;

__attribute__((constructor)) static void start(void) {
    sem_init(&vacant, 0, reserved);
}

/* Whether the system would hand out so many buffers. They are asked for one by one, as OpenBLAS does; each
 * begins with the address of the one before. */
static bool is_room_for(size_t count) {
    void *last = NULL;
    size_t got = 0;
    for (; got < count; ++got) {
        void *taken = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (taken == MAP_FAILED) break;
        memcpy(taken, &last, sizeof last);
        last = taken;
    }
    for (void *before; last; last = before) {
        memcpy(&before, last, sizeof before);
        munmap(last, BUFFER);
    }
    return got == count;
}

static hl_status no_room(size_t count, unsigned threads, hl_error *error) {
    struct rlimit limit;
    char said[64] = "";
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        snprintf(said, sizeof said, " (ulimit -v: %zu MiB)", (size_t)limit.rlim_cur >> 20);
    }
    return hl_fail(
        error, HL_FAILED,
        "OpenBLAS needs %zu MiB of address space for %u thread%s, which the system does not give%s; "
        "raise the limit, use fewer threads, or choose the backend reference",
        count * (BUFFER >> 20), threads, threads == 1 ? "" : "s", said);
}

/* The buffers that a build on OpenMP takes when it is loaded: one for each processor there may be. */
static size_t buffers_of_openmp(void) {
    long processors = sysconf(_SC_NPROCESSORS_CONF);
    const char *set = getenv("OMP_NUM_THREADS");
    long wanted = set ? strtol(set, NULL, 10) : 0;
    if (wanted > 0 && wanted < processors) processors = wanted;
    return processors > 0 ? (size_t)processors : 1;
}

hl_status buffers_check(unsigned threads, bool *lean, hl_error *error) {
    size_t code = 1; /* about as much */
    *lean = false;
    if (is_room_for(code + buffers_of_openmp() + threads)) return HL_OK;
    *lean = true;
    size_t least = code + 1 + threads;
    return is_room_for(least) ? HL_OK : no_room(least, threads, error);
}

/* How many calls at once a build can stand. */
static unsigned most_calls(const blas_functions *blas) {
    enum { LEAST_BUFFERS = 50 }; /* that every build has */
    const char *config = blas->config(), *most = strstr(config, "MAX_THREADS=");
    if (strstr(config, "SINGLE_THREADED") && !strstr(config, "USE_LOCKING")) return 1;
    long threads = most ? strtol(most + strlen("MAX_THREADS="), NULL, 10) : 0;
    return threads > LEAST_BUFFERS / 2 && threads < 1 << 20 ? (unsigned)threads * 2 - 2 : LEAST_BUFFERS - 2;
}

/* Takes and gives back `count` buffers; returns how many there were. */
static size_t make_buffers(const blas_functions *blas, void **held, size_t count) {
    if (!blas->take_buffer || !blas->give_buffer) return count;
    size_t got = 0;
    while (got < count && (held[got] = blas->take_buffer(0))) ++got;
    for (size_t i = 0; i < got; ++i) blas->give_buffer(held[i]);
    return got;
}

hl_status buffers_reserve(const blas_functions *blas, unsigned threads, hl_error *error) {
    unsigned most = most_calls(blas), wanted = threads < most ? threads : most;
    static bool made;
    if (made && wanted <= reserved) return HL_OK;
    size_t further = made ? wanted - reserved : wanted;
    if (further > 0 && !is_room_for(further)) return no_room(further, threads, error);
    void **held = calloc(wanted, sizeof *held);
    if (!held) return hl_no_memory(error, "OpenBLAS's buffers");
    size_t got = make_buffers(blas, held, wanted);
    free(held);
    made = true;
    for (; reserved < got; ++reserved) sem_post(&vacant);
    return HL_OK;
}

void buffers_wait(void) {
    while (sem_wait(&vacant) != 0 && errno == EINTR) continue;
}

void buffers_post(void) {
    sem_post(&vacant);
}
