/* What one template may ask of its machine. */
#ifndef CAIRN_GOLANG_LIMITS_H
#define CAIRN_GOLANG_LIMITS_H

enum {
    TMPL_DEPTH_MAX = 100,         /* of nested actions */
    TMPL_OUT_BYTES_MAX = 1 << 20, /* of a text that a function makes */
    TMPL_LOOPS_MAX = 100000,      /* steps of one execution: a range within a range over a long list */
    TMPL_REGEXES_MAX = 64         /* expressions kept compiled; patterns made from data begin anew */
};

#endif
