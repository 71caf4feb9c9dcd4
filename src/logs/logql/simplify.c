#include "logs/logql/simplify.h"

enum simplify_kind simplify_regex(struct str pattern, bool is_label)
{
    (void)pattern;
    (void)is_label;
    return SIMPLIFY_NOT;
}
