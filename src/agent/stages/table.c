/* The table of stages: one row each. */
#include "agent/stages/stage.h"

static const struct stage_kind kinds[] = {
    {"docker", stage_docker_new},
    {"cri", stage_cri_new},
    {"regex", stage_regex_new},
    {"json", stage_json_new},
    {"logfmt", stage_logfmt_new},
    {"multiline", stage_multiline_new},
    {"pack", stage_pack_new},
    {"template", stage_template_new},
    {"replace", stage_replace_new},
    {"timestamp", stage_timestamp_new},
    {"output", stage_output_new},
    {"labels", stage_labels_new},
    {"labeldrop", stage_labeldrop_new},
    {"labelallow", stage_labelallow_new},
    {"static_labels", stage_static_labels_new},
    {"structured_metadata", stage_structured_metadata_new},
    {"non_indexed_labels", stage_structured_metadata_new},
    {"tenant", stage_tenant_new},
    {"match", stage_match_new},
    {"drop", stage_drop_new},
    {"limit", stage_limit_new},
    {"metrics", stage_metrics_new},
    {"sampling", stage_sampling_new},
    {"decolorize", stage_decolorize_new},
    {"eventlogmessage", stage_eventlogmessage_new},
};

const struct stage_kind *stage_kinds(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(kinds);
    return kinds;
}
