/* Within Go's time: what a compiled layout is made of. */
#ifndef CAIRN_GOLANG_GO_TIME_INT_H
#define CAIRN_GOLANG_GO_TIME_INT_H

#include "golang/go_time.h"

enum element_kind {
    EL_TEXT = 0,
    EL_LONG_MONTH,
    EL_MONTH,
    EL_NUM_MONTH,
    EL_ZERO_MONTH,
    EL_LONG_WEEKDAY,
    EL_WEEKDAY,
    EL_DAY,
    EL_UNDER_DAY,
    EL_ZERO_DAY,
    EL_UNDER_YEARDAY,
    EL_ZERO_YEARDAY,
    EL_HOUR,
    EL_HOUR12,
    EL_ZERO_HOUR12,
    EL_MINUTE,
    EL_ZERO_MINUTE,
    EL_SECOND,
    EL_ZERO_SECOND,
    EL_LONG_YEAR,
    EL_YEAR,
    EL_PM,
    EL_PM_LOWER,
    EL_ZONE,
    EL_OFFSET,    /* -07 with `parts` and colon; Z instead of +00 when `z` */
    EL_FRACTION0, /* .000: exactly n digits */
    EL_FRACTION9  /* .999: up to any number, none too */
};

struct go_element {
    enum element_kind kind;
    struct str text;  /* EL_TEXT */
    uint8_t parts, n; /* offset: 1..3; fraction: digits */
    bool colon, z;    /* offset */
    char mark;        /* fraction: '.' or ',' */
};

struct go_layout {
    struct go_element *e;
    size_t n;
};

static inline bool go_digit(char c)
{
    return c >= '0' && c <= '9';
}

#endif
