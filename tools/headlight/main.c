/* The command `headlight`: finds the subcommand, opens the library, prints what goes wrong. */
#include "tools/headlight/commands.h"
#include "tools/headlight/terminal.h"

#include "core/registry/suggest.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

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

static atomic_bool stopped; /* the user has asked for it */

/* The first signal asks whatever runs to stop. The second ends the program, whatever it does: its temporary
 * folders are left to the next command. */
static void stop(int number) {
    static atomic_flag asked = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&asked)) {
        atomic_store(&stopped, true);
        return;
    }
    signal(number, SIG_DFL);
    raise(number); /* which takes effect once this returns */
}

static bool is_stopped(void *user) {
    (void)user;
    return atomic_load(&stopped);
}

/* What is ignored from the start (nohup, a shell's background) stays ignored. */
static void stop_on_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction before, action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
        bool ignored = sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN;
        if (!ignored) sigaction(numbers[i], &action, NULL);
    }
}

/* A mapped file that shrinks or cannot be read is an error of that file; any other fault ends the program, as
 * it would have without this. */
static void absorb_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    int reason = errno;
    if (info->si_code <= 0 || !hl_library_absorb_fault(info->si_addr)) {
        signal(number, SIG_DFL);
        raise(number);
    }
    errno = reason;
}

static void handle_faults(void) {
    struct sigaction action = {.sa_sigaction = absorb_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
}

/* A full disk, a file size limit and a reader that went away are errors to report, not reasons to die. */
static void ignore_write_signals(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
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
    const hl_call call = {.size = sizeof call, .cancelled = is_stopped, .progress = terminal_progress};
    hl_library *library;
    hl_status status = hl_library_open(&settings, &library, error);
    if (status != HL_OK) return status;
    stop_on_signals();
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

int main(int argc, char **argv) {
    if (!hold_standard_streams()) return HL_FAILED;
    ignore_write_signals();
    handle_faults();
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
