/* The command line: statuses, what goes to which stream, help, and that nothing is loaded before it is
 * needed. */
#include "tests/support.h"

#include <dirent.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const commands[] = {"run", "decompose", "plugins", "bench"};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int unset_path(void **state) {
    (void)state;
    return unsetenv("HEADLIGHT_PLUGIN_PATH");
}

static void install(const char *folder, const char *fixture) {
    char *from = text("%s/%s.fixture", TEST_FIXTURES, fixture), *to = text("%s/%s.so", folder, fixture);
    copy_file(from, to);
    free(from);
    free(to);
}

/* Runs words that end with NULL, expects the status, nothing on stdout, and stderr to begin with `first`.
 * Frees nothing of the caller's; returns stderr, which is the caller's. */
static char *expect_failure(int status, const char *first, const char *const *words) {
    const char *arguments[32] = {TEST_COMMAND};
    for (size_t i = 0; words[i]; ++i) arguments[i + 1] = words[i];
    char *printed, *errors;
    int got = run_program(arguments, &printed, &errors);
    if (got != status || *printed || strncmp(errors, first, strlen(first)) != 0) {
        fail_msg("status %d, expected %d\nstdout: %s\nstderr: %s\nexpected: %s", got, status, printed, errors,
                 first);
    }
    free(printed);
    return errors;
}

#define WORDS(...)                                                                                           \
    (const char *const[]) {                                                                                  \
        __VA_ARGS__, NULL                                                                                    \
    }

static void wrong_usage_is_status_2(void **state) {
    (void)state;
    static const struct {
        const char *words[8], *first, *somewhere;
    } cases[] = {
        {{NULL}, "usage: headlight COMMAND", "decompose"},
        {{"rn"}, "headlight: unknown command \"rn\"; did you mean \"run\"?\n", "usage: headlight COMMAND"},
        {{"paint"}, "headlight: unknown command \"paint\"; valid are: run, ", "usage: headlight COMMAND"},
        {{"--verison"}, "headlight: unknown option \"--verison\"", "usage: headlight COMMAND"},
        {{"run"}, "headlight run: FILE is missing\n", "usage: headlight run FILE"},
        {{"run", "a.yaml", "--chek"},
         "headlight run: unknown option \"--chek\"; did you mean \"--check\"?\n",
         "usage: "},
        {{"run", "a.yaml", "b.yaml"},
         "headlight run: unexpected argument \"b.yaml\"\n",
         "usage: headlight run FILE"},
        {{"run", "a.yaml", "--out"},
         "headlight run: --out needs a value: --out DIR\n",
         "usage: headlight run FILE"},
        {{"run", "a.yaml", "--check=1"},
         "headlight run: --check takes no value\n",
         "usage: headlight run FILE"},
        {{"run", "a.yaml", "--out=a", "--out=b"}, "headlight run: --out is given twice\n", "usage: "},
        {{"decompose", "--out", "x"},
         "headlight decompose: --model DIR is missing\n",
         "usage: headlight decompose"},
        {{"decompose", "--model", "m", "--out", "x"},
         "headlight decompose: expected either --image or --pixels",
         ""},
        {{"decompose", "--threads", "two"},
         "headlight decompose: --threads: expected a whole number from 0 to 1024, got \"two\"\n",
         "usage: headlight decompose"},
        {{"bench", "--model", "m", "--batch", "0"},
         "headlight bench: --batch: expected a whole number from 1 to 4096, got \"0\"\n",
         "usage: headlight bench"},
        {{"bench", "--modle", "m"},
         "headlight bench: unknown option \"--modle\"; did you mean \"--model\"?\n",
         "usage: "},
        {{"plugins", "topic-segmentaton"},
         "headlight plugins: there is no plugin \"topic-segmentaton\"; did you mean "
         "\"topic-segmentation\"?\n",
         ""},
        {{"plugins", "--plugin-dir", "/nowhere"},
         "headlight plugins: the plugin folder /nowhere cannot be read",
         ""},
        {{"run", "/nowhere.yaml"},
         "headlight run: /nowhere.yaml: cannot be opened: No such file or directory; check the path\n",
         ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char *errors = expect_failure(2, cases[i].first, cases[i].words);
        if (!strstr(errors, cases[i].somewhere)) fail_msg("%s", errors);
        free(errors);
    }
}

static void every_command_has_help(void **state) {
    (void)state;
    for (size_t i = 0; i < COMMANDS; ++i) {
        char *printed, *errors, *usage = text("usage: headlight %s", commands[i]);
        assert_int_equal(run_command(&printed, &errors, commands[i], "--help", NULL), 0);
        assert_int_equal(strncmp(printed, usage, strlen(usage)), 0);
        assert_non_null(strstr(printed, "--plugin-dir DIR"));
        assert_non_null(strstr(printed, "--quiet"));
        assert_string_equal(errors, "");
        free(printed);
        free(errors);
        free(usage);
    }
    char *printed, *errors;
    assert_int_equal(run_command(&printed, &errors, "--help", NULL), 0);
    for (size_t i = 0; i < COMMANDS; ++i) assert_non_null(strstr(printed, commands[i]));
    assert_string_equal(errors, "");
    free(printed);
    free(errors);
    assert_int_equal(run_command(&printed, &errors, "--version", NULL), 0);
    assert_string_equal(printed, "headlight 0.1.0\n");
    free(printed);
    free(errors);
}

static void plugins_are_listed_and_documented(void **state) {
    (void)state;
    char *printed, *errors, *folder = make_folder();
    install(folder, "sample");
    assert_int_equal(run_command(&printed, &errors, "plugins", "--plugin-dir", folder, NULL), 0);
    assert_non_null(strstr(printed, "compute/reference 1.0.0  "));
    assert_non_null(strstr(printed, "model/clip-vit "));
    char *line = text("analysis/sample 1.0.0  an option of every type\n    %s/sample.so\n", folder);
    assert_non_null(strstr(printed, line));
    assert_string_equal(errors, "");
    free(line);
    free(printed);
    free(errors);
    char *given = text("--plugin-dir=%s", folder);
    assert_int_equal(run_command(&printed, &errors, "plugins", given, "analysis/sample", NULL), 0);
    assert_non_null(strstr(printed, "opacity     a number from 0 to 1; default 0.6\n"));
    free(given);
    free(printed);
    free(errors);
    remove_folder(folder);
}

static void a_hidden_plugin_is_warned_about(void **state) {
    (void)state;
    char *printed, *errors, *first = make_folder(), *second = make_folder();
    install(first, "sample");
    install(second, "sample_twin");
    setenv("HEADLIGHT_PLUGIN_PATH", second, 1);
    assert_int_equal(run_command(&printed, &errors, "plugins", "--plugin-dir", first, NULL), 0);
    char *warning =
        text("warning: %s/sample_twin.so: not used, for analysis/sample was found first in %s/sample.so\n",
             second, first);
    assert_string_equal(errors, warning);
    assert_non_null(strstr(printed, "analysis/sample 1.0.0"));
    assert_null(strstr(printed, "analysis/sample 2.0.0"));
    free(warning);
    free(printed);
    free(errors);
    remove_folder(first);
    remove_folder(second);
}

/* The dynamic loader itself says which files it opens. */
static void listing_plugins_loads_no_library_of_theirs(void **state) {
    (void)state;
    char *errors;
    const char *const words[] = {"env", "LD_DEBUG=files", TEST_COMMAND, "plugins", NULL};
    assert_int_equal(run_program(words, NULL, &errors), 0);
    assert_non_null(strstr(errors, "compute-openblas.so"));
    assert_null(strstr(errors, "libopenblas"));
    free(errors);
}

/* Lines of `nm -D` that are not the sanitizers' own. */
static size_t count_symbols(char *listing) {
    size_t count = 0;
    for (char *rest = listing, *line; (line = strsep(&rest, "\n"));) {
        if (*line && !strstr(line, "asan")) ++count;
    }
    return count;
}

static void plugins_export_one_symbol(void **state) {
    (void)state;
    DIR *folder = opendir(TEST_PLUGINS);
    assert_non_null(folder);
    size_t plugins = 0;
    for (struct dirent *file; (file = readdir(folder));) {
        if (!strstr(file->d_name, ".so")) continue;
        char *path = text("%s/%s", TEST_PLUGINS, file->d_name), *listing;
        const char *const words[] = {"nm", "-D", "--defined-only", path, NULL};
        assert_int_equal(run_program(words, &listing, NULL), 0);
        assert_non_null(strstr(listing, " headlight_plugin\n"));
        size_t symbols = count_symbols(listing);
        if (symbols != 1) fail_msg("%s exports %zu symbols", path, symbols);
        ++plugins;
        free(listing);
        free(path);
    }
    closedir(folder);
    assert_true(plugins >= 4);
}

static void a_full_stdout_is_a_failure(void **state) {
    (void)state;
    char *errors;
    const char *const words[] = {"sh", "-c", "\"$0\" plugins > /dev/full", TEST_COMMAND, NULL};
    assert_int_equal(run_program(words, NULL, &errors), 1);
    assert_string_equal(errors, "headlight plugins: stdout cannot be written: No space left on device\n");
    free(errors);
}

/* An experiment on the embedded model with one analysis; the caller frees its path. */
static char *write_experiment(const char *folder, const char *analysis) {
    char *path = text("%s/a.yaml", folder);
    char *content = text("headlight: 1\nmodel: {path: %s/configs/mini/model}\ncompute: {backend: reference}\n"
                         "output: out\nanalyses:\n  - {%s}\n",
                         TEST_SOURCE, analysis);
    write_text(path, content);
    free(content);
    return path;
}

static void check_writes_nothing(void **state) {
    (void)state;
    char *folder = make_folder(), *printed, *errors;
    char *path = write_experiment(folder, "plugin: topic-segmentation, images: [" TEST_SOURCE
                                          "/configs/mini/gallery/scene-000.jpg], texts: [a red star]");
    assert_int_equal(run_command(&printed, &errors, "run", path, "--check", NULL), 0);
    assert_string_equal(printed, "");
    assert_int_equal(count_files(folder), 1);
    free(printed);
    free(errors);
    char *place =
        text("headlight run: --set analyses.0.heads: topic-segmentation: the model has no heads L9; ");
    free(expect_failure(2, place, WORDS("run", path, "--check", "--set", "analyses.0.heads=L9")));
    assert_int_equal(count_files(folder), 1);
    free(place);
    free(path);
    remove_folder(folder);
}

static void mistakes_leave_nothing_behind(void **state) {
    (void)state;
    char *folder = make_folder(), *path = write_experiment(folder, "plugin: topic-segmentation, txts: [a]");
    char *first =
        text("headlight run: %s:6:34: topic-segmentation: unknown option \"txts\"; did you mean \"texts\"?\n",
             path);
    free(expect_failure(2, first, WORDS("run", path)));
    assert_int_equal(count_files(folder), 1);
    free(first);
    free(path);
    remove_folder(folder);
}

static void a_run_names_its_report_last(void **state) {
    (void)state;
    char *folder = make_folder(), *printed, *errors;
    char *path = write_experiment(folder, "plugin: topic-segmentation, images: [" TEST_SOURCE
                                          "/configs/mini/gallery/scene-000.jpg], texts: [a red star]");
    assert_int_equal(run_command(&printed, &errors, "run", path, NULL), 0);
    assert_string_equal(errors, ""); /* quiet in a pipe */
    char *end = strchr(printed, '\n');
    assert_non_null(end);
    assert_string_equal(end, "\n");
    *end = '\0';
    assert_true(file_exists(printed));
    assert_non_null(strstr(printed, "/out/report.html"));
    free(printed);
    free(errors);
    free(path);
    remove_folder(folder);
}

static void signals_cancel_a_run(void **state) {
    (void)state;
    static const char *const signals[] = {"int", "term"};
    for (size_t i = 0; i < 2; ++i) {
        char *plugins = make_folder(), *folder = make_folder();
        char *analysis = text("plugin: interrupt, signal: %s", signals[i]),
             *path = write_experiment(folder, analysis);
        install(plugins, "interrupt");
        char *errors = expect_failure(1, "headlight run: ", WORDS("run", path, "--plugin-dir", plugins));
        assert_non_null(strstr(errors, "cancelled"));
        assert_int_equal(count_files(folder), 1);
        free(errors);
        free(analysis);
        free(path);
        remove_folder(plugins);
        remove_folder(folder);
    }
}

/* Runs the command on a terminal of its own and returns what appears there. */
static char *run_on_terminal(const char *const *words, int *status) {
    int terminal;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    assert_true(child >= 0);
    if (child == 0) {
        execv(words[0], (char *const *)(uintptr_t)words);
        _exit(127);
    }
    size_t used = 0, room = 1 << 20;
    char *seen = calloc(1, room);
    assert_non_null(seen);
    for (ssize_t got; used < room - 1 && (got = read(terminal, seen + used, room - 1 - used)) > 0;)
        used += (size_t)got;
    assert_int_equal(waitpid(child, status, 0), child);
    close(terminal);
    return seen;
}

static void progress_is_shown_on_a_terminal(void **state) {
    (void)state;
    char *folder = make_folder();
    char *path = write_experiment(folder, "plugin: topic-segmentation, images: [" TEST_SOURCE
                                          "/configs/mini/gallery/scene-000.jpg], texts: [a red star]");
    int status;
    char *seen = run_on_terminal(WORDS(TEST_COMMAND, "run", path), &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(seen, "\r\033[K"));
    assert_non_null(strstr(seen, "1 of 1 images"));
    assert_non_null(strstr(seen, " s: ")); /* where time went */
    free(seen);
    seen = run_on_terminal(WORDS(TEST_COMMAND, "run", path, "--quiet"), &status);
    assert_int_equal(status, 0);
    assert_null(strchr(seen, '\033'));
    free(seen);
    free(path);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(wrong_usage_is_status_2, unset_path),
        cmocka_unit_test_setup(every_command_has_help, unset_path),
        cmocka_unit_test_setup(plugins_are_listed_and_documented, unset_path),
        cmocka_unit_test_setup(a_hidden_plugin_is_warned_about, unset_path),
        cmocka_unit_test_setup(listing_plugins_loads_no_library_of_theirs, unset_path),
        cmocka_unit_test_setup(plugins_export_one_symbol, unset_path),
        cmocka_unit_test_setup(a_full_stdout_is_a_failure, unset_path),
        cmocka_unit_test_setup(check_writes_nothing, unset_path),
        cmocka_unit_test_setup(mistakes_leave_nothing_behind, unset_path),
        cmocka_unit_test_setup(a_run_names_its_report_last, unset_path),
        cmocka_unit_test_setup(signals_cancel_a_run, unset_path),
        cmocka_unit_test_setup(progress_is_shown_on_a_terminal, unset_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
