/* The labeller and the judge that ask a language model, by the built command, at an endpoint on loopback that
 * does everything an endpoint should not: what is found all the same, what is said where nothing is, what is
 * kept, and that the key is nowhere. */
#include "tests/endpoint.h"
#include "tests/experiment.h"
#include "tests/mini.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY   "sk-do/not+show=4711"
#define TEXTS "[a red sky, many animals, two lamps, colors of fall, an animal at night]"

static endpoint_server *server;
static char *plugins, *caches;

static int open_setting(void **state) {
    (void)state;
    plugins = make_folder();
    char *to = text("%s/sample_texts.so", plugins);
    copy_file(TEST_FIXTURES "/sample_texts.fixture", to);
    setenv("HEADLIGHT_PLUGIN_PATH", plugins, 1);
    setenv("OPENAI_API_KEY", KEY, 1);
    server = endpoint_start();
    free(to);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    endpoint_stop(server);
    remove_folder(plugins);
    return 0;
}

/* A cache of its own for each test, so that what earlier ones kept has no say. */
static int open_test(void **state) {
    (void)state;
    caches = make_folder();
    setenv("XDG_CACHE_HOME", caches, 1);
    endpoint_script(server, NULL, 0);
    return 0;
}

static void expect_nowhere(const char *folder, const char *words) {
    const char *const search[] = {"grep", "-rlF", "--exclude=experiment.yaml", words, folder, NULL};
    char *files;
    int status = run_program(search, &files, NULL);
    if (status != 1) fail_msg("%s is in %s", words, files);
    free(files);
}

static int close_test(void **state) {
    (void)state;
    expect_nowhere(caches, KEY);
    remove_folder(caches);
    return 0;
}

/* ---- the experiment ---- */

/* Heads of layer 3, three in a question: three questions. */
static char *make_head(const char *options) {
    return text("model: {path: " MINI "}\ncompute: {backend: reference}\nextractors:\n"
                "  - {name: spans, plugin: sample-texts, heads: [L3], texts: " TEXTS "}\n"
                "  - {name: labels, plugin: llm, from: spans, base-url: %s, model: parrot, batch: 3%s}\n",
                endpoint_url(server), options);
}

static outcome run_with(char *folder, const char *options) {
    char *head = make_head(options);
    outcome got = run_in(folder, head, "");
    free(head);
    assert_null(strstr(got.errors, KEY));
    expect_nowhere(folder, KEY);
    return got;
}

static const cJSON *found_by(const outcome *got, int step) {
    const cJSON *extractors = cJSON_GetObjectItem(got->root, "extractors");
    return cJSON_GetObjectItem(cJSON_GetArrayItem(extractors, step), "results");
}

static size_t count_items(const cJSON *list, const char *key) {
    const cJSON *item;
    size_t count = 0;
    cJSON_ArrayForEach(item, list) count += cJSON_HasObjectItem(item, key) != 0;
    return count;
}

static const char *label_of(const outcome *got, const char *head) {
    const cJSON *item;
    cJSON_ArrayForEach(item, found_by(got, 1)) {
        const char *of = cJSON_GetStringValue(cJSON_GetObjectItem(item, "head"));
        if (of && strcmp(of, head) == 0) return field(item, "property");
    }
    return "";
}

/* What the endpoint's rules make of them: three spellings of two properties, and two heads without any. */
static void expect_labels(const outcome *got) {
    static const char *const labels[] = {"colors", "animals", "colors", ""};
    need_success(got);
    for (size_t i = 0; i < 8; ++i) {
        char *head = text("L3.H%zu", i);
        assert_string_equal(label_of(got, head), labels[i % 4]);
        free(head);
    }
    assert_int_equal(count_items(found_by(got, 1), "property"), 6);
}

static void expect_requests(size_t count) {
    if (endpoint_requests(server) != count) {
        fail_msg("%zu requests, expected %zu", endpoint_requests(server), count);
    }
}

static void script(const serve *ways, size_t count) {
    endpoint_script(server, ways, count);
}
#define SCRIPT(...) script((const serve[]){__VA_ARGS__}, COUNT(((const serve[]){__VA_ARGS__})))

/* ---- what goes well ---- */

static const cJSON *conversation_at(const outcome *got, int step, size_t index) {
    const cJSON *item;
    cJSON_ArrayForEach(item, found_by(got, step)) {
        if (cJSON_HasObjectItem(item, "prompt") && index-- == 0) return item;
    }
    fail_msg("no such conversation");
    return NULL;
}

static void heads_are_labelled(void **state) {
    (void)state;
    outcome got = run_with(make_folder(), "");
    expect_labels(&got);
    expect_requests(3);
    assert_int_equal(endpoint_connections(server), 1);
    assert_true(endpoint_got_key(server, KEY));
    assert_string_equal(field(found_by(&got, 1)->child, "evidence"), "\"Colors.\": it looks like it to ***");
    assert_int_equal(count_items(found_by(&got, 1), "prompt"), 3);
    char *path = text("%s/out/report.html", got.folder), *page = read_file(path, NULL);
    assert_non_null(strstr(page, "<summary>3 questions to parrot</summary>"));
    free(page);
    free(path);
    const cJSON *last = conversation_at(&got, 1, 2);
    assert_string_equal(field(last, "model"), "parrot");
    assert_int_equal(number_of(last, "attempt"), 1);
    assert_non_null(strstr(field(last, "prompt"), "\nL3.H6\n1. two lamps\n2. colors of fall\n"));
    assert_non_null(strstr(field(last, "answer"), "\"L3.H7\""));
    char *sent = endpoint_last_body(server);
    cJSON *body = parse_json(sent);
    assert_string_equal(field(body, "model"), "parrot");
    assert_int_equal(number_of(body, "temperature"), 0);
    assert_int_equal(number_of(body, "seed"), 0);
    const cJSON *messages = cJSON_GetObjectItem(body, "messages");
    assert_int_equal(cJSON_GetArraySize(messages), 1);
    assert_string_equal(field(messages->child, "content"), field(last, "prompt"));
    cJSON_Delete(body);
    free(sent);
    end(&got);
}

/* By any spelling that was given. */
static void properties_go_by_what_was_said(void **state) {
    (void)state;
    char *folder = make_folder(), *gallery = text("%s/gallery", folder);
    put_scenes(gallery, 0, 8);
    char *chain = make_head(""), *head = text("%sproperties: labels\ngallery: {images: gallery}\n", chain);
    outcome got = run_in(folder, head,
                         "  - {plugin: property-neighbors, images: [" MINI_GALLERY
                         "/scene-399.jpg], properties: [Colors., animals], count: 2}\n");
    expect_labels(&got);
    assert_string_equal(field(results_of(&got, 0)->child, "head"), "colors");
    free(chain);
    free(head);
    free(gallery);
    end(&got);
}

static char *results_after(char *folder, const char *options, size_t requests) {
    char *path = text("%s/out/results.json", folder);
    script(NULL, 0);
    outcome got = run_with(folder, options);
    expect_labels(&got);
    expect_requests(requests);
    char *results = read_file(path, NULL);
    free(path);
    forget(&got);
    return results;
}

/* Neither where the step is not run again, nor where it is. */
static void nothing_is_asked_twice(void **state) {
    (void)state;
    char *folder = make_folder();
    char *first = results_after(folder, "", 3), *again = results_after(folder, "", 0);
    assert_string_equal(first, again);
    free(results_after(folder, ", retries: 7", 0));
    free(results_after(folder, ", key: " KEY "x", 0));
    free(results_after(folder, ", run: 1", 3));
    free(results_after(folder, ", run: 1, timeout: 60", 0));
    free(results_after(folder, ", descriptions: 2", 3));
    char *prompt = text("%s/prompt.txt", folder);
    write_text(prompt, "Name them.\n{\"labels\": []}\n");
    free(results_after(folder, ", prompt: prompt.txt", 3));
    free(results_after(folder, ", prompt: prompt.txt", 0));
    write_text(prompt, "Name them all.\n{\"labels\": []}\n");
    free(results_after(folder, ", prompt: prompt.txt", 3));
    free(prompt);
    free(first);
    free(again);
    remove_folder(folder);
}

static void a_check_asks_nothing(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/experiment.yaml", folder), *head = make_head("");
    char *yaml = text("headlight: 1\noutput: out\n%s", head), *said;
    write_text(path, yaml);
    assert_int_equal(run_command(NULL, &said, "run", "--check", path, NULL), 0);
    expect_requests(0);
    free(said);
    free(yaml);
    free(head);
    free(path);
    remove_folder(folder);
}

/* ---- what goes wrong, and passes ---- */

static void faults_that_pass_cost_nothing(void **state) {
    (void)state;
    static const struct {
        serve fault;
        size_t requests;
    } cases[] = {
        {SERVE_CHUNKED, 3}, {SERVE_FENCED, 3},    {SERVE_BUSY, 4},   {SERVE_BROKEN, 4},
        {SERVE_CUT, 4},     {SERVE_CUT_CHUNK, 4}, {SERVE_CLOSED, 4}, {SERVE_NO_JSON, 4},
        {SERVE_SLOW, 4},    {SERVE_FEWER, 4},     {SERVE_MORE, 4},   {SERVE_TWICE, 4},
        {SERVE_OTHER, 4},   {SERVE_EMPTY, 4},     {SERVE_WORDS, 4},  {SERVE_NO_CHOICES, 4},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *options = text(", run: %zu, timeout: %s", i + 1, cases[i].fault == SERVE_SLOW ? "0.3" : "60");
        SCRIPT(SERVE_WELL, cases[i].fault);
        outcome got = run_with(make_folder(), options);
        if (got.status != 0) fail_msg("fault %d: %s", cases[i].fault, got.errors);
        expect_labels(&got);
        expect_requests(cases[i].requests);
        free(options);
        end(&got);
    }
}

/* A wrong answer is part of the conversation, and what was wrong about it. */
static void wrong_answers_are_complained_of(void **state) {
    (void)state;
    char *folder = make_folder();
    SCRIPT(SERVE_FEWER, SERVE_WORDS);
    outcome got = run_with(folder, "");
    expect_labels(&got);
    expect_requests(5);
    assert_int_equal(count_items(found_by(&got, 1), "prompt"), 5);
    const cJSON *second = conversation_at(&got, 1, 1), *third = conversation_at(&got, 1, 2);
    assert_int_equal(number_of(second, "attempt"), 2);
    assert_non_null(strstr(field(second, "prompt"), "it has 2 labels, and 3 heads were asked about."));
    assert_non_null(strstr(field(second, "answer"), "dear ***."));
    assert_non_null(strstr(field(third, "prompt"), "it is not JSON."));
    forget(&got);
    script(NULL, 0);
    got = run_with(folder, ", retries: 9");
    expect_labels(&got);
    expect_requests(0);
    assert_int_equal(count_items(found_by(&got, 1), "prompt"), 5);
    end(&got);
}

/* ---- what goes wrong, and does not ---- */

static void faults_that_stay_are_named(void **state) {
    (void)state;
    static const struct {
        serve fault;
        size_t requests; /* about the second question */
        const char *words;
    } cases[] = {
        {SERVE_BROKEN, 2, "after 2 tries: HTTP 500: no service for ***; "},
        {SERVE_BUSY, 2, "after 2 tries: HTTP 429: no service for ***; "},
        {SERVE_LATER, 1, "it asks to wait 86400 seconds, longer than is waited for: HTTP 429"},
        {SERVE_REFUSED, 1, "HTTP 401: no service for ***; check the key"},
        {SERVE_SLOW, 2, "after 2 tries: "},
        {SERVE_CUT, 2, "after 2 tries: "},
        {SERVE_CUT_CHUNK, 2, "after 2 tries: "},
        {SERVE_CLOSED, 3, "after 2 tries: "}, /* a kept connection that is gone is no try */
        {SERVE_NO_JSON, 2, "after 2 tries: what it answers is not JSON: \"<html>It works!</html>\""},
        {SERVE_NO_CHOICES, 2,
         "is JSON without choices, so no completion of a chat: \"{\"object\": \"list\"}\""},
        {SERVE_LARGE, 1, "the answer is larger than 4 MiB"},
        {SERVE_LARGE_HEADER, 1, "or its header than 64 KiB"},
        {SERVE_REDIRECT, 1, "it redirects to file:///etc/***, where no question goes by itself"},
        {SERVE_FEWER, 2, "parrot: the last of 2 answers has 2 labels, and 3 heads were asked about: \"{"},
        {SERVE_MORE, 2, "has 4 labels, and 3 heads were asked about"},
        {SERVE_TWICE, 2, "labels L3.H3 twice"},
        {SERVE_OTHER, 2, "labels L77.H1, which was not asked about"},
        {SERVE_EMPTY, 2, "the last of 2 answers is empty: \"\""},
        {SERVE_WORDS, 2, "is not JSON: \"I would say that these are colors, dear ***.\""},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_folder();
        char *options = text(", run: %zu, timeout: %s, retries: 1, attempts: 2", i + 1,
                             cases[i].fault == SERVE_SLOW ? "0.3" : "60");
        SCRIPT(SERVE_WELL, cases[i].fault, cases[i].fault, cases[i].fault);
        outcome got = run_with(folder, options);
        need_failure(&got, 1, cases[i].words);
        if (!strstr(got.errors, endpoint_url(server)) || !strstr(got.errors, "step \"labels\": ")) {
            fail_msg("%s", got.errors);
        }
        if (endpoint_requests(server) != 1 + cases[i].requests)
            fail_msg("fault %d: %zu requests", cases[i].fault, endpoint_requests(server));
        forget(&got);
        script(NULL, 0); /* and then it goes on where it was */
        got = run_with(folder, options);
        expect_labels(&got);
        expect_requests(2);
        free(options);
        end(&got);
    }
}

static void nobody_there_is_said(void **state) {
    (void)state;
    outcome got = run_in(make_folder(),
                         "model: {path: " MINI "}\ncompute: {backend: reference}\nextractors:\n"
                         "  - {name: spans, plugin: sample-texts, heads: [L3], texts: " TEXTS "}\n"
                         "  - {name: labels, plugin: llm, from: spans, base-url: http://127.0.0.1:1/v1, "
                         "model: m, retries: 1}\n",
                         "");
    need_failure(&got, 1, "http://127.0.0.1:1/v1: after 2 tries: Failed to connect");
    end(&got);
}

/* ---- a signal ---- */

/* The answer never comes, and no time-out is near. */
static void a_signal_ends_the_waiting(void **state) {
    (void)state;
    static const struct {
        serve fault;
        size_t requests;
    } cases[] = {{SERVE_SLOW, 1}, {SERVE_BROKEN, 7}};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_folder(), *path = text("%s/experiment.yaml", folder);
        char *head = make_head(", timeout: 3600, retries: 20"), *said = text("%s/said", folder);
        char *yaml = text("headlight: 1\noutput: out\n%s", head);
        write_text(path, yaml);
        SCRIPT(cases[i].fault, cases[i].fault, cases[i].fault);
        pid_t child = fork();
        if (child == 0) {
            if (!freopen(said, "w", stderr)) _exit(3);
            execl(TEST_COMMAND, TEST_COMMAND, "run", path, NULL);
            _exit(3);
        }
        while (endpoint_requests(server) == 0) usleep(1000);
        kill(child, SIGINT);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        assert_true(endpoint_requests(server) <= 3);
        char *words = read_file(said, NULL);
        assert_non_null(strstr(words, "cancelled"));
        free(words);
        free(yaml);
        free(said);
        free(head);
        free(path);
        remove_folder(folder);
    }
}

/* ---- the key, and whom it is given to ---- */

static void keys_come_from_where_they_are_said_to(void **state) {
    (void)state;
    setenv("OTHER_KEY", "sk-other-0815", 1);
    setenv("EMPTY_KEY", "", 1);
    static const struct {
        const char *options, *key;
    } cases[] = {
        {"", KEY},
        {", key-env: OTHER_KEY", "sk-other-0815"},
        {", key: sk-written-1234", "sk-written-1234"},
        {", key: sk-written-1234, key-env: OTHER_KEY", "sk-written-1234"},
        {", key: none", "none"},
        {", key-env: \"\"", ""},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *options = text("%s, run: %zu", cases[i].options, i);
        script(NULL, 0);
        outcome got = run_with(make_folder(), options);
        expect_labels(&got);
        expect_requests(3);
        assert_true(endpoint_got_key(server, cases[i].key));
        if (strlen(cases[i].key) > 4) {
            assert_null(strstr(got.errors, cases[i].key));
            expect_nowhere(got.folder, cases[i].key);
            expect_nowhere(caches, cases[i].key);
        }
        free(options);
        end(&got);
    }
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    setenv("EMPTY_KEY", "", 1);
    setenv("BAD_KEY", "sk-end\r\nX-Other: of line", 1);
    static const struct {
        const char *url, *options, *words;
    } cases[] = {
        {"ftp://127.0.0.1/v1", "", "expected the URL of an endpoint, such as https://api.openai.com/v1"},
        {"file:///etc/passwd", "", "got \"file:///etc/passwd\""},
        {"127.0.0.1:80", "", "expected the URL of an endpoint"},
        {"http://somebody:sk-hidden@127.0.0.1/v1", "", "which would be shown in the results"},
        {"http://127.0.0.1/v1?key=sk-hidden", "", "which would be shown in the results"},
        {"http://127.0.0.1/v1", ", key-env: NO_SUCH_KEY", "there is no environment variable NO_SUCH_KEY"},
        {"http://127.0.0.1/v1", ", key-env: EMPTY_KEY", "there is no environment variable EMPTY_KEY"},
        {"http://127.0.0.1/v1", ", key-env: BAD_KEY", "another character that no key can have"},
        {"http://127.0.0.1/v1", ", key: \"***\"", "*** stands on pages in place of a key"},
        {"http://127.0.0.1/v1", ", prompt: empty.txt", "expected a prompt, text in UTF-8 that is not empty"},
        {"http://127.0.0.1/v1", ", prompt: odd.txt", "expected a prompt, text in UTF-8 that is not empty"},
        {"http://127.0.0.1/v1", ", timeout: 0", "option \"timeout\": expected a number from 0.1 to 3600"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_folder(), *empty = text("%s/empty.txt", folder),
             *odd = text("%s/odd.txt", folder);
        char *head = text("model: {path: " MINI "}\ncompute: {backend: reference}\nextractors:\n"
                          "  - {name: spans, plugin: sample-texts, heads: [L3], texts: " TEXTS "}\n"
                          "  - {name: labels, plugin: llm, from: spans, base-url: \"%s\", model: m%s}\n",
                          cases[i].url, cases[i].options);
        write_text(empty, " \n");
        write_text(odd, "a\xff");
        outcome got = run_in(folder, head, "");
        need_failure(&got, 2, cases[i].words);
        assert_null(strstr(got.errors, "sk-"));
        free(head);
        free(odd);
        free(empty);
        end(&got);
    }
}

/* Endpoint and model may be left to the environment; what is kept depends on what it said. */
static void the_environment_may_say_whom_to_ask(void **state) {
    (void)state;
    static const char head[] = "model: {path: " MINI "}\ncompute: {backend: reference}\nextractors:\n"
                               "  - {name: spans, plugin: sample-texts, heads: [L3], texts: " TEXTS "}\n"
                               "  - {name: labels, plugin: llm, from: spans, batch: 3}\n";
    static const char *const models[] = {"parrot", "parrot", "magpie: [\"", ""};
    static const size_t requests[] = {3, 0, 3, 0};
    setenv("OPENAI_BASE_URL", endpoint_url(server), 1);
    for (size_t i = 0; i < COUNT(models); ++i) {
        setenv("OPENAI_MODEL", models[i], 1);
        script(NULL, 0);
        outcome got = run_in(make_folder(), head, "");
        expect_requests(requests[i]);
        if (*models[i]) {
            expect_labels(&got);
            const cJSON *options = cJSON_GetObjectItem(
                cJSON_GetArrayItem(cJSON_GetObjectItem(got.root, "extractors"), 1), "options");
            assert_string_equal(field(options, "model"), models[i]);
            assert_string_equal(field(options, "base-url"), endpoint_url(server));
        } else {
            need_failure(&got, 2,
                         "option \"model\" is missing: expected a text, here or in the environment variable "
                         "OPENAI_MODEL");
        }
        end(&got);
    }
    unsetenv("OPENAI_BASE_URL");
    unsetenv("OPENAI_MODEL");
}

/* ---- the judge ---- */

static const cJSON *verdict_at(const outcome *got, const char *score, const char *head, int rank) {
    const cJSON *item;
    cJSON_ArrayForEach(item, found_by(got, 2)) {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(item, "score"));
        if (name && strcmp(name, score) == 0 && strcmp(field(item, "head"), head) == 0 &&
            number_of(item, "rank") == rank) {
            return item;
        }
    }
    return NULL;
}

static outcome run_judged(char *folder, const char *options) {
    char *chain = make_head("");
    char *head = text(
        "%s  - {name: judged, plugin: llm-judge, from: labels, base-url: %s, model: parrot, batch: 7%s}\n",
        chain, endpoint_url(server), options);
    outcome got = run_in(folder, head, "");
    free(head);
    free(chain);
    assert_null(strstr(got.errors, KEY));
    expect_nowhere(folder, KEY);
    return got;
}

/* Head i has texts i + 1 to i + 3: of colors only the fourth of five, of animals the second and the fifth. */
static double expected_verdict(size_t head, int rank) {
    size_t of = (head + (size_t)rank) % 5;
    return head % 2 == 0 ? of == 3 : of == 1 || of == 4;
}

static void descriptions_are_judged(void **state) {
    (void)state;
    enum { PAIRS = 6 * 3 };
    char *folder = make_folder();
    SCRIPT(SERVE_WELL, SERVE_WELL, SERVE_WELL, SERVE_FEWER, SERVE_BROKEN);
    outcome got = run_judged(folder, "");
    need_success(&got);
    expect_requests(3 + 6 + 2);
    size_t others = 0;
    for (size_t head = 0; head < 8; ++head) {
        char *name = text("L3.H%zu", head);
        for (int rank = 1; rank <= 3; ++rank) {
            const cJSON *one = verdict_at(&got, "consistent", name, rank);
            const cJSON *other = verdict_at(&got, "consistent with another", name, rank);
            assert_int_equal(one != NULL, head % 4 != 3);
            assert_int_equal(other != NULL, head % 4 != 3);
            if (one) assert_true(number_of(one, "value") == expected_verdict(head, rank));
            if (one) others += number_of(other, "value") != number_of(one, "value");
        }
        free(name);
    }
    assert_true(others > 0);
    assert_int_equal(count_items(found_by(&got, 2), "score"), 2 * PAIRS);
    assert_int_equal(count_items(found_by(&got, 2), "prompt"), 7);
    forget(&got);
    script(NULL, 0);
    got = run_judged(folder, ", retries: 1");
    need_success(&got);
    expect_requests(0);
    forget(&got);
    got = run_judged(folder, ", null: false, descriptions: 1");
    need_success(&got);
    expect_requests(1);
    assert_int_equal(count_items(found_by(&got, 2), "score"), 6);
    end(&got);
}

static void labels_without_descriptions_are_not_judged(void **state) {
    (void)state;
    char *head = text("model: {path: " MINI "}\ncompute: {backend: reference}\nextractors:\n"
                      "  - {name: labels, plugin: labels-file, path: " MINI_FOLDER "/labels.json}\n"
                      "  - {name: judged, plugin: llm-judge, from: labels, base-url: %s, model: m}\n",
                      endpoint_url(server));
    outcome got = run_in(make_folder(), head, "");
    need_failure(&got, 2, "the labels were made from no descriptions that could be judged");
    expect_requests(0);
    free(head);
    end(&got);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, open_test, close_test)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(heads_are_labelled),
        TEST(properties_go_by_what_was_said),
        TEST(nothing_is_asked_twice),
        TEST(a_check_asks_nothing),
        TEST(faults_that_pass_cost_nothing),
        TEST(wrong_answers_are_complained_of),
        TEST(faults_that_stay_are_named),
        TEST(nobody_there_is_said),
        TEST(a_signal_ends_the_waiting),
        TEST(keys_come_from_where_they_are_said_to),
        TEST(what_cannot_be_is_refused),
        TEST(the_environment_may_say_whom_to_ask),
        TEST(descriptions_are_judged),
        TEST(labels_without_descriptions_are_not_judged),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
