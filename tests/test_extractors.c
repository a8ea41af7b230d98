/* The chain of extractors, by the built command: steps that build on each other, what each finds in the
 * results, what is kept of it, and what a step may not hand over. */
#include "tests/contributions.h"
#include "tests/experiment.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GALLERY = 24, FEW = 4, TEXTS = 3, HEADS_ASKED = 2 };

#define TEXT_LIST "[a red star, snow, a blue ring]"
#define SPANS     "{name: spans, plugin: sample-spans, heads: [L3.H5, L2.H1], texts: " TEXT_LIST "}"
#define NAMING    "{name: names, plugin: sample-naming, from: spans}"
#define CHAIN     "extractors: [" SPANS ", " NAMING "]\n"
#define QUERY     MINI_GALLERY "/scene-399.jpg"
#define LABELS    "{name: labels, plugin: labels-file, path: " MINI_FOLDER "/labels.json}"

static const char *const asked_heads[HEADS_ASKED] = {"L3.H5", "L2.H1"};
static const char *const asked_texts[TEXTS] = {"a red star", "snow", "a blue ring"};

static void install(const char *folder, const char *name) {
    char *from = text("%s/%s.fixture", TEST_FIXTURES, name), *to = text("%s/%s.so", folder, name);
    copy_file(from, to);
    free(from);
    free(to);
}

static char *plugins;

/* A cache of its own, so that what earlier runs kept has no say. */
static int open_setting(void **state) {
    plugins = make_folder();
    char *caches = text("%s/caches", plugins);
    install(plugins, "sample_spans");
    install(plugins, "sample_naming");
    install(plugins, "sample_scores");
    install(plugins, "sample_untold");
    install(plugins, "sample_judge");
    install(plugins, "sample_sight");
    setenv("HEADLIGHT_PLUGIN_PATH", plugins, 1);
    setenv("XDG_CACHE_HOME", caches, 1);
    free(caches);
    *state = NULL;
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    remove_folder(plugins);
    return 0;
}

static char *make_place_of(size_t images) {
    char *folder = make_folder(), *gallery = text("%s/gallery", folder);
    put_scenes(gallery, 0, images);
    free(gallery);
    return folder;
}

/* A folder with a small gallery. */
static char *make_place(void) {
    return make_place_of(GALLERY);
}

#define MODEL        "model: {path: " MINI "}\ncompute: {backend: reference}\n"
#define GALLERY_YAML "gallery: {images: gallery, dtype: f32}\n"

static const cJSON *step_of(const outcome *got, int step) {
    return cJSON_GetArrayItem(cJSON_GetObjectItem(got->root, "extractors"), step);
}

static const cJSON *found_by(const outcome *got, int step) {
    return cJSON_GetObjectItem(step_of(got, step), "results");
}

/* ---- what the steps find ---- */

/* Of the gallery's images. */
static contributions decompose(const char *folder) {
    char *out = text("%s/arrays", folder), *images[GALLERY];
    for (size_t i = 0; i < GALLERY; ++i) images[i] = text("%s/gallery/scene-%03zu.jpg", folder, i);
    const char *words[2 * TEXTS + 1] = {NULL};
    for (size_t i = 0; i < TEXTS; ++i) {
        words[2 * i] = "--text";
        words[2 * i + 1] = asked_texts[i];
    }
    contributions found = contributions_read(out, (const char *const *)images, GALLERY, words);
    for (size_t i = 0; i < GALLERY; ++i) free(images[i]);
    free(out);
    return found;
}

static void steps_build_on_each_other(void **state) {
    (void)state;
    char *folder = make_place();
    contributions truth = decompose(folder);
    outcome got = run_in(folder, MODEL GALLERY_YAML CHAIN "properties: names\n", "");
    need_success(&got);
    assert_string_equal(field(step_of(&got, 0), "name"), "spans");
    assert_string_equal(field(step_of(&got, 0), "plugin"), "sample-spans");
    assert_string_equal(field(step_of(&got, 1), "from"), "spans");
    assert_int_equal(cJSON_GetArraySize(found_by(&got, 0)), HEADS_ASKED);
    for (int i = 0; i < HEADS_ASKED; ++i) {
        const cJSON *described = cJSON_GetArrayItem(found_by(&got, 0), i);
        const cJSON *texts = cJSON_GetObjectItem(described, "texts");
        size_t layer = (size_t)(asked_heads[i][1] - '0'), head = (size_t)(asked_heads[i][4] - '0');
        double expected[TEXTS], total = 0;
        assert_string_equal(field(described, "head"), asked_heads[i]);
        assert_int_equal(cJSON_GetArraySize(texts), TEXTS);
        for (int t = 0; t < TEXTS; ++t) {
            const cJSON *one = cJSON_GetArrayItem(texts, t);
            expected[t] = contributions_variance(&truth, layer, head, (size_t)t);
            total += expected[t];
            assert_string_equal(field(one, "text"), asked_texts[t]);
            assert_true(fabs(number_of(one, "variance") - expected[t]) < 1e-4 * expected[t]);
            assert_true(fabs(number_of(one, "total") - total) < 1e-4 * total);
        }
        const cJSON *label = cJSON_GetArrayItem(found_by(&got, 1), i);
        assert_string_equal(field(label, "head"), asked_heads[i]);
        assert_string_equal(field(label, "property"), asked_texts[contributions_widest(&truth, layer, head)]);
        assert_string_equal(field(label, "evidence"), "the largest variance");
        assert_true(number_of(label, "weight") == 1);
        const cJSON *heads = cJSON_GetObjectItem(cJSON_GetObjectItem(got.root, "properties"), "heads");
        assert_string_equal(field(heads, asked_heads[i]), field(label, "property"));
    }
    contributions_free(&truth);
    end(&got);
}

/* Neighbours in what the chain says a property's heads are: those of the head itself. */
static void analyses_ask_for_what_a_chain_named(void **state) {
    (void)state;
    outcome got = run_in(make_place(), MODEL GALLERY_YAML CHAIN "properties: names\n", "");
    need_success(&got);
    const cJSON *label = cJSON_GetArrayItem(found_by(&got, 1), 0), *other = label->next;
    bool alone = strcmp(field(label, "property"), field(other, "property")) != 0;
    char *analyses =
        text("  - {plugin: property-neighbors, images: [" QUERY "], properties: [%s], count: 5}\n"
             "  - {plugin: image-neighbors, images: [" QUERY "], heads: [%s], count: 5}\n",
             field(label, "property"), alone ? "L3.H5" : "L3.H5 + L2.H1");
    char *folder = got.folder;
    forget(&got);
    got = run_in(folder, MODEL GALLERY_YAML CHAIN "properties: names\n", analyses);
    need_success(&got);
    const cJSON *by_property = cJSON_GetObjectItem(results_of(&got, 0)->child, "neighbors");
    const cJSON *by_head = cJSON_GetObjectItem(results_of(&got, 1)->child, "neighbors");
    assert_int_equal(cJSON_GetArraySize(by_property), 5);
    assert_true(cJSON_Compare(by_property, by_head, true));
    free(analyses);
    end(&got);
}

/* ---- steps that build on several ---- */

static size_t count_words(const char *in, const char *words) {
    size_t count = 0;
    for (; (in = strstr(in, words)); ++in) ++count;
    return count;
}

/* JSON without the space between its parts. */
static char *squeeze(const char *json) {
    cJSON *root = cJSON_Parse(json);
    assert_non_null(root);
    char *squeezed = text("%s", json), *to = squeezed;
    bool quoted = false;
    for (const char *from = json; *from; ++from) {
        if (*from == '"' && (from == json || from[-1] != '\\')) quoted = !quoted;
        if (quoted || !strchr(" \n\t", *from)) *to++ = *from;
    }
    *to = '\0';
    cJSON_Delete(root);
    return squeezed;
}

#define TWO_LABELS                                                                                           \
    "  - {name: a, plugin: labels-file, path: a.json}\n"                                                     \
    "  - {name: b, plugin: labels-file, path: b.json}\n"
#define JUDGED "  - {name: judged, plugin: sample-judge, from: [b, a]}\n"

/* A folder with a few images and two files of labels. */
static char *make_labelled_place(void) {
    char *folder = make_place_of(FEW), *a = text("%s/a.json", folder), *b = text("%s/b.json", folder);
    write_text(a, "{\"properties\": {\"colors\": {\"L3.H5\": 1, \"L3.H6\": 0.5}}}");
    write_text(b, "{\"properties\": {\"shapes\": [\"L2.H1\"]}}");
    free(a);
    free(b);
    return folder;
}

/* Verdicts of heads, facts of heads and items come as they were handed over, from the plugin and from what
 * was kept of it. */
static void what_a_step_shows_comes_whole(void **state) {
    (void)state;
    char *caches = text("%s/shown", plugins), *folder = make_labelled_place();
    char *results = text("%s/out/results.json", folder), *first = NULL;
    setenv("XDG_CACHE_HOME", caches, 1);
    for (size_t run = 0; run < 2; ++run) {
        outcome got = run_in(folder, MODEL GALLERY_YAML "extractors:\n" TWO_LABELS JUDGED, "");
        need_success(&got);
        assert_int_equal(count_words(got.errors, "sample-judge runs"), run == 0);
        char *content = read_file(results, NULL);
        if (first) assert_string_equal(first, content);
        free(first);
        first = content;
        const cJSON *from = cJSON_GetObjectItem(step_of(&got, 2), "from");
        assert_string_equal(cJSON_GetArrayItem(from, 0)->valuestring, "b");
        assert_string_equal(cJSON_GetArrayItem(from, 1)->valuestring, "a");
        const char *const parts[] = {
            "{\"score\":\"b\",\"head\":\"L2.H1\",\"value\":1}",
            "{\"score\":\"a\",\"head\":\"L3.H5\",\"value\":1}",
            "{\"score\":\"a\",\"head\":\"L3.H6\",\"rank\":1,\"value\":0}",
            "{\"head\":\"L3.H5\",\"third\":0.3333333333333333,\"tenth\":0.1,\"many\":9223372036854775807,"
            "\"rows\":[{\"row\":0},{\"row\":1}],\"mixed\":[\"snow\",true,[]],\"neighbors\":[",
            "{\"schema\":\"chart\",\"title\":\"labels\",\"kind\":\"bar\",\"x\":\"step\",\"y\":\"labels\","
            "\"series\":[{\"name\":\"all\",\"points\":[{\"x\":\"b\",\"y\":1},{\"x\":\"a\",\"y\":2}]}]}",
            "{\"schema\":\"neighbors\",\"query\":\"snow\",\"neighbors\":[]}",
        };
        assert_int_equal(cJSON_GetArraySize(found_by(&got, 2)), COUNT(parts));
        for (size_t i = 0; i < COUNT(parts); ++i) {
            char *written = squeeze(content);
            if (!strstr(written, parts[i])) fail_msg("%s is not in %s", parts[i], written);
            free(written);
        }
        const cJSON *facts = cJSON_GetArrayItem(found_by(&got, 2), 3);
        const cJSON *neighbor = cJSON_GetObjectItem(facts, "neighbors")->child;
        assert_string_equal(field(neighbor, "path"), "scene-003.jpg");
        assert_true(number_of(neighbor, "score") == 0.25);
        forget(&got);
    }
    free(first);
    free(results);
    free(caches);
    remove_folder(folder);
}

/* A neighbour in a step's facts has what the gallery says of the image. */
static void neighbors_of_a_step_have_captions(void **state) {
    (void)state;
    char *folder = make_labelled_place(), *list = text("%s/gallery.json", folder);
    write_text(list, "[{\"path\": \"gallery/scene-000.jpg\"}, {\"path\": \"gallery/scene-001.jpg\"},"
                     "{\"path\": \"gallery/scene-002.jpg\"},"
                     "{\"path\": \"gallery/scene-003.jpg\", \"caption\": \"the fourth\", \"size\": 1.50}]");
    for (size_t run = 0; run < 2; ++run) {
        outcome got =
            run_in(folder, MODEL "gallery: {images: gallery.json}\nextractors:\n" TWO_LABELS JUDGED, "");
        need_success(&got);
        const cJSON *facts = cJSON_GetArrayItem(found_by(&got, 2), 3);
        const cJSON *neighbor = cJSON_GetObjectItem(facts, "neighbors")->child;
        assert_string_equal(field(neighbor, "caption"), "the fourth");
        char *results = text("%s/out/results.json", folder), *content = read_file(results, NULL);
        assert_non_null(strstr(content, "1.50"));
        free(content);
        free(results);
        forget(&got);
    }
    free(list);
    remove_folder(folder);
}

/* Beside the head's descriptions, beside the first of its labels, or in a map of its own. */
static void facts_of_a_head_are_where_its_findings_are(void **state) {
    (void)state;
    outcome got =
        run_in(make_place_of(FEW),
               MODEL GALLERY_YAML
               "extractors: [{name: spans, plugin: sample-spans, heads: [L3.H5, L2.H1], texts: "
               "[snow], facts: true}, {name: names, plugin: sample-naming, from: spans, facts: true}]\n",
               "");
    need_success(&got);
    assert_int_equal(cJSON_GetArraySize(found_by(&got, 0)), HEADS_ASKED);
    for (int i = 0; i < HEADS_ASKED; ++i) {
        const cJSON *described = cJSON_GetArrayItem(found_by(&got, 0), i);
        assert_non_null(cJSON_GetObjectItem(described, "texts"));
        assert_true(number_of(described, "images") == FEW);
    }
    const cJSON *label = cJSON_GetArrayItem(found_by(&got, 1), 0);
    assert_string_equal(field(label, "property"), "snow");
    assert_string_equal(field(label, "remark"), "looked at twice");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(label, "sure")));
    assert_null(cJSON_GetObjectItem(label->next, "remark"));
    const cJSON *alone = label->next->next;
    assert_string_equal(field(alone, "head"), "L0.H7");
    assert_string_equal(field(alone, "remark"), "looked at twice");
    assert_null(cJSON_GetObjectItem(alone, "property"));
    assert_null(alone->next);
    end(&got);
}

static double seen(const outcome *got, int step, const char *what) {
    const cJSON *verdict;
    cJSON_ArrayForEach(verdict, found_by(got, step)) {
        const cJSON *score = cJSON_GetObjectItem(verdict, "score");
        if (score && strcmp(score->valuestring, what) == 0) return number_of(verdict, "value");
    }
    fail_msg("no %s", what);
    return 0;
}

/* Without a name the nearest step is asked, on whatever path. */
static void a_step_sees_all_that_it_builds_on(void **state) {
    (void)state;
    static const char chain[] = "extractors:\n" TWO_LABELS "  - " SPANS "\n"
                                "  - " NAMING "\n"
                                "  - {name: first, plugin: sample-judge, from: [names, a]}\n"
                                "  - {name: second, plugin: sample-judge, from: b}\n"
                                "  - {name: near, plugin: sample-sight, from: [second, first]}\n"
                                "  - {name: far, plugin: sample-sight, from: [near]}\n"
                                "  - {name: apart, plugin: sample-sight, from: second}\n";
    char *head = text(MODEL GALLERY_YAML "%s", chain);
    outcome got = run_in(make_labelled_place(), head, "");
    need_success(&got);
    enum { NEAR = 6, FAR, APART };
    const cJSON *from = cJSON_GetObjectItem(step_of(&got, FAR), "from");
    assert_string_equal(from->valuestring, "near"); /* one is no list */
    for (int step = NEAR; step <= FAR; ++step) {
        assert_true(seen(&got, step, "descriptions") == TEXTS * HEADS_ASKED);
        assert_true(seen(&got, step, "labels") == 1); /* of b, through the first that is named */
        const cJSON *item = cJSON_GetArrayItem(found_by(&got, step), 3);
        assert_string_equal(field(item, "label"), "shapes");
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(item, "a")));
    }
    assert_true(seen(&got, NEAR, "verdicts") == 1);
    assert_true(seen(&got, FAR, "verdicts") == 3); /* those of near itself */
    assert_true(seen(&got, APART, "descriptions") == 0);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(cJSON_GetArrayItem(found_by(&got, APART), 3), "a")));
    free(head);
    end(&got);
}

/* What is kept depends on every step that it builds on, and on their names. */
static void what_is_kept_depends_on_every_source(void **state) {
    (void)state;
    char *folder = make_labelled_place(), *b = text("%s/b.json", folder);
    char *caches = text("%s/sources", plugins);
    setenv("XDG_CACHE_HOME", caches, 1);
    static const struct {
        const char *name, *labels;
        size_t runs;
    } cases[] = {
        {"a", "{\"L2.H1\": 1}", 1},   {"a", "{\"L2.H1\": 1}", 0}, {"a", "{\"L2.H1\": 0.5}", 1},
        {"c", "{\"L2.H1\": 0.5}", 1}, {"a", "{\"L2.H1\": 1}", 0},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *labels = text("{\"properties\": {\"shapes\": %s}}", cases[i].labels);
        char *head = text(MODEL GALLERY_YAML "extractors:\n"
                                             "  - {name: %s, plugin: labels-file, path: a.json}\n"
                                             "  - {name: b, plugin: labels-file, path: b.json}\n"
                                             "  - {name: judged, plugin: sample-judge, from: [%s, b]}\n",
                          cases[i].name, cases[i].name);
        write_text(b, labels);
        outcome got = run_in(folder, head, "");
        need_success(&got);
        assert_int_equal(count_words(got.errors, "sample-judge runs"), cases[i].runs);
        free(labels);
        free(head);
        forget(&got);
    }
    free(b);
    free(caches);
    remove_folder(folder);
}

static void sources_that_make_no_sense_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *from, *place, *words;
    } cases[] = {
        {"[a, a]", "experiment.yaml:9:52", "sample-judge builds on the step \"a\" already: name it once"},
        {"[a, spans]", "experiment.yaml:9:52",
         "sample-judge builds on labels, and the step \"spans\" gives descriptions"},
        {"[a, c]", "experiment.yaml:9:52", "unknown step \"c\""},
        {"[a, judged]", "experiment.yaml:9:52", "unknown step \"judged\""},
        {"[]", "experiment.yaml:9:48", "option \"from\": expected"},
        {"{a: b}", "experiment.yaml:9:48", "option \"from\": expected"},
        {"[a, [b]]", "experiment.yaml:9:52", "option \"from\": expected"},
        {"[a, b, names, b2]", "experiment.yaml:9:62",
         "sample-judge builds on 3 steps at most, and `from` names 4"},
        {"~", "experiment.yaml:9:5", "sample-judge builds on labels of an earlier step: add from: NAME"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_labelled_place(), *path = text("%s/experiment.yaml", folder), *errors;
        char *yaml = text("headlight: 1\noutput: out\n"
                          "model: {path: " MINI "}\n"
                          "gallery: {images: gallery}\n"
                          "extractors:\n"
                          "  - {name: a, plugin: labels-file, path: a.json}\n"
                          "  - {name: b, plugin: labels-file, path: b.json}\n"
                          "  - " SPANS "\n"
                          "  - {name: judged, plugin: sample-judge, from: %s}\n",
                          cases[i].from);
        write_text(path, yaml);
        assert_int_equal(run_command(NULL, &errors, "run", "--check", path, NULL), 2);
        if (!strstr(errors, cases[i].place) || !strstr(errors, cases[i].words))
            fail_msg("%s%s", yaml, errors);
        free(errors);
        free(yaml);
        free(path);
        remove_folder(folder);
    }
    outcome got = run_in(
        make_labelled_place(),
        MODEL "extractors:\n" TWO_LABELS "  - {name: scores, plugin: sample-scores, from: [a, b]}\n", "");
    need_failure(&got, 2, "sample-scores builds on 1 step at most, and `from` names 2");
    end(&got);
}

static void what_makes_no_sense_to_show_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *wrong, *words;
        int status;
    } cases[] = {
        {"fact-head", "sample-judge speaks of the head L99.H0, which the model", 2},
        {"reserved", "sample-judge says \"texts\" about L0.H1, which findings themselves say", 1},
        {"twice", "sample-judge, about L0.H1, 'once': a field of this name is already there", 1},
        {"grid", "sample-judge, result 1, 'grid': an extractor hands over no grid", 1},
        {"picture", "sample-judge, about L0.H1, 'face': an extractor hands over no picture", 1},
        {"copy", "sample-judge, about L0.H1, 'copied': an extractor hands over no grid or picture", 1},
        {"head", "sample-judge speaks of the head L0.MLP", 2},
        {"rank", "sample-judge hands over a verdict \"a\" on rank 1 of no head", 1},
        {"layer", "sample-judge hands over a verdict on L0.H1 with layer 1", 1},
        {"nan", "sample-judge, about L0.H1, 'none': the number is", 1},
        {"table", "sample-judge, about L0.H1, 'rows': row 1 (from 0) of the table has other fields", 1},
        {"no-schema", "sample-judge hands over an item without a schema", 1},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *head = text(MODEL GALLERY_YAML "extractors:\n" TWO_LABELS
                                             "  - {name: judged, plugin: sample-judge, from: a, wrong: %s}\n",
                          cases[i].wrong);
        outcome got = run_in(make_labelled_place(), head, "");
        need_failure(&got, cases[i].status, cases[i].words);
        assert_non_null(strstr(got.errors, "step \"judged\""));
        free(head);
        end(&got);
    }
}

/* ---- when a step runs ---- */

static void expect_runs(const outcome *got, size_t spans, size_t names) {
    assert_int_equal(count_words(got->errors, "sample-spans runs"), spans);
    assert_int_equal(count_words(got->errors, "sample-naming runs"), names);
}

static void a_step_runs_when_somebody_needs_it(void **state) {
    (void)state;
    static const char asks[] = "  - {plugin: property-neighbors, images: [" QUERY "], properties: [snow]}\n";
    static const char other[] = "  - {plugin: text-neighbors, texts: [snow], heads: [L3.H5]}\n";
    static const struct {
        const char *steps, *analyses;
        size_t spans, names;
    } cases[] = {
        {"extractors: [" SPANS "]\nproperties: {extractor: sample-naming, from: spans}\n", other, 1, 0},
        {"extractors: [{name: spans, plugin: sample-spans, heads: [L3.H5], texts: [snow]}]\n"
         "properties: {extractor: sample-naming, from: spans}\n",
         asks, 1, 1},
        {"extractors: [" LABELS "]\nproperties: labels\n", "", 0, 0},
        {CHAIN, other, 1, 1},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *caches = text("%s/caches-%zu", plugins, i);
        setenv("XDG_CACHE_HOME", caches, 1);
        char *head = text("%s%s%s", MODEL, GALLERY_YAML, cases[i].steps);
        outcome got = run_in(make_place(), head, cases[i].analyses);
        need_success(&got);
        expect_runs(&got, cases[i].spans, cases[i].names);
        free(head);
        free(caches);
        end(&got);
    }
}

/* What a step found is found again while all that it depends on is the same, to the byte. */
static void what_was_found_is_kept(void **state) {
    (void)state;
    static const char again[] = MODEL GALLERY_YAML CHAIN "properties: names\n";
    static const char other_text[] = MODEL GALLERY_YAML
        "extractors: [{name: spans, plugin: sample-spans, heads: [L3.H5, L2.H1], texts: [a red star, fog, a "
        "blue ring]}, " NAMING "]\nproperties: names\n";
    char *caches = text("%s/kept", plugins), *folder = make_place();
    char *results = text("%s/out/results.json", folder), *added = text("%s/gallery/another.jpg", folder);
    setenv("XDG_CACHE_HOME", caches, 1);
    outcome got = run_in(folder, again, "");
    need_success(&got);
    expect_runs(&got, 1, 1);
    char *first = read_file(results, NULL);
    forget(&got);
    got = run_in(folder, again, "");
    need_success(&got);
    expect_runs(&got, 0, 0);
    char *second = read_file(results, NULL);
    assert_string_equal(first, second);
    forget(&got);
    got = run_in(folder, other_text, "");
    need_success(&got);
    expect_runs(&got, 1, 1);
    forget(&got);
    copy_file(QUERY, added);
    got = run_in(folder, again, "");
    need_success(&got);
    expect_runs(&got, 1, 1);
    free(first);
    free(second);
    free(added);
    free(results);
    free(caches);
    end(&got);
}

/* An experiment in whose chain a step that needs the weights builds on one that does not. */
typedef struct scored {
    char *folder, *labels, *notes;
} scored;

static outcome run_scored(const scored *place, const char *backend) {
    char *head = text("model: {path: " MINI "}\ncompute: {backend: %s, threads: 2}\n"
                      "extractors:\n  - {name: labels, plugin: labels-file, path: labels.yaml}\n"
                      "  - {name: scores, plugin: sample-scores, from: labels, notes: notes.txt}\n",
                      backend);
    outcome got = run_in(place->folder, head, "");
    need_success(&got);
    free(head);
    return got;
}

static void expect_scores(const scored *place, const char *backend, double labels, size_t runs) {
    outcome got = run_scored(place, backend);
    const cJSON *all = cJSON_GetArrayItem(found_by(&got, 1), 0);
    assert_string_equal(field(all, "score"), "labels");
    assert_string_equal(field(all, "layer"), "all");
    assert_true(number_of(all, "value") == labels);
    assert_null(cJSON_GetObjectItem(all, "low"));
    assert_int_equal(count_words(got.errors, "sample-scores runs"), runs);
    forget(&got);
}

static void what_is_kept_depends_on_all_that_it_rests_on(void **state) {
    (void)state;
    char *caches = text("%s/scored", plugins), *folder = make_folder();
    scored place = {folder, text("%s/labels.yaml", folder), text("%s/notes.txt", folder)};
    setenv("XDG_CACHE_HOME", caches, 1);
    write_text(place.labels, "properties: {colors: [L3.H1, L3.H2], shapes: {L3.H2: 0.5}}\n");
    write_text(place.notes, "one");
    expect_scores(&place, "reference", 3, 1);
    expect_scores(&place, "reference", 3, 0);
    write_text(place.labels, "properties: {colors: [L3.H1, L3.H2]}\n");
    expect_scores(&place, "reference", 2, 1);
    write_text(place.notes, "two");
    expect_scores(&place, "reference", 2, 1);
    expect_scores(&place, "openblas", 2, 1);
    expect_scores(&place, "reference", 2, 0);
    char *plugin = text("%s/sample_scores.so", plugins);
    const char *const longer[] = {"sh", "-c", "printf more >> \"$0\"", plugin, NULL};
    assert_int_equal(run_program(longer, NULL, NULL), 0);
    expect_scores(&place, "reference", 2, 1);
    free(plugin);
    outcome got = run_scored(&place, "reference");
    const cJSON *one = cJSON_GetArrayItem(found_by(&got, 1), 1);
    assert_true(number_of(one, "layer") == 3 && number_of(one, "value") == 2);
    assert_true(number_of(one, "low") == 2.0 / 3 && number_of(one, "high") == 2);
    free(place.labels);
    free(place.notes);
    free(caches);
    end(&got);
}

/* A text that a step has encoded is cut as loudly as one of the experiment, also where it is not run again.
 */
static void texts_that_are_cut_are_said(void **state) {
    (void)state;
    enum { WORDS = 100 };
    char *caches = text("%s/cut", plugins), *folder = make_folder(), words[4 * WORDS + 1] = "";
    char *results = text("%s/out/results.json", folder), *first = NULL;
    for (int i = 0; i < WORDS; ++i) strcat(words, "red ");
    setenv("XDG_CACHE_HOME", caches, 1);
    char *head = text(MODEL "extractors: [" LABELS ", {name: scores, plugin: sample-scores, from: labels, "
                            "text: %s}]\n",
                      words);
    for (int run = 0; run < 2; ++run) {
        outcome got = run_in(folder, head, "");
        need_success(&got);
        assert_int_equal(count_words(got.errors, "sample-scores runs"), run == 0);
        assert_int_equal(count_words(got.errors, "it is cut, and what follows"), 1);
        const cJSON *cut = cJSON_GetObjectItem(got.root, "truncated");
        assert_int_equal(cJSON_GetArraySize(cut), 1);
        assert_true(number_of(cut->child, "tokens") > WORDS);
        const cJSON *item = cJSON_GetArrayItem(found_by(&got, 1), 2);
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(item, "truncated")));
        char *content = read_file(results, NULL);
        if (first) assert_string_equal(first, content);
        free(first);
        first = content;
        forget(&got);
    }
    free(first);
    free(head);
    free(results);
    free(caches);
    remove_folder(folder);
}

/* Turns a byte in the middle of every file of the cache, or cuts it there. */
static void damage(const char *caches, bool cut) {
    char *script =
        text("for f in '%s'/headlight/*; do n=$(($(stat -c %%s \"$f\") / 2)); %s; done", caches,
             cut ? "truncate -s $n \"$f\"" : "printf '\\377' | dd of=\"$f\" bs=1 seek=$n conv=notrunc 2>&1");
    const char *const words[] = {"sh", "-c", script, NULL};
    assert_int_equal(run_program(words, NULL, NULL), 0);
    free(script);
}

static void what_was_kept_and_is_damaged_is_found_anew(void **state) {
    (void)state;
    static const char head[] = MODEL GALLERY_YAML CHAIN "properties: names\n";
    char *caches = text("%s/damaged", plugins), *folder = make_place();
    char *results = text("%s/out/results.json", folder);
    setenv("XDG_CACHE_HOME", caches, 1);
    outcome got = run_in(folder, head, "");
    need_success(&got);
    char *first = read_file(results, NULL);
    for (int cut = 0; cut < 2; ++cut) {
        forget(&got);
        damage(caches, cut);
        got = run_in(folder, head, "");
        need_success(&got);
        expect_runs(&got, 1, 1);
        char *again = read_file(results, NULL);
        assert_string_equal(first, again);
        free(again);
    }
    free(first);
    free(results);
    free(caches);
    end(&got);
}

/* ---- descriptions and labels of any kind ---- */

static void a_description_may_be_a_direction_alone(void **state) {
    (void)state;
    outcome got = run_in(make_place(),
                         MODEL GALLERY_YAML "extractors: [{name: spans, plugin: sample-spans, as: wordless, "
                                            "heads: [L3.H5], texts: [snow]}]\n",
                         "");
    need_success(&got);
    const cJSON *told = cJSON_GetObjectItem(found_by(&got, 0)->child, "texts")->child;
    assert_null(cJSON_GetObjectItem(told, "text"));
    assert_true(number_of(told, "variance") > 0);
    end(&got);
}

/* Heads with several properties, properties of several heads, with weights, and a head that has none. */
static void labels_are_many_to_many(void **state) {
    (void)state;
    static const char labels[] = "source: by hand\n"
                                 "properties:\n"
                                 "  colors: {L3.H0: 1, L3.H1: 0.25, L3.H2: 0.5, L3.H5: 1}\n"
                                 "  shapes: [L3.H1, L3.H2, L3.H6, L3.H7, L2.H0]\n"
                                 "  places: [L3.H0, L3.H1, L3.H3]\n";
    char *folder = make_place(), *path = text("%s/labels.yaml", folder);
    write_text(path, labels);
    outcome got =
        run_in(folder,
               MODEL GALLERY_YAML "extractors: [{name: labels, plugin: labels-file, path: labels.yaml}]\n"
                                  "properties: labels\n",
               "  - {plugin: property-neighbors, images: [" QUERY "], properties: [colors]}\n"
               "  - {plugin: image-neighbors, images: [" QUERY "], count: 4, heads: ["
               "1*L3.H0 + 0.25*L3.H1 + 0.5*L3.H2 + 1*L3.H5]}\n");
    need_success(&got);
    assert_int_equal(cJSON_GetArraySize(found_by(&got, 0)), 12);
    const cJSON *label = cJSON_GetArrayItem(found_by(&got, 0), 1);
    assert_string_equal(field(label, "head"), "L3.H1");
    assert_string_equal(field(label, "property"), "colors");
    assert_true(number_of(label, "weight") == 0.25);
    assert_string_equal(field(label, "evidence"), "by hand");
    const cJSON *heads = cJSON_GetObjectItem(cJSON_GetObjectItem(got.root, "properties"), "heads");
    assert_int_equal(cJSON_GetArraySize(heads), 8);
    assert_string_equal(field(heads, "L3.H1"), "colors, places, shapes");
    assert_null(cJSON_GetObjectItem(heads, "L3.H4"));
    assert_true(cJSON_Compare(cJSON_GetObjectItem(results_of(&got, 0)->child, "neighbors"),
                              cJSON_GetObjectItem(results_of(&got, 1)->child, "neighbors"), true));
    char *page_path = text("%s/out/report.html", folder), *page = read_file(page_path, NULL);
    assert_non_null(strstr(page, "by hand"));
    assert_non_null(strstr(page, "0.25"));
    free(page);
    free(page_path);
    free(path);
    end(&got);
}

/* A chain is an experiment of its own. */
static void analyses_may_be_missing(void **state) {
    (void)state;
    static const char *const analyses[] = {"", "analyses: []\n", "analyses:\n"};
    for (size_t i = 0; i < COUNT(analyses); ++i) {
        char *folder = make_folder(), *path = text("%s/a.yaml", folder), *errors;
        char *results = text("%s/out/results.json", folder);
        char *yaml = text("headlight: 1\noutput: out\n" MODEL "%sextractors: [" LABELS "]\n", analyses[i]);
        write_text(path, yaml);
        int status = run_command(NULL, &errors, "run", path, NULL);
        if (status != 0) fail_msg("%s%s", yaml, errors);
        cJSON *root = read_json(results);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "analyses")), 0);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "extractors")), 1);
        cJSON_Delete(root);
        free(errors);
        free(yaml);
        free(results);
        free(path);
        remove_folder(folder);
    }
}

/* ---- what goes wrong ---- */

static void what_makes_no_sense_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *wrong, *words;
        int status;
    } cases[] = {
        {"head", "sample-naming speaks of the head L99.H0", 2},
        {"weight", "sample-naming gives L0.H0 the property colors with weight 1.5; expected 0 to 1", 1},
        {"nan", "with weight nan; expected 0 to 1", 1},
        {"unnamed", "a property without a name", 1},
        {"verdict", "sample-naming hands over a verdict, and its step gives none", 1},
        {"silent", "extractor/sample-naming: failed and did not say why", 1},
        {"odd", "extractor/sample-naming: ended with the status 77", 1},
        {"no-size", "hl_label", 2},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *head =
            text(MODEL GALLERY_YAML "extractors: [" SPANS ", {name: names, plugin: sample-naming, from: "
                                    "spans, wrong: %s}]\n",
                 cases[i].wrong);
        outcome got = run_in(make_place_of(FEW), head, "");
        need_failure(&got, cases[i].status, cases[i].words);
        assert_non_null(strstr(got.errors, "step \"names\""));
        free(head);
        end(&got);
    }
}

static void descriptions_and_verdicts_are_checked(void **state) {
    (void)state;
#define SCORES "{name: scores, plugin: sample-scores, from: labels, wrong: "
#define TOLD   "{name: spans, plugin: sample-spans, heads: [L3.H5], texts: [snow], as: "
    static const struct {
        const char *steps, *words;
    } cases[] = {
        {TOLD "empty}", "sample-spans describes L3.H5 by neither a text nor a direction"},
        {TOLD "skipping}", "sample-spans gives L3.H5 a description of rank 2; expected 1"},
        {TOLD "endless}", "sample-spans gives L3.H5 a description with a number that is none"},
        {TOLD "labelled}", "sample-spans hands over a label, and its step gives none"},
        {LABELS ", " SCORES "unnamed}", "sample-scores hands over a verdict without a name"},
        {LABELS ", " SCORES "infinite}", "sample-scores hands over a verdict without"},
        {LABELS ", " SCORES "layer}", "sample-scores hands over a verdict without"},
        {LABELS ", " SCORES "far}", "sample-scores hands over a verdict without"},
        {LABELS ", " SCORES "label}", "sample-scores hands over a label, and its step gives none"},
        {LABELS ", " SCORES "gallery}", "sample-scores: asks about the gallery: a step that does says so"},
        {"{name: other, plugin: labels-file, path: " MINI_FOLDER "/labels.json}, " LABELS ", " SCORES
         "other}",
         "sample-scores: sees nothing of `other`"},
        {"{name: untold, plugin: sample-untold}", "sample-untold: asks what takes the model's weights"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *head = text(MODEL GALLERY_YAML "extractors: [%s]\n", cases[i].steps);
        outcome got = run_in(make_place_of(FEW), head, "");
        need_failure(&got, 1, cases[i].words);
        assert_non_null(strstr(got.errors, "step \""));
        free(head);
        end(&got);
    }
}

/* A step that needs no weights is run by --check, any other is not. */
static void checking_runs_what_needs_no_weights(void **state) {
    (void)state;
    char *folder = make_place(), *path = text("%s/check.yaml", folder), *errors;
    write_text(path, "headlight: 1\noutput: out\n" MODEL GALLERY_YAML CHAIN);
    assert_int_equal(run_command(NULL, &errors, "run", "--check", path, NULL), 0);
    assert_null(strstr(errors, "runs"));
    free(errors);
    write_text(path, "headlight: 1\noutput: out\n" MODEL "extractors: [" LABELS
                     ", {name: scores, plugin: sample-scores, from: labels, notes: nowhere.txt}]\n");
    assert_int_equal(run_command(NULL, &errors, "run", "--check", path, NULL), 2);
    assert_non_null(strstr(errors, "check.yaml:5:"));
    assert_non_null(strstr(errors, "nowhere.txt cannot be read: No such file or directory"));
    free(errors);
    write_text(path, "headlight: 1\noutput: out\n" MODEL
                     "extractors: [{name: labels, plugin: labels-file, path: check.yaml}]\n");
    assert_int_equal(run_command(NULL, &errors, "run", "--check", path, NULL), 1);
    assert_non_null(strstr(errors, "step \"labels\": "));
    assert_non_null(strstr(errors, "check.yaml"));
    free(errors);
    free(path);
    remove_folder(folder);
}

/* What is shown of an extractor says where it stands in a chain. */
static void what_a_step_builds_on_is_documented(void **state) {
    (void)state;
    static const struct {
        const char *plugin, *words, *example;
    } cases[] = {
        {"labels-file", "gives labels, builds on no other step\n",
         "properties: {extractor: labels-file, path: file}"},
        {"sample-naming", "gives labels, builds on descriptions of another step\n",
         "extractors:\n    - {name: NAME, plugin: sample-naming, from: STEP}"},
        {"sample-judge", "gives verdicts, builds on labels of one step or several, at most 3\n",
         "extractors:\n    - {name: NAME, plugin: sample-judge, from: [STEP, ...]}"},
        {"textspan", "gives descriptions, builds on no other step\n",
         "extractors:\n    - {name: NAME, plugin: textspan, pool: file}"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *name = text("extractor/%s", cases[i].plugin), *said;
        assert_int_equal(run_command(&said, NULL, "plugins", name, NULL), 0);
        if (!strstr(said, cases[i].words) || !strstr(said, cases[i].example)) fail_msg("%s", said);
        free(said);
        free(name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_build_on_each_other),
        cmocka_unit_test(analyses_ask_for_what_a_chain_named),
        cmocka_unit_test(what_a_step_shows_comes_whole),
        cmocka_unit_test(neighbors_of_a_step_have_captions),
        cmocka_unit_test(facts_of_a_head_are_where_its_findings_are),
        cmocka_unit_test(a_step_sees_all_that_it_builds_on),
        cmocka_unit_test(what_is_kept_depends_on_every_source),
        cmocka_unit_test(sources_that_make_no_sense_are_refused),
        cmocka_unit_test(what_makes_no_sense_to_show_is_refused),
        cmocka_unit_test(what_a_step_builds_on_is_documented),
        cmocka_unit_test(a_step_runs_when_somebody_needs_it),
        cmocka_unit_test(what_was_found_is_kept),
        cmocka_unit_test(what_is_kept_depends_on_all_that_it_rests_on),
        cmocka_unit_test(texts_that_are_cut_are_said),
        cmocka_unit_test(what_was_kept_and_is_damaged_is_found_anew),
        cmocka_unit_test(a_description_may_be_a_direction_alone),
        cmocka_unit_test(labels_are_many_to_many),
        cmocka_unit_test(analyses_may_be_missing),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(descriptions_and_verdicts_are_checked),
        cmocka_unit_test(checking_runs_what_needs_no_weights),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
