/* The table of metric types. A new type is one row here, one file with its functions, one value of enum
 * cairn_type. */
#include "types_int.h"

static size_t plain_size(const struct cairn_family *family)
{
    (void)family;
    return sizeof(struct cairn__series);
}

static void plain_init(struct cairn__series *series)
{
    (void)series; /* all zero is where it starts */
}

const struct cairn__type cairn__types[] = {
    [CAIRN_COUNTER] = {.text_name = "counter",
                       .openmetrics_name = "counter",
                       .size = cairn__counter_size,
                       .init = plain_init,
                       .done = cairn__counter_done,
                       .expose = cairn__counter_expose},
    [CAIRN_GAUGE] = {.text_name = "gauge",
                     .openmetrics_name = "gauge",
                     .size = cairn__gauge_size,
                     .init = plain_init,
                     .expose = cairn__gauge_expose},
    [CAIRN_HISTOGRAM] = {.text_name = "histogram",
                         .openmetrics_name = "histogram",
                         .size = cairn__histogram_size,
                         .init = cairn__histogram_init,
                         .done = cairn__histogram_done,
                         .expose = cairn__histogram_expose},
    [CAIRN_SUMMARY] = {.text_name = "summary",
                       .openmetrics_name = "summary",
                       .size = cairn__summary_size,
                       .init = cairn__summary_init,
                       .done = cairn__summary_done,
                       .expose = cairn__summary_expose},
    [CAIRN_INFO] = {.text_name = "gauge",
                    .openmetrics_name = "info",
                    .size = plain_size,
                    .init = plain_init,
                    .expose = cairn__info_expose},
    [CAIRN_STATESET] = {.text_name = "gauge",
                        .openmetrics_name = "stateset",
                        .size = cairn__stateset_size,
                        .init = plain_init,
                        .expose = cairn__stateset_expose},
    [CAIRN_UNKNOWN] = {.text_name = "untyped",
                       .openmetrics_name = "unknown",
                       .size = plain_size,
                       .init = plain_init,
                       .expose = cairn__info_expose},
};
