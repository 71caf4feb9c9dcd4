/* What one LogQL query may ask of its machine. */
#ifndef CAIRN_LOGS_LOGQL_LIMITS_H
#define CAIRN_LOGS_LOGQL_LIMITS_H

enum {
    LOGQL_TEXT_BYTES_MAX = 131072, /* Loki's own limit */
    LOGQL_DEPTH_MAX = 400,         /* of nested parentheses and operators: bounds the stack */
    LOGQL_SERIES_MAX_DEFAULT = 500,
    LOGQL_LINE_BYTES_MAX = 1 << 20, /* of one formatted line */
    LOGQL_CHECK_EVERY = 1024        /* entries between two looks at deadline and cancellation */
};

#endif
