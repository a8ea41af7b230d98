/* headlight plugins: what there is, and what one plugin takes. */
#include "tools/headlight/commands.h"
#include "tools/headlight/terminal.h"

static struct { const char *name; } wish;

static const argument table[] = {
    {"KIND/NAME", NULL, ARGUMENT_TEXT, .target = &wish.name,
     .help = "show this plugin's options; KIND/ may be left out where that is clear"},
    {.name = NULL},
};

static void write_missing(const hl_library *library, size_t index, const char *indent) {
    const char *operation = hl_plugin_missing(library, index, 0);
    if (!operation) return;
    printf("%sruns on reference: %s", indent, operation);
    for (size_t i = 1; (operation = hl_plugin_missing(library, index, i)); ++i) printf(", %s", operation);
    putchar('\n');
}

static void write_list(const hl_library *library) {
    const hl_plugin *plugin;
    for (size_t i = 0; (plugin = hl_plugin_at(library, i)); ++i) {
        terminal_line(stdout, "%s/%.64s %.64s  %s", hl_kind_name(plugin->kind), plugin->name, plugin->version,
                      plugin->summary);
        terminal_line(stdout, "    %s", hl_plugin_file(library, i));
        write_missing(library, i, "    ");
    }
    const char *broken;
    for (size_t i = 0; (broken = hl_plugin_broken(library, i)); ++i)
        terminal_line(stdout, "broken: %s", broken);
}

static hl_status show_plugins(hl_library *library, const hl_call *call, hl_error *error) {
    (void)call;
    if (!wish.name) {
        write_list(library);
        return HL_OK;
    }
    size_t index;
    hl_status status = hl_plugin_find(library, wish.name, &index, error);
    if (status == HL_OK) status = hl_plugin_document(library, index, stdout, error);
    if (status != HL_OK) return status;
    putchar('\n');
    terminal_line(stdout, "File: %s", hl_plugin_file(library, index));
    write_missing(library, index, "");
    return HL_OK;
}

const subcommand plugins_command = {"plugins",
                                    "list the plugins, or show one and its options",
                                    "Lists all plugins that were found, each with the file that it is in; or "
                                    "shows what one of them declares.",
                                    table,
                                    show_plugins,
                                    .makes_files = false};
