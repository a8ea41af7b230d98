/* The command `headlight`: finds the subcommand, opens the library, prints what goes wrong. */
#include "tools/headlight/commands.h"
#include "tools/headlight/terminal.h"

#include "core/registry/suggest.h"
#include <errno.h>
#include <signal.h>
#include <string.h>

static const subcommand *const commands[] = {&run_command,    &index_command,     &merge_command,
                                             &verify_command, &decompose_command, &plugins_command,
                                             &bench_command};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void write_overview(FILE *out) {
    fputs("usage: headlight COMMAND [ARGUMENTS]\n\n"
          "headlight shows what each attention head of a CLIP-like model does.\n\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; ++i) {
        fprintf(out, "  %-12s%s\n", commands[i]->name, commands[i]->summary);
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

/* ---- Signals ---- */

static hl_library *running;

static void cancel(int number) {
    (void)number;
    hl_library_cancel(running);
}

/* A full disk, a file size limit and a reader that went away are errors to report, not reasons to die. */
static void ignore_write_signals(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

static void cancel_on_signals(hl_library *library) {
    struct sigaction action = {.sa_handler = cancel, .sa_flags = SA_RESTART};
    running = library;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- Running a command ---- */

static int fail(const subcommand *command, hl_status status, const hl_error *error) {
    terminal_clear();
    terminal_line(stderr, "headlight %s: %s", command->name, error->message);
    return (int)status;
}

static hl_status flush_output(hl_error *error) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return HL_OK;
    return hl_fail(error, HL_FAILED, "stdout cannot be written: %s", strerror(errno));
}

static hl_status run_command_in_library(const subcommand *command, hl_error *error) {
    hl_library_settings settings = {
        .plugin_folders = common.plugin_folders.items,
        .plugin_folder_count = common.plugin_folders.count,
        .log = terminal_log,
        .progress = terminal_progress,
    };
    hl_library *library;
    hl_status status = hl_library_open(&settings, &library, error);
    if (status != HL_OK) return status;
    cancel_on_signals(library);
    status = command->run(library, error);
    terminal_clear();
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    hl_library_close(library);
    return status;
}

static int run_words(const subcommand *command, int count, char **words) {
    hl_error error;
    hl_status status = arguments_parse(command, count, words, &error);
    if (status != HL_OK) {
        fail(command, status, &error);
        fputc('\n', stderr);
        arguments_help(command, stderr);
        return (int)status;
    }
    terminal_open(common.quiet);
    if (common.help) {
        arguments_help(command, stdout);
    } else {
        status = run_command_in_library(command, &error);
    }
    if (status == HL_OK) status = flush_output(&error);
    return status == HL_OK ? HL_OK : fail(command, status, &error);
}

int main(int argc, char **argv) {
    ignore_write_signals();
    if (argc < 2) {
        write_overview(stderr);
        return HL_USAGE;
    }
    hl_error error;
    if (strcmp(argv[1], "--help") == 0) {
        write_overview(stdout);
        return (int)flush_output(&error);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("headlight " HL_VERSION);
        return (int)flush_output(&error);
    }
    const subcommand *command = find_command(argv[1]);
    if (!command) return unknown_command(argv[1]);
    int status = run_words(command, argc - 2, argv + 2);
    arguments_free(command);
    return status;
}
