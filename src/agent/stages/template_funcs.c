/* The functions templates may call: Go's own, Promtail's, and the common ones of sprig. To add one: a
 * function and a row in one of the files below. */
#include "agent/stages/template_int.h"

const struct tfunc_row *tfunc_find(struct str name)
{
    static const struct tfunc_row *(*const files[])(size_t *) = {tfuncs_text, tfuncs_value, tfuncs_print};
    for (size_t f = 0; f < ARRAY_LEN(files); f++) {
        size_t n;
        const struct tfunc_row *rows = files[f](&n);
        for (size_t i = 0; i < n; i++) {
            if (str_eq_c(name, rows[i].name)) {
                return &rows[i];
            }
        }
    }
    return NULL;
}
