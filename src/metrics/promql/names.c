/* The names of the language's functions, for those who list them. */
#include "metrics/promql/engine.h"
#include "metrics/promql/functions.h"

const char *promql_function_name(size_t i, bool *ret_experimental)
{
    size_t n = 0;
    const struct function *rows = function_rows(&n);
    if (i >= n) {
        return NULL;
    }
    *ret_experimental = rows[i].experimental;
    return rows[i].name;
}
