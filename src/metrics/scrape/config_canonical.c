/* A part of the configuration in one form, for comparing jobs. */
#include "metrics/scrape/config_int.h"

void config_canonical(struct buf *b, const struct yaml_node *n, const char *const *skip)
{
    if (n->kind == YAML_SCALAR) {
        buf_printf(b, "%zu:", n->text.n);
        buf_str(b, n->text);
        return;
    }
    buf_c(b, n->kind == YAML_MAP ? "{" : n->kind == YAML_LIST ? "[" : "~");
    for (const struct yaml_node *c = n->child; c; c = c->next) {
        bool skipped = false;
        for (size_t i = 0; skip && skip[i]; i++) {
            skipped |= str_eq_c(c->key, skip[i]);
        }
        if (!skipped) {
            buf_printf(b, "%.*s=", STR_FMT(c->key));
            config_canonical(b, c, NULL);
        }
    }
    buf_c(b, n->kind == YAML_MAP ? "}" : "]");
}
