/* Line filters as the source applies them: exact, on single lines. */
#include "logs/store/cursor_int.h"

static bool accepts(const struct log_line_filter *f, struct str line)
{
    switch (f->op) {
    case LOG_CONTAINS:
        return str_find(line, f->text, 0) != STR_NPOS;
    case LOG_NOT_CONTAINS:
        return str_find(line, f->text, 0) == STR_NPOS;
    case LOG_MATCHES:
        return regex_match(f->re, line);
    case LOG_NOT_MATCHES:
        return !regex_match(f->re, line);
    }
    return true;
}

bool filters_accept(const struct log_select *sel, struct str line)
{
    for (size_t i = 0; i < sel->filter_count; i++) {
        if (!accepts(&sel->filters[i], line)) {
            return false;
        }
    }
    return true;
}
