/* The function table: names, argument types and implementations in one place. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_FUNCTIONS_H
#define CAIRN_METRICS_PROMQL_FUNCTIONS_H

#include "metrics/promql/ast.h"
#include "metrics/promql/eval.h"

struct function {
    const char *name;
    enum value_type result;
    enum value_type args[6]; /* the last one repeats when variadic; TYPE_NONE ends */
    int optional; /* how often the last argument may be given, less one; -1: any number of times; 0: exactly
                     once */
    bool experimental, keeps_name;
    bool histograms;         /* `range` takes histograms too */
    bool reads_clock;        /* the result differs from step to step even when the arguments do not */
    bool anchored, smoothed; /* may be used with such ranges */
    bool wants_counter;      /* the metric's name should say that it is one */
    bool uses_start_times;
    range_fn *range; /* of a range vector, window by window */
    call_fn *call;   /* of whole values */
    math_fn *math;   /* of one vector, sample by sample */
    const char *summary;
};

const struct function *function_find(struct str name);
const struct function *function_rows(size_t *ret_n);

#endif
