/* Labels of entries that do not come from files. */
#include "agent/inputs/input.h"

bool input_labels(const struct input_common *c, struct arena *a, struct label *extra, size_t n,
                  struct labels *ret_labels)
{
    struct label *all = arena_array(a, n + c->labels.n + 1, sizeof(*all));
    size_t count = 0;
    for (size_t i = 0; all && i < n; i++) {
        all[count++] = extra[i];
    }
    for (size_t i = 0; all && i < c->labels.n; i++) {
        bool taken = false;
        for (size_t k = 0; k < n; k++) {
            taken |= str_eq(extra[k].name, c->labels.l[i].name);
        }
        if (!taken) {
            all[count++] = c->labels.l[i];
        }
    }
    struct labels out;
    bool keep = false;
    if (!all || labels_normalise(all, &count, NULL) ||
        relabel(a, c->rules, c->rule_count, (struct labels){all, count}, &out, &keep) || !keep) {
        return false;
    }
    struct label *kept = arena_array(a, out.n + 1, sizeof(*kept));
    size_t m = 0;
    for (size_t i = 0; kept && i < out.n; i++) {
        if (!str_starts(out.l[i].name, STR("__")) || str_eq_c(out.l[i].name, "__tenant_id__")) {
            kept[m++] = out.l[i];
        }
    }
    *ret_labels = (struct labels){kept, m};
    return m > 0;
}
