/* The command `headlight`: finds the subcommand, opens the library, prints what goes wrong. */
#include "tools/headlight/commands.h"
#include "tools/headlight/ending.h"
#include "tools/headlight/terminal.h"

#include "core/registry/suggest.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const subcommand *const commands[] = {
    &run_command,     &index_command,  &merge_command, &verify_command,       &decompose_command,
    &plugins_command, &models_command, &bench_command, &check_plugin_command, &new_command};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void write_overview(FILE *out) {
    fputs("usage: headlight COMMAND [ARGUMENTS]\n\n"
          "headlight shows what each attention head of a CLIP-like model does.\n\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; ++i) {
        fprintf(out, "  %-14s%s\n", commands[i]->name, commands[i]->summary);
    }
    fputs("\nheadlight COMMAND --help says more. headlight --version prints the version.\n", out);
}

static const subcommand *find_command(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; ++i) {
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    }
    return NULL;
}

static int unknown_command(const char *word) {
    const char *names[COMMAND_COUNT];
    char ending[256];
    for (size_t i = 0; i < COMMAND_COUNT; ++i) names[i] = commands[i]->name;
    suggest(ending, sizeof ending, word, names, COMMAND_COUNT);
    const char *what = word[0] == '-' ? "option" : "command";
    terminal_line(stderr, "headlight: unknown %s \"%.64s\"%s", what, word, ending);
    fputc('\n', stderr);
    write_overview(stderr);
    return HL_USAGE;
}

/* Where stdin, stdout or stderr is closed, no file that is opened later may take its number and be written
 * into by what is printed. Printing still fails: the place is taken by what cannot be written. */
static bool hold_standard_streams(void) {
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
        if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != descriptor) return false;
    }
    return true;
}

/* ---- Running a command ---- */

static int fail(const subcommand *command, hl_status status, const hl_error *error) {
    terminal_clear();
    terminal_line(stderr, "headlight %s: %s", command->name, error->message);
    return status == HL_USAGE ? HL_USAGE : HL_FAILED;
}

static hl_status flush_output(hl_error *error) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return HL_OK;
    /* What went wrong earlier nobody remembers; most likely it goes wrong again. */
    if (!errno && putchar('\n') != EOF) fflush(stdout);
    const char *reason = errno ? strerror(errno) : "an earlier line was lost";
    return hl_fail(error, HL_FAILED, "stdout cannot be written: %s", reason);
}

/* What is printed is all that most commands make. Of those that make files they are: when they are there, a
 * lost line about them is no failure. */
static hl_status finish_output(const subcommand *command, hl_error *error) {
    hl_status status = flush_output(error);
    if (status == HL_OK || common.help || !command->makes_files) return status;
    terminal_line(stderr, "headlight %s: warning: %s; the files are complete", command->name, error->message);
    return HL_OK;
}

static hl_status run_command_in_library(const subcommand *command, hl_error *error) {
    hl_library_settings settings = {
        .size = sizeof settings,
        .plugin_folders = common.plugin_folders.items,
        .plugin_folder_count = common.plugin_folders.count,
        .log = terminal_log,
    };
    const hl_call call = {.size = sizeof call, .cancelled = ending_is_asked, .progress = terminal_progress};
    hl_library *library = NULL;
    hl_status status = command->without_library ? HL_OK : hl_library_open(&settings, &library, error);
    if (status != HL_OK) return status;
    ending_heed_signals();
    if (library) ending_guard_signals();
    status = command->run(library, &call, error);
    terminal_clear();
    hl_library_close(library);
    return status;
}

static int run_words(const subcommand *command, int count, char **words) {
    hl_error error;
    hl_status status = arguments_parse(command, count, words, &error);
    if (status != HL_OK) {
        int exit_status = fail(command, status, &error);
        fputc('\n', stderr);
        arguments_help(command, stderr);
        return exit_status;
    }
    terminal_open(common.quiet);
    if (common.help) {
        arguments_help(command, stdout);
    } else {
        status = run_command_in_library(command, &error);
    }
    if (status == HL_OK) status = finish_output(command, &error);
    return status == HL_OK ? HL_OK : fail(command, status, &error);
}

/* For what belongs to no command. */
static int print_all(void) {
    hl_error error;
    hl_status status = flush_output(&error);
    if (status != HL_OK) terminal_line(stderr, "headlight: %s", error.message);
    return (int)status;
}

static int run_main(int argc, char **argv) {
    if (argc < 2) {
        write_overview(stderr);
        return HL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0) {
        write_overview(stdout);
        return print_all();
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("headlight " HL_VERSION);
        return print_all();
    }
    const subcommand *command = find_command(argv[1]);
    if (!command) return unknown_command(argv[1]);
    int status = run_words(command, argc - 2, argv + 2);
    arguments_free(command);
    return status;
}

char **command_words;

int main(int argc, char **argv) {
    command_words = argv;
    if (!hold_standard_streams()) return HL_FAILED;
    ending_prepare(argc < 2 ? "" : argv[1]);
    return ending_return(run_main(argc, argv));
}
