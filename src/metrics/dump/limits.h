/* Every limit of text dumps, with its reason. */
#ifndef CAIRN_METRICS_DUMP_LIMITS_H
#define CAIRN_METRICS_DUMP_LIMITS_H

enum {
    DUMP_WINDOW_BYTES = 1 << 20,   /* of text parsed at a time: large beside a line, small beside memory */
    DUMP_LINE_BYTES_MAX = 1 << 24, /* longer lines are no exposition: the store takes labels of 64 KiB */
    DUMP_RAW_BYTES = 256 << 10,    /* of the file, read at a time */
    DUMP_SIDE_MAX = 1024           /* exemplars and metadata that wait for the store */
};

#endif
