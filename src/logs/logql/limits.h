/* What one LogQL query may ask of its machine. */
#ifndef CAIRN_LOGS_LOGQL_LIMITS_H
#define CAIRN_LOGS_LOGQL_LIMITS_H

enum {
    LOGQL_TEXT_BYTES_MAX = 131072, /* Loki's own limit */
    LOGQL_DEPTH_MAX = 400,         /* of nested parentheses and operators: bounds the stack */
    LOGQL_SERIES_MAX_DEFAULT = 500,
    LOGQL_CHECK_EVERY = 1024,     /* entries between two looks at deadline and cancellation */
    TMPL_DEPTH_MAX = 100,         /* of nested template actions */
    TMPL_OUT_BYTES_MAX = 1 << 20, /* of one formatted line */
    TMPL_LOOPS_MAX = 100000       /* of one execution */
};

#endif
