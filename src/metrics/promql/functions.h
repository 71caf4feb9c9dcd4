/* The function table: names, argument types and implementations in one place. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_FUNCTIONS_H
#define CAIRN_METRICS_PROMQL_FUNCTIONS_H

#include "metrics/promql/ast.h"
#include "metrics/promql/eval.h"

enum {
    FUNCTION_ARGS_MAX = 12
};

struct function {
    const char *name;
    enum value_type result;
    enum value_type args[6]; /* the last one repeats when variadic; TYPE_NONE ends */
    int optional; /* trailing arguments that may be left out; -1: the last repeats any number of times */
    bool experimental, keeps_name;
    bool histograms; /* `range` takes histograms too */
    range_fn *range; /* of a range vector, window by window */
    call_fn *call;   /* of whole values */
    math_fn *math;   /* of one vector, sample by sample */
    const char *summary;
};

const struct function *function_find(struct str name);
const struct function *function_rows(size_t *ret_n);

#endif
