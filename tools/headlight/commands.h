/* The subcommands, one file each. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "tools/headlight/arguments.h"

extern const subcommand run_command, index_command, merge_command, verify_command, decompose_command,
    plugins_command, models_command, bench_command, check_plugin_command, new_command;

/* The command line, for one that starts itself again. */
extern char **command_words;

#endif
