/* extractor/labels-file, loaded as a plugin: which heads carry which property, and what is wrong with a file.
 */
#include "core/asking/findings.h"
#include "core/host/host.h"
#include "core/registry/options.h"
#include "core/registry/registry.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a small model ---- */

enum { LAYERS = 2, HEADS = 3, COMPONENTS = LAYERS * (HEADS + 1) };

static const hl_model_info *small_model(void) {
    static hl_component components[COMPONENTS];
    static char names[COMPONENTS][32];
    static hl_model_info info = {.size = sizeof info, .name = "small", .component_count = COMPONENTS};
    for (int32_t layer = 0, at = 0; layer < LAYERS; ++layer) {
        for (int32_t head = 0; head <= HEADS; ++head, ++at) {
            bool is_head = head < HEADS;
            snprintf(names[at], sizeof names[at], is_head ? "L%d.H%d" : "L%d.MLP", layer, head);
            components[at] = (hl_component){.name = names[at], .kind = is_head ? HL_HEAD : HL_MLP};
        }
    }
    info.components = components;
    info.component_size = sizeof *components;
    return &info;
}

/* The heads of a model of that many layers and heads, as the published labels need them. */
static const hl_model_info *large_model(int32_t layers, int32_t heads) {
    static hl_component components[24 * 16];
    static char names[24 * 16][16];
    static hl_model_info info = {.size = sizeof info, .name = "large", .component_size = sizeof *components};
    info.component_count = (uint32_t)(layers * heads);
    info.components = components;
    for (int32_t i = 0; i < layers * heads; ++i) {
        snprintf(names[i], sizeof names[i], "L%d.H%d", i / heads, i % heads);
        components[i] = (hl_component){.name = names[i], .kind = HL_HEAD};
    }
    return &info;
}

/* ---- asking ---- */

typedef struct setting {
    registry *plugins;
    host *host;
    char *folder;
} setting;

static int open_setting(void **state) {
    static setting made;
    static const hl_library_settings nothing;
    static const char *const folders[] = {TEST_PLUGINS};
    hl_error error;
    unsetenv("HEADLIGHT_PLUGIN_PATH");
    registry_settings settings = {.folders = folders, .folder_count = 1};
    assert_ok(registry_open(&settings, &made.plugins, &error), error);
    assert_ok(host_open(&nothing, 1, &made.host, &error), error);
    made.folder = make_folder();
    *state = &made;
    return 0;
}

static int close_setting(void **state) {
    setting *made = *state;
    registry_close(made->plugins);
    host_close(made->host);
    remove_folder(made->folder);
    return 0;
}

/* Runs the plugin with the options written in YAML. */
static hl_status open_options(const setting *made, const hl_model_info *model, const char *yaml,
                              findings **out, hl_error *error) {
    const hl_plugin *plugin = registry_find(made->plugins, HL_EXTRACTOR, "labels-file");
    assert_non_null(plugin);
    char *name = text("%s/options.yaml", made->folder);
    yaml_file *file;
    option_values *values;
    assert_ok(yaml_parse(name, (const uint8_t *)yaml, strlen(yaml), &file, error), *error);
    static const char *const none[] = {NULL};
    assert_ok(options_read(plugin, yaml_root(file), none, &values, error), *error);
    const hl_ask ask = {.size = sizeof ask, .host = &made->host->interface, .model = model};
    hl_status status = findings_ask(plugin, &ask, options_values(values), out, error);
    options_free(values);
    yaml_close(file);
    free(name);
    return status;
}

/* The same with a file of labels and, unless NULL, one of aliases. */
static hl_status open_labels(const setting *made, const char *name, const char *labels, const char *aliases,
                             findings **out, hl_error *error) {
    char *path = text("%s/%s", made->folder, name), *table = text("%s/aliases.json", made->folder);
    char *yaml = text("{path: %s%s}", name, aliases ? ", aliases: aliases.json" : "");
    write_text(path, labels);
    if (aliases) write_text(table, aliases);
    hl_status status = open_options(made, small_model(), yaml, out, error);
    free(path);
    free(table);
    free(yaml);
    return status;
}

/* `expected`: the components, separated by blanks, with weights as in "0 4*0.5". */
static void expect_named(const findings *known, const char *asked, const char *name, const char *expected) {
    const hl_selection *heads;
    hl_error error;
    assert_ok(findings_property(known, asked, &heads, &error), error);
    assert_string_equal(heads->name, name);
    char got[256] = "";
    for (size_t i = 0; i < heads->count; ++i) {
        size_t used = strlen(got);
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%u", i ? " " : "", heads->components[i]);
        if (heads->weights) snprintf(got + used, sizeof got - used, "*%g", heads->weights[i]);
    }
    assert_string_equal(got, expected);
}

static void expect_heads(const findings *known, const char *name, const char *expected) {
    expect_named(known, name, name, expected);
}

static const char labels_json[] = "{\"model\": \"another\", \"source\": {\"deep\": [1, 2]},\n"
                                  " \"heads\": {\"L0.H0\": \"colors\", \"L1.H2\": \"places\",\n"
                                  "  \"L1.H0\": \"colors\", \"L0.H1\": \"mixed\", \"L0.H2\": \"Animals\"},\n"
                                  " \"properties\": {\"places\": [\"L1.H1\", \"L0.H0\"],\n"
                                  "  \"animals\": [\"L0.H1\"]}}";

static const char labels_yaml[] = "# the same\n"
                                  "model: another\n"
                                  "source: {deep: [1, 2]}\n"
                                  "heads:\n"
                                  "  L0.H0: colors\n"
                                  "  L1.H2: places\n"
                                  "  L1.H0: colors\n"
                                  "  L0.H1: mixed\n"
                                  "  L0.H2: Animals\n"
                                  "properties:\n"
                                  "  places: [L1.H1, L0.H0]\n"
                                  "  animals:\n"
                                  "    - L0.H1\n";

/* Lists of `properties` hold; the rest follows from `heads`; spelling counts. */
static void labels_become_properties(void **state) {
    static const struct {
        const char *name, *content;
    } files[] = {{"a.json", labels_json}, {"a.yaml", labels_yaml}, {"a.yml", labels_json}};
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        findings *known;
        hl_error error;
        assert_ok(open_labels(*state, files[i].name, files[i].content, NULL, &known, &error), error);
        expect_heads(known, "colors", "0 4");
        expect_heads(known, "places", "0 5");
        expect_heads(known, "mixed", "1");
        expect_heads(known, "animals", "1");
        expect_heads(known, "Animals", "2");
        findings_close(known);
    }
}

static void aliases_fold_spellings(void **state) {
    findings *known;
    hl_error error;
    const char *labels = "{\"heads\": {\"L0.H0\": \"Animal\", \"L0.H1\": \"Animals\", \"L0.H2\": \"Color\","
                         " \"L1.H0\": \"colors\"}, \"properties\": {\"Color\": [\"L1.H1\"]}}";
    const char *aliases = "{\"animals\": [\"Animal\", \"Animals\"], \"colors\": [\"Color\"]}";
    assert_ok(open_labels(*state, "a.json", labels, aliases, &known, &error), error);
    expect_heads(known, "animals", "0 1");
    expect_heads(known, "colors", "5"); /* the list of "Color" is that of "colors" */
    findings_close(known);
}

/* Those of the table, and no others; a property's own name comes first. */
static void properties_have_several_spellings(void **state) {
    findings *known;
    hl_error error;
    const char *labels = "{\"heads\": {\"L0.H0\": \"Animal\", \"L0.H2\": \"art\", \"L1.H1\": \"works\"}}";
    const char *aliases = "{\"animals\": [\"Animal\", \"Animals\", \"Beast\"], \"colors\": [\"Color\"],"
                          " \"Art\": [\"works\"], \"art\": [\"Beast\", \"Arts\", \"Art\"]}";
    assert_ok(open_labels(*state, "a.json", labels, aliases, &known, &error), error);
    expect_named(known, "animals", "animals", "0");
    expect_named(known, "Animal", "animals", "0");
    expect_named(known, "Animals", "animals", "0");
    expect_named(known, "Beast", "animals", "0"); /* the first that it stands for */
    expect_named(known, "Arts", "art", "2");
    expect_named(known, "Art", "Art", "5");
    expect_named(known, "works", "Art", "5");
    static const char *const absent[] = {"Color", "colors", "animal", "ART", ""};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; ++i) {
        const hl_selection *heads;
        assert_int_equal(findings_property(known, absent[i], &heads, &error), HL_FAILED);
        assert_null(heads);
        char *message = text("no head carries the property \"%s\"; there are: Art, animals, art", absent[i]);
        assert_string_equal(error.message, message);
        free(message);
    }
    findings_close(known);
}

/* Weights of heads, in either format; where all are 1 there are none. */
static void labels_have_weights(void **state) {
    static const struct {
        const char *name, *content;
    } files[] = {
        {"a.json", "{\"heads\": {\"L0.H0\": \"colors\", \"L0.H1\": \"places\"},"
                   " \"properties\": {\"colors\": {\"L1.H0\": 0.5, \"L0.H1\": 1, \"L0.H2\": 1e-3},"
                   "  \"ones\": {\"L1.H1\": 1, \"L1.H0\": 1.0}, \"Color\": [\"L1.H0\"],"
                   "  \"Tints\": {\"L0.H0\": 0.75}, \"tints\": {\"L0.H0\": 0.25}}}"},
        {"a.yaml", "heads: {L0.H0: colors, L0.H1: places}\n"
                   "properties:\n"
                   "  colors: {L1.H0: 0.5, L0.H1: 1, L0.H2: 1e-3}\n"
                   "  ones:\n    L1.H1: 1\n    L1.H0: 1.0\n"
                   "  Color: [L1.H0]\n"
                   "  Tints: {L0.H0: \"0.75\"}\n"
                   "  tints: {L0.H0: 0.25}\n"},
        {"a.YAML", "heads: {L0.H0: &c colors, L0.H1: places}\n"
                   "properties:\n"
                   "  *c : {L1.H0: .5, L0.H1: +1, L0.H2: +.001}\n"
                   "  ones: {L1.H1: &one 1., L1.H0: *one}\n"
                   "  Color: [L1.H0]\n"
                   "  Tints: {L0.H0: +.75}\n"
                   "  tints: {L0.H0: 25e-2}\n"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        findings *known;
        hl_error error;
        assert_ok(open_labels(*state, files[i].name, files[i].content, NULL, &known, &error), error);
        expect_heads(known, "colors", "1*1 2*0.001 4*0.5");
        expect_heads(known, "places", "1");
        expect_heads(known, "ones", "4 5");
        expect_heads(known, "Color", "4");
        expect_heads(known, "tints", "0*0.25");
        findings_close(known);
        /* folded into one: of two weights the greater, whichever comes first */
        assert_ok(open_labels(*state, files[i].name, files[i].content,
                              "{\"colors\": [\"Color\"], \"tints\": [\"Tints\"]}", &known, &error),
                  error);
        expect_heads(known, "colors", "1*1 2*0.001 4*1");
        expect_heads(known, "tints", "0*0.75");
        findings_close(known);
    }
}

static tree *describe(const findings *known) {
    tree *heads;
    hl_error error;
    assert_ok(tree_open(&heads, &error), error);
    assert_ok(findings_describe_heads(known, tree_root(heads), &error), error);
    assert_ok(tree_check(heads, &error), error);
    return heads;
}

static char *print(const tree *made) {
    char *json;
    hl_error error;
    assert_ok(tree_print_json(tree_node(made), false, &json, &error), error);
    return json;
}

static void heads_are_described(void **state) {
    findings *known;
    hl_error error;
    assert_ok(open_labels(*state, "a.json", labels_json, NULL, &known, &error), error);
    tree *heads = describe(known);
    char *got = print(heads);
    assert_string_equal(got,
                        "{\"L0.H0\":\"colors, places\",\"L0.H1\":\"animals, mixed\",\"L0.H2\":\"Animals\","
                        "\"L1.H0\":\"colors\",\"L1.H1\":\"places\"}");
    free(got);
    tree_close(heads);
    findings_close(known);
}

static void mistakes_are_named(void **state) {
    static const struct {
        const char *name, *labels, *aliases, *message;
        hl_status status;
    } cases[] = {
        {"a.json", "{\"heads\": {\"L0.H0\": \"colors\", \"L9.H9\": \"places\"}}", NULL,
         "heads: the model small has no head L9.H9", HL_USAGE},
        {"a.json", "{\"properties\": {\"places\": [\"L0.MLP\"]}}", NULL,
         "properties: the model small has no head L0.MLP", HL_USAGE},
        {"a.json", "{\"heads\": {\"L0.H0\": 3}}", NULL, "heads.L0.H0: expected the name of a property",
         HL_FAILED},
        {"a.json", "{\"heads\": {\"L0.H0\": \"\"}}", NULL, "heads.L0.H0: expected the name of a property",
         HL_FAILED},
        {"a.yaml", "heads: {L0.H0: }\n", NULL, "heads.L0.H0: expected the name of a property", HL_FAILED},
        {"a.json", "{\"heads\": {\"L0.H0\": \"a\", \"L0.H0\": \"b\"}}", NULL,
         "heads.L0.H0: expected one label, but there is a second", HL_FAILED},
        {"a.json", "{\"heads\": [\"L0.H0\"]}", NULL, "heads: expected a mapping", HL_FAILED},
        {"a.json", "{\"heads\": {}, \"properties\": {\"a\": \"L0.H0\"}}", NULL,
         "properties.a: expected a list of heads", HL_FAILED},
        {"a.json", "{\"properties\": {\"a\": [1]}}", NULL, "properties.a: expected a list of heads",
         HL_FAILED},
        {"a.json", "{\"properties\": {\"a\": {\"L0.MLP\": 1}}}", NULL,
         "a.json: properties: the model small has no head L0.MLP", HL_USAGE},
        {"a.json", "{\"properties\": {\"a\": 1}}", NULL,
         "a.json: properties.a: expected a list of heads, such as [\"L0.H0\"], or weights, such as "
         "{\"L0.H0\": 0.5}",
         HL_FAILED},
        {"a.json", "{\"properties\": {\"a\": {\"L0.H1\": 1, \"L0.H0\": 0}}}", NULL,
         "a.json: properties.a.L0.H0: expected a weight above 0 and at most 1", HL_FAILED},
        {"a.json", "{\"properties\": {\"a\": {\"L0.H0\": -0.5}}}", NULL,
         "properties.a.L0.H0: expected a weight", HL_FAILED},
        {"a.json", "{\"properties\": {\"a\": {\"L0.H0\": 1.0001}}}", NULL,
         "properties.a.L0.H0: expected a weight", HL_FAILED},
        {"a.json", "{\"properties\": {\"a\": {\"L0.H0\": true}}}", NULL,
         "properties.a.L0.H0: expected a weight", HL_FAILED},
        {"a.json", "{\"properties\": {\"a\": {\"L0.H0\": [1]}}}", NULL,
         "properties.a.L0.H0: expected a weight", HL_FAILED},
        {"a.json", "{\"properties\": {\"a\": {\"L0.H0\": 1e999}}}", NULL,
         "properties.a.L0.H0: expected a weight", HL_FAILED},
        {"a.yaml", "properties: {a: {L0.H0: }}\n", NULL, "properties.a.L0.H0: expected a weight", HL_FAILED},
        {"a.yaml", "properties: {a: {L0.H0: half}}\n", NULL, "properties.a.L0.H0: expected a weight",
         HL_FAILED},
        {"a.yaml", "properties: {a: {L0.H0: 0.5 L0.H1}}\n", NULL, "properties.a.L0.H0: expected a weight",
         HL_FAILED},
        {"a.yaml", "properties: {a: {L0.H0: .nan}}\n", NULL, "properties.a.L0.H0: expected a weight",
         HL_FAILED},
        {"a.json", "{\"properties\": {\"a\": {\"L0.H0\": 0.5, \"L0.H0\": 0.5}}}", NULL,
         "properties.a.L0.H0: expected one weight, but there is a second", HL_FAILED},
        {"a.json", "{\"model\": \"small\"}", NULL, "the file: expected a mapping with \"heads\"", HL_FAILED},
        {"a.json", "[]", NULL, "the file: expected a mapping with \"heads\"", HL_FAILED},
        {"a.json", "{\"heads\":\n {\"L0.H0\" \"a\"}}", NULL, "a.json:2:11: not JSON", HL_FAILED},
        {"a.json", "", NULL, "a.json:1:1: not JSON", HL_FAILED},
        {"a.json", "{\"heads\": {}} more", NULL, "not JSON", HL_FAILED},
        {"a.yaml", "heads: {L0.H0: a\n", NULL, "a.yaml:2:1: not YAML", HL_FAILED},
        {"a.yaml", "", NULL, "a.yaml:1:1: empty", HL_FAILED},
        {"a.yaml", "heads: {}\nproperties: &a {b: *a}\n", NULL, "nested too deep", HL_FAILED},
        {"a.yaml", "heads: *a\n", NULL, "a.yaml:1:8: not YAML: found undefined alias", HL_FAILED},
        {"a.yaml", "properties: {a: {L0.H0: +-1}}\n", NULL, "expected a weight", HL_FAILED},
        {"a.yaml", "properties: {a: {L0.H0: ..5}}\n", NULL, "expected a weight", HL_FAILED},
        {"a.yaml", "heads: {}\n---\nheads: {}\n", NULL, "a.yaml:2:1: a second document starts here",
         HL_FAILED},
        {"a.yaml", "heads: {[a]: b}\n", NULL, "a.yaml:1:9: a key must be plain text", HL_FAILED},
        {"a.json", "{\"heads\": {}}", "[]", "aliases.json: the file: expected a mapping", HL_FAILED},
        {"a.json", "{\"heads\": {}}", "{\"a\": \"b\"}", "aliases.json: the table.a: expected a list",
         HL_FAILED},
        {"a.json", "{\"heads\": {}}", "{", "aliases.json:1:", HL_FAILED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        findings *known;
        hl_error error;
        hl_status status =
            open_labels(*state, cases[i].name, cases[i].labels, cases[i].aliases, &known, &error);
        if (status != cases[i].status || !strstr(error.message, cases[i].message)) {
            fail_msg("%s\nstatus %d: %s", cases[i].labels, status, error.message);
        }
        assert_null(known);
    }
}

static void files_must_be_there(void **state) {
    const setting *made = *state;
    findings *known;
    hl_error error;
    assert_int_equal(open_options(made, small_model(), "{path: nowhere.json}", &known, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "nowhere.json: cannot be opened"));
    assert_int_equal(open_options(made, small_model(), "{path: .}", &known, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "not a regular file but a folder"));
    enum { TOO_LONG = (1 << 20) + 1 };
    char *path = text("%s/long.json", made->folder), *blanks = malloc(TOO_LONG);
    memset(blanks, ' ', TOO_LONG);
    write_file(path, blanks, TOO_LONG);
    assert_int_equal(open_options(made, small_model(), "{path: long.json}", &known, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "larger than 1048576 bytes"));
    free(blanks);
    free(path);
}

static void deep_nesting_is_refused(void **state) {
    enum { DEPTH = 5000 };
    char *deep = malloc(2 * DEPTH + 1);
    memset(deep, '[', DEPTH);
    memset(deep + DEPTH, ']', DEPTH);
    deep[2 * DEPTH] = '\0';
    findings *known;
    hl_error error;
    assert_int_equal(open_labels(*state, "a.json", deep, NULL, &known, &error), HL_FAILED);
    assert_int_equal(open_labels(*state, "a.yaml", deep, NULL, &known, &error), HL_FAILED);
    free(deep);
}

/* ---- what is shipped ---- */

static void published_labels_suit_their_models(void **state) {
    /* A head carries nothing when the list of its label's property leaves it out. */
    static const struct {
        const char *file, *property, *heads;
        int32_t layers, heads_of_a_layer;
        int carrying;
    } cases[] = {
        {"ViT-B-16-laion2b_s34b_b88k", "animals", "110 124", 12, 12, 47},
        {"ViT-B-16-openai", "animals", "118 125 133", 12, 12, 48},
        {"ViT-B-32-datacomp_m_s128m_b4k", "colors", "114 136 141", 12, 12, 47},
        {"ViT-B-32-openai", "pattern", "98 105", 12, 12, 47},
        {"ViT-L-14-laion2b_s32b_b82k", "colors", "336 345 362 363 366 376", 24, 16, 60},
        {"ViT-L-14-openai", "birds", "365 375", 24, 16, 63},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char *yaml = text("{path: " TEST_SOURCE "/configs/labels/%s.json, aliases: " TEST_SOURCE
                          "/configs/labels/aliases.json}",
                          cases[i].file);
        findings *known;
        hl_error error;
        const hl_model_info *model = large_model(cases[i].layers, cases[i].heads_of_a_layer);
        assert_ok(open_options(*state, model, yaml, &known, &error), error);
        expect_heads(known, cases[i].property, cases[i].heads);
        tree *described = describe(known);
        assert_int_equal(tree_node(described)->count, cases[i].carrying);
        /* every label has been folded: no capital is left */
        char *all = print(described);
        for (const char *at = all; *at; ++at) {
            bool of_a_head = (*at == 'L' || *at == 'H') && at[1] >= '0' && at[1] <= '9';
            assert_false(*at >= 'A' && *at <= 'Z' && !of_a_head);
        }
        free(all);
        tree_close(described);
        findings_close(known);
        free(yaml);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_become_properties),
        cmocka_unit_test(aliases_fold_spellings),
        cmocka_unit_test(properties_have_several_spellings),
        cmocka_unit_test(labels_have_weights),
        cmocka_unit_test(heads_are_described),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(files_must_be_there),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(published_labels_suit_their_models),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
