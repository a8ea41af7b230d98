/* Which plugins are found, which of two wins, and what is refused. */
#include "core/registry/registry.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Puts a fixture into a folder under a plugin's name. */
static void install(const char *folder, const char *fixture, const char *name) {
    char *from = text("%s/%s.fixture", TEST_FIXTURES, fixture), *to = text("%s/%s", folder, name);
    copy_file(from, to);
    free(from);
    free(to);
}

typedef struct warnings {
    char last[1024];
    size_t count;
} warnings;

static void keep_warning(void *user, const char *line) {
    warnings *seen = user;
    ++seen->count;
    snprintf(seen->last, sizeof seen->last, "%s", line);
}

static hl_status open_folders(const char *const *folders, size_t count, registry **plugins, warnings *seen,
                              hl_error *error) {
    registry_settings settings = {
        .folders = folders, .folder_count = count, .user = seen, .warn = keep_warning};
    return registry_open(&settings, plugins, error);
}

static int unset_path(void **state) {
    (void)state;
    return unsetenv("HEADLIGHT_PLUGIN_PATH");
}

static void finds_a_plugin(void **state) {
    (void)state;
    char *folder = make_folder();
    install(folder, "sample", "sample.so");
    install(folder, "no_symbol", "not-a-library.txt");
    registry *plugins;
    hl_error error;
    warnings seen = {"", 0};
    assert_ok(open_folders((const char *const[]){folder}, 1, &plugins, &seen, &error), error);
    const hl_plugin *plugin = registry_find(plugins, HL_ANALYSIS, "sample");
    assert_non_null(plugin);
    assert_ptr_equal(plugin, registry_at(plugins, 0));
    assert_null(registry_at(plugins, 1));
    assert_string_equal(plugin->version, "1.0.0");
    assert_int_equal(plugin->option_count, 13);
    char *file = text("%s/sample.so", folder);
    assert_string_equal(registry_file(plugins, 0), file);
    assert_null(registry_find(plugins, HL_MODEL, "sample"));
    assert_int_equal(seen.count, 0);
    free(file);
    registry_close(plugins);
    remove_folder(folder);
}

static void first_folder_wins(void **state) {
    (void)state;
    char *first = make_folder(), *second = make_folder();
    install(first, "sample", "sample.so");
    install(second, "sample_twin", "twin.so");
    const char *const orders[2][2] = {{first, second}, {second, first}};
    for (size_t i = 0; i < 2; ++i) {
        registry *plugins;
        hl_error error;
        warnings seen = {"", 0};
        assert_ok(open_folders(orders[i], 2, &plugins, &seen, &error), error);
        assert_string_equal(registry_find(plugins, HL_ANALYSIS, "sample")->version,
                            i == 0 ? "1.0.0" : "2.0.0");
        assert_null(registry_at(plugins, 1));
        assert_int_equal(seen.count, 1);
        assert_non_null(strstr(seen.last, first));
        assert_non_null(strstr(seen.last, second));
        registry_close(plugins);
    }
    remove_folder(first);
    remove_folder(second);
}

static void environment_comes_after_folders(void **state) {
    (void)state;
    char *given = make_folder(), *near = make_folder(), *far = make_folder();
    install(given, "other_sizes", "a.so");
    install(near, "sample_twin", "b.so");
    install(far, "sample", "c.so");
    char *path = text("%s::%s", near, far);
    setenv("HEADLIGHT_PLUGIN_PATH", path, 1);
    registry *plugins;
    hl_error error;
    warnings seen = {"", 0};
    assert_ok(open_folders((const char *const[]){given}, 1, &plugins, &seen, &error), error);
    assert_string_equal(registry_at(plugins, 0)->name, "other-sizes");
    assert_string_equal(registry_at(plugins, 1)->version, "2.0.0");
    assert_null(registry_at(plugins, 2));
    registry_close(plugins);

    /* A folder that is given wins over the environment, which names the same name. */
    assert_ok(open_folders((const char *const[]){far}, 1, &plugins, &seen, &error), error);
    assert_string_equal(registry_at(plugins, 0)->version, "1.0.0");
    registry_close(plugins);
    free(path);
    remove_folder(given);
    remove_folder(near);
    remove_folder(far);
}

/* Neither is used, nor one of a folder that is searched later; everything else goes on. */
static void two_in_one_folder_are_broken(void **state) {
    (void)state;
    char *folder = make_folder(), *later = make_folder();
    install(folder, "sample", "a.so");
    install(folder, "sample_twin", "b.so");
    install(folder, "other_sizes", "c.so");
    install(later, "sample_twin", "b.so");
    registry *plugins;
    hl_error error;
    warnings seen = {"", 0};
    assert_ok(open_folders((const char *const[]){folder, later}, 2, &plugins, &seen, &error), error);
    assert_non_null(strstr(registry_broken(plugins, 0), "/a.so: analysis/sample is also in"));
    assert_non_null(strstr(registry_broken(plugins, 1), "/b.so: analysis/sample is also in"));
    assert_null(registry_broken(plugins, 2));
    assert_string_equal(registry_at(plugins, 0)->name, "other-sizes");
    assert_null(registry_at(plugins, 1));
    const hl_plugin *found;
    assert_int_equal(registry_need(plugins, HL_ANALYSIS, "sample", "a.yaml:1:1", &found, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "a.yaml:1:1: the plugin \"sample\" is broken: "));
    assert_non_null(strstr(error.message, "/a.so"));
    assert_non_null(strstr(error.message, "/b.so"));
    registry_close(plugins);
    remove_folder(folder);
    remove_folder(later);
}

/* It works, but the contract says one symbol. */
static void further_symbols_are_named(void **state) {
    (void)state;
    char *folder = make_folder();
    install(folder, "two_symbols", "two.so");
    registry *plugins;
    hl_error error;
    warnings seen = {"", 0};
    assert_ok(open_folders((const char *const[]){folder}, 1, &plugins, &seen, &error), error);
    assert_string_equal(registry_at(plugins, 0)->name, "two-symbols");
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.last, "/two.so: exports more than headlight_plugin: "));
    assert_non_null(strstr(seen.last, "helper"));
    assert_non_null(strstr(seen.last, "table"));
    registry_close(plugins);
    remove_folder(folder);
}

static void the_same_file_twice_is_once(void **state) {
    (void)state;
    char *folder = make_folder();
    install(folder, "sample", "a.so");
    char *link = text("%s/b.so", folder);
    assert_int_equal(symlink("a.so", link), 0);
    registry *plugins;
    hl_error error;
    warnings seen = {"", 0};
    assert_ok(open_folders((const char *const[]){folder, folder}, 2, &plugins, &seen, &error), error);
    assert_non_null(registry_at(plugins, 0));
    assert_null(registry_at(plugins, 1));
    assert_int_equal(seen.count, 0);
    registry_close(plugins);
    free(link);
    remove_folder(folder);
}

static void unsound_files_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *fixture, *message;
    } cases[] = {
        {"abi_old",
         "bad.so: is built for ABI 1 of headlight, and this one has ABI 2: build it again from its "
         "source"},
        {"abi_major", "bad.so: is built for ABI 3 of headlight, and this one has ABI 2: build it again"},
        {"abi_minor", "bad.so: is built for ABI 2.5 of headlight, and this one has ABI 2.4: build it again"},
        {"no_symbol", "bad.so: not a plugin, for it exports no headlight_plugin"},
        {"broken_default", "option \"opacity\": expected a number from 0 to 1, got \"1.5\""},
        {"no_help", "option \"opacity\" has no help"},
        {"no_function", "its table of functions lacks some that its kind must have: run"},
        {"unknown_kind", "a kind that this headlight does not know"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char *folder = make_folder();
        install(folder, cases[i].fixture, "bad.so");
        registry *plugins;
        hl_error error;
        warnings seen = {"", 0};
        install(folder, "sample", "good.so");
        assert_ok(open_folders((const char *const[]){folder}, 1, &plugins, &seen, &error), error);
        const char *why = registry_broken(plugins, 0);
        assert_non_null(why);
        if (!strstr(why, cases[i].message)) fail_msg("%s: %s", cases[i].fixture, why);
        assert_int_equal(strncmp(why, folder, strlen(folder)), 0);
        assert_null(registry_broken(plugins, 1));
        assert_string_equal(registry_at(plugins, 0)->name, "sample"); /* the others go on */
        const hl_plugin *found;
        assert_int_equal(registry_need(plugins, HL_ANALYSIS, "bad", "a.yaml:1:1", &found, &error), HL_USAGE);
        assert_non_null(strstr(error.message, "the plugin \"bad\" is broken: "));
        registry_close(plugins);
        remove_folder(folder);
    }
}

/* What is in place of a plugin is named as broken; the loader does not repeat the file. */
static void check_broken(const char *folder, const char *file) {
    registry *plugins;
    hl_error error;
    warnings seen = {"", 0};
    assert_ok(open_folders((const char *const[]){folder}, 1, &plugins, &seen, &error), error);
    const char *why = registry_broken(plugins, 0);
    assert_non_null(why);
    assert_int_equal(strncmp(why, file, strlen(file)), 0);
    assert_null(strstr(why + strlen(file), file));
    registry_close(plugins);
}

static void garbage_is_broken(void **state) {
    (void)state;
    char *folder = make_folder(), *file = text("%s/garbage.so", folder);
    write_text(file, "not a shared object at all");
    check_broken(folder, file);
    write_text(file, "");
    check_broken(folder, file);

    /* Half of a sound one, too. */
    char *whole = text("%s/sample.fixture", TEST_FIXTURES);
    size_t count;
    char *bytes = read_file(whole, &count);
    write_file(file, bytes, count / 2);
    check_broken(folder, file);
    free(bytes);
    free(whole);

    assert_int_equal(unlink(file), 0);
    assert_int_equal(symlink("nowhere", file), 0);
    check_broken(folder, file);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0);
    check_broken(folder, file);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0700), 0);
    check_broken(folder, file);
    free(file);
    remove_folder(folder);
}

static void structs_of_other_sizes_are_read(void **state) {
    (void)state;
    char *folder = make_folder();
    install(folder, "other_sizes", "a.so");
    registry *plugins;
    hl_error error;
    warnings seen = {"", 0};
    assert_ok(open_folders((const char *const[]){folder}, 1, &plugins, &seen, &error), error);
    const hl_plugin *plugin = registry_at(plugins, 0);
    assert_null(plugin->extension);
    assert_int_equal(plugin->option_size, sizeof(hl_option));
    assert_string_equal(plugin->options[0].name, "first");
    assert_string_equal(plugin->options[1].name, "second");
    assert_string_equal(plugin->options[1].help, "the second");
    registry_close(plugins);
    remove_folder(folder);
}

static void short_tables_are_padded(void **state) {
    (void)state;
    struct {
        uint32_t size;
        const void *function;
    } declared = {.size = sizeof declared, .function = &declared};
    struct {
        uint32_t size;
        const void *function, *later;
    } table;
    memset(&table, 0xff, sizeof table);
    hl_plugin plugin = {.api = &declared};
    registry_table(&plugin, &table, sizeof table);
    assert_ptr_equal(table.function, &declared);
    assert_null(table.later);
}

static void a_folder_that_is_named_must_exist(void **state) {
    (void)state;
    registry *plugins;
    hl_error error;
    warnings seen = {"", 0};
    assert_int_equal(open_folders((const char *const[]){"/nowhere/at/all"}, 1, &plugins, &seen, &error),
                     HL_USAGE);
    assert_non_null(strstr(error.message, "/nowhere/at/all cannot be read"));
    setenv("HEADLIGHT_PLUGIN_PATH", "/nowhere/else", 1);
    assert_int_equal(open_folders(NULL, 0, &plugins, &seen, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "/nowhere/else"));
}

/* What everybody may write to could be anybody's code. */
static void places_of_everybody_are_not_trusted(void **state) {
    (void)state;
    static const struct {
        const char *name; /* of a folder or file below the test's folder */
        mode_t mode;
        bool trusted;
    } cases[] = {
        {"top", 0777, false},
        {"top/plugins", 0777, false},
        {"top/plugins", 01777, false},
        {"top/plugins/a.so", 0666, false},
        {"top/plugins/a.so", 0646, false},
        {"top", 01777, true}, /* as /tmp */
        {"top/plugins", 0775, true},
        {"top/plugins/a.so", 0664, true},
    };
    char *folder = make_folder(), *top = text("%s/top", folder), *plugins_folder = text("%s/plugins", top);
    char *link = text("%s/link", folder);
    assert_int_equal(mkdir(top, 0755), 0);
    assert_int_equal(mkdir(plugins_folder, 0755), 0);
    assert_int_equal(symlink(plugins_folder, link), 0);
    install(plugins_folder, "sample", "a.so");
    for (size_t i = 0; i < 2 * COUNT(cases); ++i) {
        char *path = text("%s/%s", folder, cases[i / 2].name);
        const char *given = i % 2 ? link : plugins_folder;
        struct stat before;
        assert_int_equal(stat(path, &before), 0);
        assert_int_equal(chmod(path, cases[i / 2].mode), 0);
        registry *plugins;
        hl_error error;
        warnings seen = {"", 0};
        hl_status status = open_folders(&given, 1, &plugins, &seen, &error);
        assert_int_equal(status, cases[i / 2].trusted ? HL_OK : HL_USAGE);
        if (status != HL_OK) assert_non_null(strstr(error.message, "everybody may write"));
        registry_close(plugins);
        assert_int_equal(chmod(path, before.st_mode & 07777), 0);
        free(path);
    }
    free(link);
    free(plugins_folder);
    free(top);
    remove_folder(folder);
}

static void a_wrong_name_gets_a_suggestion(void **state) {
    (void)state;
    char *folder = make_folder();
    install(folder, "sample", "a.so");
    registry *plugins;
    hl_error error;
    warnings seen = {"", 0};
    assert_ok(open_folders((const char *const[]){folder}, 1, &plugins, &seen, &error), error);
    const hl_plugin *plugin;
    assert_int_equal(registry_need(plugins, HL_ANALYSIS, "smaple", "here", &plugin, &error), HL_USAGE);
    assert_string_equal(error.message, "here: unknown analysis plugin \"smaple\"; did you mean \"sample\"?");
    assert_int_equal(registry_need(plugins, HL_ANALYSIS, "heatmap", "here", &plugin, &error), HL_USAGE);
    assert_string_equal(error.message, "here: unknown analysis plugin \"heatmap\"; valid are: sample");
    assert_int_equal(registry_need(plugins, HL_MODEL, "sample", "here", &plugin, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "none is installed"));
    registry_close(plugins);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(finds_a_plugin, unset_path),
        cmocka_unit_test_setup(first_folder_wins, unset_path),
        cmocka_unit_test_setup(environment_comes_after_folders, unset_path),
        cmocka_unit_test_setup(two_in_one_folder_are_broken, unset_path),
        cmocka_unit_test_setup(further_symbols_are_named, unset_path),
        cmocka_unit_test_setup(the_same_file_twice_is_once, unset_path),
        cmocka_unit_test_setup(unsound_files_are_refused, unset_path),
        cmocka_unit_test_setup(garbage_is_broken, unset_path),
        cmocka_unit_test_setup(structs_of_other_sizes_are_read, unset_path),
        cmocka_unit_test_setup(short_tables_are_padded, unset_path),
        cmocka_unit_test_setup(a_folder_that_is_named_must_exist, unset_path),
        cmocka_unit_test_setup(places_of_everybody_are_not_trusted, unset_path),
        cmocka_unit_test_setup(a_wrong_name_gets_a_suggestion, unset_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
