/* The table of stages: one row each. */
#include "agent/stages/stage.h"

static const struct stage_kind kinds[] = {
    {"output", stage_output_new},
    {"labels", stage_labels_new},
    {"labeldrop", stage_labeldrop_new},
    {"labelallow", stage_labelallow_new},
    {"static_labels", stage_static_labels_new},
    {"structured_metadata", stage_structured_metadata_new},
    {"non_indexed_labels", stage_structured_metadata_new},
    {"tenant", stage_tenant_new},
    {"regex", stage_regex_new},
};

const struct stage_kind *stage_kinds(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(kinds);
    return kinds;
}
