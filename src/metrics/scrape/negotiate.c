/* What a scrape asks for: the protocols of the job, best first. */
#include "metrics/scrape/scrape_int.h"

static const struct {
    const char *type;
    bool escaping;
} media[SCRAPE_PROTOCOL_COUNT] = {
    [SCRAPE_PROTO] =
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", false},
    [SCRAPE_OM_1_0_0] = {"application/openmetrics-text;version=1.0.0", true},
    [SCRAPE_OM_0_0_1] = {"application/openmetrics-text;version=0.0.1", false},
    [SCRAPE_TEXT_1_0_0] = {"text/plain;version=1.0.0", true},
    [SCRAPE_TEXT_0_0_4] = {"text/plain;version=0.0.4", false},
};

struct str scrape_accept(struct arena *a, const struct scrape_job *job, bool native_histograms)
{
    static const struct scrape_protocols usual = {
        {SCRAPE_OM_1_0_0, SCRAPE_OM_0_0_1, SCRAPE_TEXT_1_0_0, SCRAPE_TEXT_0_0_4}, 4};
    static const struct scrape_protocols native = {
        {SCRAPE_PROTO, SCRAPE_OM_1_0_0, SCRAPE_OM_0_0_1, SCRAPE_TEXT_1_0_0, SCRAPE_TEXT_0_0_4}, 5};
    const struct scrape_protocols *p = job->d.protocols.n  ? &job->d.protocols
                                       : native_histograms ? &native
                                                           : &usual;
    struct buf b AUTO_BUF = {0};
    unsigned weight = SCRAPE_PROTOCOL_COUNT + 1;
    for (size_t i = 0; i < p->n; i++) {
        buf_c(&b, media[p->order[i]].type);
        if (media[p->order[i]].escaping) {
            buf_printf(&b, ";escaping=%.*s", STR_FMT(job->d.escaping));
        }
        buf_printf(&b, ";q=0.%u,", weight--);
    }
    buf_printf(&b, "*/*;q=0.%u", weight);
    return b.err ? (struct str){0} : arena_str(a, buf_view(&b));
}
