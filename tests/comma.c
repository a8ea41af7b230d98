#include "tests/comma.h"
#include "tests/support.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

bool comma_set(const char *folder) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "nl_NL.UTF-8"};
    for (size_t i = 0; i < COUNT(names); ++i) {
        if (setlocale(LC_ALL, names[i]) && comma_is_set()) return true;
    }
    char *place = text("%s/de_DE.UTF-8", folder);
    const char *command[] = {"localedef", "-i", "de_DE", "-f", "UTF-8", place, NULL};
    int status = run_program(command, NULL, NULL);
    free(place);
    if (status != 0 || setenv("LOCPATH", folder, 1) != 0) return false;
    return setlocale(LC_ALL, "de_DE.UTF-8") && comma_is_set();
}

void comma_unset(void) {
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
}

bool comma_is_set(void) {
    char said[16];
    snprintf(said, sizeof said, "%.1f", 1.5);
    return strcmp(said, "1,5") == 0;
}
