/* The encoder with a model that only counts: every image once, batches in order and one at a time, whatever
 * the number of threads; errors and interruptions leave nothing behind. */
#include "core/engine/encoder.h"
#include "core/io/call.h"
#include "tests/support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { IMAGES = 61, SIDE = 4, GROUP = 20, BATCH = 6 };
static const char READABLE[] = TEST_GOLDEN "/images/rgb_tiny.png", BROKEN[] = TEST_GOLDEN "/order.txt";

/* ---- a model that counts ---- */

struct hl_session {
    size_t batch;
    atomic_bool busy; /* one thread uses it at a time */
};

struct hl_trace {
    size_t batch_size; /* that it was encoded in */
};

static atomic_int sessions, traces_alive, passes, passes_until_failure, violations;

/* For what runs in the encoder's threads, which cmocka's assertions must not leave. */
static void expect(bool condition) {
    if (!condition) atomic_fetch_add(&violations, 1);
}

static hl_status open_session(const hl_model *model, size_t batch, hl_session **session, hl_error *error) {
    (void)model;
    *session = calloc(1, sizeof **session);
    if (!*session) return hl_no_memory(error, "a session");
    (*session)->batch = batch;
    atomic_fetch_add(&sessions, 1);
    return HL_OK;
}

static void close_session(hl_session *session) {
    atomic_fetch_sub(&sessions, 1);
    free(session);
}

static hl_status encode_images(hl_session *session, const float *pixels, size_t count,
                               const hl_request *request, hl_trace **traces, hl_error *error) {
    (void)pixels;
    (void)request;
    expect(!atomic_exchange(&session->busy, true));
    expect(count >= 1 && count <= session->batch);
    int pass = atomic_fetch_add(&passes, 1);
    struct timespec pause = {0, pass % 3 * 1000000}; /* so that batches finish out of order */
    nanosleep(&pause, NULL);
    atomic_store(&session->busy, false);
    if (atomic_fetch_sub(&passes_until_failure, 1) == 1) return hl_fail(error, HL_FAILED, "worn out");
    for (size_t i = 0; i < count; ++i) {
        traces[i] = calloc(1, sizeof *traces[i]);
        if (!traces[i]) return hl_no_memory(error, "a trace");
        traces[i]->batch_size = count;
        atomic_fetch_add(&traces_alive, 1);
    }
    return HL_OK;
}

static void release(hl_trace *trace) {
    atomic_fetch_sub(&traces_alive, 1);
    free(trace);
}

/* ---- what comes of it ---- */

typedef struct kept {
    size_t images, readable, batches;
    size_t batch_sizes[IMAGES];
    atomic_bool busy;
    size_t batches_until_failure, batches_until_cancelled;
    atomic_bool cancelled;
} kept;

static hl_status keep(void *user, const encoded_batch *batch, hl_error *error) {
    kept *self = user;
    expect(!atomic_exchange(&self->busy, true));
    expect(batch->first == self->images);
    expect(batch->count >= 1 && batch->count <= BATCH);
    expect(batch->first / GROUP == (batch->first + batch->count - 1) / GROUP);
    size_t readable = 0;
    for (size_t i = 0; i < batch->count; ++i) {
        bool broken = (batch->first + i) % 7 == 3;
        expect((batch->statuses[i] != HL_OK) == broken);
        readable += !broken;
    }
    expect(batch->readable == readable);
    for (size_t i = 0; i < readable; ++i) expect(batch->traces[i]->batch_size == readable);
    self->images += batch->count;
    self->readable += readable;
    self->batch_sizes[self->batches++] = batch->count;
    if (self->batches == self->batches_until_cancelled) atomic_store(&self->cancelled, true);
    atomic_store(&self->busy, false);
    if (self->batches == self->batches_until_failure) return hl_fail(error, HL_FAILED, "no room");
    return HL_OK;
}

static bool is_cancelled(void *user) {
    kept *self = user;
    return atomic_load(&self->cancelled);
}

static hl_status run(unsigned threads, kept *self, hl_error *error) {
    static const hl_preprocess prepared = {sizeof prepared, HL_RESIZE_COVER, HL_BICUBIC, SIDE, SIDE, {0},
                                           {1, 1, 1}};
    static const hl_model_info info = {.size = sizeof info, .preprocess = &prepared};
    gallery_image images[IMAGES];
    const gallery_image *list[IMAGES];
    for (size_t i = 0; i < IMAGES; ++i) {
        images[i] = (gallery_image){.path = "image", .file = i % 7 == 3 ? BROKEN : READABLE};
        list[i] = &images[i];
    }
    hl_library_settings settings = {0};
    const hl_call call = {.size = sizeof call, .user = self, .cancelled = is_cancelled};
    call_enter(&call);
    host *made;
    assert_ok(host_open(&settings, threads, &made, error), *error);
    engine model = {.interface = &made->interface, .info = &info};
    model.api = (hl_model_api){.open_session = open_session,
                               .close_session = close_session,
                               .encode_images = encode_images,
                               .release = release};
    encoder_settings wanted = {
        .images = list, .count = IMAGES, .group = GROUP, .batch = BATCH, .keep = keep, .user = self};
    hl_status status = encoder_run(&model, &wanted, error);
    host_close(made);
    call_enter(NULL);
    assert_int_equal(atomic_load(&violations), 0);
    assert_int_equal(atomic_load(&sessions), 0);
    assert_int_equal(atomic_load(&traces_alive), 0);
    return status;
}

/* ---- tests ---- */

static int reset(void **state) {
    (void)state;
    atomic_store(&passes, 0);
    atomic_store(&passes_until_failure, 0);
    return 0;
}

static void test_in_order(void **state) {
    (void)state;
    kept alone = {0};
    hl_error error;
    assert_ok(run(1, &alone, &error), error);
    assert_int_equal(alone.images, IMAGES);
    assert_int_equal(alone.readable, IMAGES - 9);
    for (unsigned threads = 2; threads <= 5; ++threads) {
        kept several = {0};
        assert_ok(run(threads, &several, &error), error);
        assert_int_equal(several.images, IMAGES);
        assert_int_equal(several.batches, alone.batches);
        assert_memory_equal(several.batch_sizes, alone.batch_sizes, sizeof alone.batch_sizes);
    }
}

static void test_last_batches_are_small(void **state) {
    (void)state;
    kept all = {0};
    hl_error error;
    assert_ok(run(2, &all, &error), error);
    assert_int_equal(all.batch_sizes[0], BATCH);
    assert_true(all.batch_sizes[all.batches - 1] <= 2);
}

static void test_model_fails(void **state) {
    (void)state;
    for (int pass = 1; pass <= 5; ++pass) {
        kept some = {0};
        hl_error error;
        atomic_store(&passes_until_failure, pass);
        assert_int_equal(run(3, &some, &error), HL_FAILED);
        assert_string_equal(error.message, "worn out");
        assert_true(some.batches < (size_t)pass + 3);
    }
}

static void test_keeping_fails(void **state) {
    (void)state;
    kept some = {.batches_until_failure = 3};
    hl_error error;
    assert_int_equal(run(3, &some, &error), HL_FAILED);
    assert_string_equal(error.message, "no room");
    assert_int_equal(some.batches, 3);
}

static void test_cancelled(void **state) {
    (void)state;
    kept some = {.batches_until_cancelled = 2};
    hl_error error;
    assert_int_equal(run(2, &some, &error), HL_FAILED);
    assert_string_equal(error.message, "cancelled");
    assert_true(some.images < IMAGES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_in_order, reset),
        cmocka_unit_test_setup(test_last_batches_are_small, reset),
        cmocka_unit_test_setup(test_model_fails, reset),
        cmocka_unit_test_setup(test_keeping_fails, reset),
        cmocka_unit_test_setup(test_cancelled, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
