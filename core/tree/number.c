/* Numbers as text: the fewest digits that read back, the same whatever the locale. */
#include "core/io/locale.h"
#include "core/tree/tree.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

/* The double with the fewest decimal digits that reads back as this float. Nine always suffice. */
static double shortest(float value) {
    char digits[NUMBER_ROOM];
    double decimal = (double)value;
    for (int precision = 6; precision <= 9; ++precision) {
        snprintf(digits, sizeof digits, "%.*g", precision, (double)value);
        decimal = strtod(digits, NULL);
        if ((float)decimal == value) break;
    }
    return decimal;
}

static void write_double(double value, char room[NUMBER_ROOM]) {
    for (int precision = 15; precision <= 17; ++precision) {
        snprintf(room, NUMBER_ROOM, "%.*g", precision, value);
        if (strtod(room, NULL) == value) break;
    }
    if (value == 0 && signbit(value)) strcpy(room, "-0.0"); /* "-0" is a whole number to many readers */
}

const char *number_text(const hl_node *number, char room[NUMBER_ROOM]) {
    if (number->text) return number->text;
    locale_t before = locale_enter();
    if (number->type == HL_WHOLE) {
        snprintf(room, NUMBER_ROOM, "%" PRId64, number->whole);
    } else {
        write_double(number->single ? shortest((float)number->number) : number->number, room);
    }
    locale_leave(before);
    return room;
}

double number_read(const char *text) {
    double value = strtod_l(text, NULL, locale_plain());
    if (isfinite(value)) return value;
    return value < 0 ? -DBL_MAX : DBL_MAX;
}
