/* Requests to model/clip-vit: what a trace then tells, and what is refused. */
#include "core/io/call.h"
#include "tests/clip_vit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_refused(const opened_model *m, const hl_capture *capture, const hl_edit *edit,
                           const char *named) {
    hl_error error;
    const hl_request request = make_request(&capture, capture ? 1 : 0, &edit, edit ? 1 : 0);
    static float pixels[3 * 32 * 32];
    hl_trace *trace = NULL;
    assert_int_equal(api.encode_images(m->session, pixels, 1, &request, &trace, &error), HL_USAGE);
    assert_null(trace);
    if (!strstr(error.message, named)) fail_msg("\"%s\" does not name %s", error.message, named);
}

static void what_cannot_be_is_refused_by_name(void **state) {
    (void)state;
    opened_model m = open_folder(TINY_A, &backends[0], 1);
    const uint32_t head = find_component(&m, "L1.H1"), mlp = find_component(&m, "L1.MLP"),
                   input = find_component(&m, "input");
    const uint32_t beyond = m.info->component_count, row = 17;
    static float values[16];
    const struct {
        hl_capture capture;
        const char *named;
    } captures[] = {
        {{sizeof(hl_capture), 7, HL_DETAIL_CODES, NULL, 0}, "site 7"},
        {{sizeof(hl_capture), HL_SITE_HEAD, 9, NULL, 0}, "detail 9"},
        {{sizeof(hl_capture), HL_SITE_MLP, HL_DETAIL_TOKENS, NULL, 0}, "HL_DETAIL_TOKENS"},
        {{sizeof(hl_capture), HL_SITE_HEAD, HL_DETAIL_CODES, &mlp, 1}, "L1.MLP"},
        {{sizeof(hl_capture), HL_SITE_HEAD, HL_DETAIL_CODES, &input, 1}, "input"},
        {{sizeof(hl_capture), HL_SITE_MLP, HL_DETAIL_CODES, &head, 1}, "L1.H1"},
        {{sizeof(hl_capture), HL_SITE_HEAD, HL_DETAIL_CODES, &beyond, 1}, "component 13"},
    };
    const struct {
        hl_edit edit;
        const char *named;
    } edits[] = {
        {{sizeof(hl_edit), HL_SITE_HEAD, 9, head, NULL, 0, 1, values}, "action 9"},
        {{sizeof(hl_edit), HL_SITE_MLP, HL_EDIT_SCALE, head, NULL, 0, 0, NULL}, "L1.H1"},
        {{sizeof(hl_edit), 5, HL_EDIT_SCALE, head, NULL, 0, 0, NULL}, "site 5"},
        {{sizeof(hl_edit), HL_SITE_HEAD, HL_EDIT_SCALE, mlp, NULL, 0, 0, NULL}, "L1.MLP"},
        {{sizeof(hl_edit), HL_SITE_HEAD, HL_EDIT_SCALE, beyond, NULL, 0, 0, NULL}, "component 13"},
        {{sizeof(hl_edit), HL_SITE_HEAD, HL_EDIT_REPLACE, head, NULL, 0, 0, NULL}, "L1.H1"},
        {{sizeof(hl_edit), HL_SITE_HEAD, HL_EDIT_SCALE, head, &row, 1, 0, NULL}, "query row 17"},
        {{sizeof(hl_edit), HL_SITE_HEAD, HL_EDIT_SCALE, head, NULL, 0, NAN, NULL}, "L1.H1"},
    };
    for (size_t i = 0; i < COUNT(captures); ++i)
        assert_refused(&m, &captures[i].capture, NULL, captures[i].named);
    for (size_t i = 0; i < COUNT(edits); ++i) assert_refused(&m, NULL, &edits[i].edit, edits[i].named);
    close_model(&m);
}

static void counts_and_ids_are_checked(void **state) {
    (void)state;
    hl_error error;
    hl_session *session = NULL;
    opened_model m = open_folder(TINY_A, &backends[0], 2);
    static float pixels[3 * 3 * 32 * 32], out[3 * 32];
    hl_trace *traces[3];
    int32_t ids[3 * 32] = {2046, 2048};
    assert_int_equal(api.encode_images(m.session, pixels, 3, NULL, traces, &error), HL_USAGE);
    assert_int_equal(api.encode_texts(m.session, ids, 3, out, &error), HL_USAGE);
    assert_int_equal(api.encode_texts(m.session, ids, 1, out, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "2048"));
    ids[1] = -1;
    assert_int_equal(api.encode_texts(m.session, ids, 1, out, &error), HL_USAGE);
    assert_int_equal(api.open_session(m.model, 0, &session, &error), HL_USAGE);
    assert_int_equal(api.open_session(m.model, SIZE_MAX, &session, &error), HL_USAGE);
    assert_int_equal(api.basis(m.model, m.info->basis_count, out, &error), HL_USAGE);
    assert_ok(api.encode_images(m.session, pixels, 0, NULL, traces, &error), error);
    assert_ok(api.encode_texts(m.session, ids, 0, out, &error), error);
    close_model(&m);
}

static const hl_capture head_codes = {sizeof(hl_capture), HL_SITE_HEAD, HL_DETAIL_CODES, NULL, 0};
static const hl_capture mlp_codes = {sizeof(hl_capture), HL_SITE_MLP, HL_DETAIL_CODES, NULL, 0};

/* What a pass over the first image leaves. */
static hl_trace *first_trace(const opened_model *m, const npy_array *pixels,
                             const hl_capture *const *captures, size_t count) {
    hl_error error;
    const hl_request request = make_request(captures, count, NULL, 0);
    hl_trace *trace;
    assert_ok(api.encode_images(m->session, pixels->data, 1, &request, &trace, &error), error);
    return trace;
}

static void traces_tell_only_what_was_captured(void **state) {
    (void)state;
    hl_error error;
    npy_array pixels = golden("tiny-a", "pixels");
    opened_model m = open_folder(TINY_A, &backends[0], 1);
    const uint32_t heads[] = {find_component(&m, "L1.H1"), find_component(&m, "L2.H0")},
                   mlp = find_component(&m, "L0.MLP");
    const hl_capture some = {sizeof(hl_capture), HL_SITE_HEAD, HL_DETAIL_TOKENS, heads, 1};
    const hl_capture other = {sizeof(hl_capture), HL_SITE_HEAD, HL_DETAIL_CODES, heads + 1, 1};
    const hl_capture one_mlp = {sizeof(hl_capture), HL_SITE_MLP, HL_DETAIL_CODES, &mlp, 1};
    const hl_capture *const captures[] = {&some, &other, &one_mlp}, *const all_codes[] = {&head_codes,
                                                                                          &mlp_codes};
    float code[64], expected[64], parts[17 * 19];
    hl_trace *trace = first_trace(&m, &pixels, captures, 3), *codes = first_trace(&m, &pixels, all_codes, 2),
             *whole;
    pixels.shape[0] = 1;
    encode(&m, &pixels, NULL, 0, &whole);
    for (uint32_t i = 0; i < m.info->component_count; ++i) {
        bool known = i == heads[0] || i == heads[1] || i == mlp;
        assert_int_equal(api.code(trace, i, code, &error), known ? HL_OK : HL_USAGE);
        if (!known) assert_non_null(strstr(error.message, component(&m, i)->name));
        assert_ok(api.code(whole, i, expected, &error), error);
        if (known) assert_memory_equal(code, expected, code_width(component(&m, i)) * sizeof *code);
        assert_int_equal(api.token_codes(trace, i, parts, &error), i == heads[0] ? HL_OK : HL_USAGE);
        assert_int_equal(api.token_codes(codes, i, parts, &error), HL_USAGE);
        assert_ok(api.code(codes, i, code, &error), error);
        assert_memory_equal(code, expected, code_width(component(&m, i)) * sizeof *code);
    }
    assert_int_equal(api.code(trace, 13, code, &error), HL_USAGE);
    assert_true(api.bytes(trace) < api.bytes(whole) && api.bytes(codes) < api.bytes(whole));
    api.retain(trace);
    api.release(trace);
    assert_ok(api.code(trace, heads[0], code, &error), error);
    api.release(trace);
    api.release(whole);
    api.release(codes);
    api.release(NULL);
    free(pixels.data);
    close_model(&m);
}

static void cancelling_stops_a_pass(void **state) {
    (void)state;
    hl_error error;
    static float pixels[3 * 32 * 32], out[32];
    static const int32_t ids[32] = {2046, 2047};
    hl_trace *trace = NULL;
    opened_model m = open_folder(TINY_A, &backends[0], 1);
    call_enter(&stopped_call);
    assert_int_equal(api.encode_images(m.session, pixels, 1, NULL, &trace, &error), HL_FAILED);
    assert_string_equal(error.message, "cancelled");
    assert_null(trace);
    assert_int_equal(api.encode_texts(m.session, ids, 1, out, &error), HL_FAILED);
    assert_string_equal(error.message, "cancelled");
    call_enter(NULL);
    close_model(&m);
}

static void numbers_that_are_not_finite_are_an_error(void **state) {
    (void)state;
    hl_error error;
    static float pixels[3 * 32 * 32];
    hl_trace *trace = NULL;
    pixels[100] = NAN;
    for (size_t b = 0; b < backend_count; ++b) {
        opened_model m = open_folder(TINY_A, &backends[b], 1);
        assert_int_equal(api.encode_images(m.session, pixels, 1, NULL, &trace, &error), HL_FAILED);
        assert_non_null(strstr(error.message, "not finite"));
        assert_null(trace);
        close_model(&m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_is_refused_by_name),
        cmocka_unit_test(counts_and_ids_are_checked),
        cmocka_unit_test(traces_tell_only_what_was_captured),
        cmocka_unit_test(cancelling_stops_a_pass),
        cmocka_unit_test(numbers_that_are_not_finite_are_an_error),
    };
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}
