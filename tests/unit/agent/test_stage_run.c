/* The runner itself, shared by the tests of the stages. */
#include "stage_run.h"

#include <stdio.h>

#include "base/mem.h"
#include "harness.h"

static void put(void *ctx, struct entry *e)
{
    struct stage_run *r = ctx;
    if (r->with_time) {
        buf_printf(&r->out, "@%lld ", (long long)e->ts);
    }
    labels_format_loki(&r->out, entry_labels(e));
    for (size_t i = 0; i < e->metadata_count; i++) {
        buf_printf(&r->out, " [%.*s=%.*s]", STR_FMT(e->metadata[i].name), STR_FMT(e->metadata[i].value));
    }
    buf_printf(&r->out, " %.*s\n", STR_FMT(e->line));
}

bool stage_run_init(struct stage_run *r, const char *yaml)
{
    struct err_info info = {0};
    const struct yaml_node *root;
    *r = (struct stage_run){0};
    arena_init(&r->arena, 0, NULL);
    clock_fake_init(&r->clock, STAGE_RUN_NOW);
    if (agent_metrics_init(&r->metrics) || yaml_parse(&r->arena, str_c(yaml), "test", &root, &info)) {
        buf_printf(&r->out, "%s", info.message);
        return false;
    }
    struct pipeline_options o = {
        .job = STR("test"), .metrics = &r->metrics, .clock = &r->clock, .out = {put, r}};
    if (pipeline_new(&o, root, &r->pipeline, &info)) {
        buf_printf(&r->out, "%u:%u: %s", info.line, info.col, info.message);
        return false;
    }
    return true;
}

struct line_receipt {
    struct receipt base;
    struct stage_run *run;
};

static void line_settled(struct receipt *base, bool ok)
{
    struct line_receipt *l = (struct line_receipt *)base;
    l->run->settled += ok;
    l->run->failed += !ok;
    mem_free(l);
}

void stage_run_line(struct stage_run *r, const char *labels, const char *line)
{
    struct label l[16];
    size_t n = 0;
    struct str rest = str_c(labels);
    while (rest.p && rest.n && n < ARRAY_LEN(l)) {
        struct str value = str_cut(&rest, ','), name = str_cut(&value, '=');
        l[n++] = (struct label){name, value};
    }
    struct line_receipt *receipt = mem_zalloc(sizeof(*receipt));
    if (!receipt || labels_normalise(l, &n, NULL)) {
        test_fail(__FILE__, __LINE__, "labels of the test");
        mem_free(receipt);
        return;
    }
    receipt_init(&receipt->base, line_settled);
    receipt->run = r;
    struct arena a AUTO_ARENA;
    struct entry e;
    arena_init(&a, 0, NULL);
    entry_init(&e, &a, (struct labels){l, n}, clock_wall_ns(&r->clock), str_c(line), &receipt->base);
    pipeline_put(r->pipeline, &e);
    receipt_unref(&receipt->base);
}

void stage_run_done(struct stage_run *r)
{
    pipeline_free(r->pipeline);
    agent_metrics_done(&r->metrics);
    buf_done(&r->out);
    arena_done(&r->arena);
}

static struct str keep(struct str s)
{
    static char text[8192];
    (void)snprintf(text, sizeof(text), "%.*s", STR_FMT(s));
    return str_c(text);
}

static struct str once(const char *yaml, const char *labels, const char *line, bool with_time)
{
    struct stage_run r;
    if (stage_run_init(&r, yaml)) {
        r.with_time = with_time;
        stage_run_line(&r, labels, line);
        pipeline_flush(r.pipeline);
    }
    struct str out = keep(buf_view(&r.out));
    stage_run_done(&r);
    return out;
}

struct str stage_run_once(const char *yaml, const char *labels, const char *line)
{
    return once(yaml, labels, line, false);
}

struct str stage_run_time(const char *yaml, const char *line)
{
    return once(yaml, "", line, true);
}

struct str stage_refusal(const char *yaml)
{
    struct stage_run r;
    struct str out = stage_run_init(&r, yaml) ? STR("accepted") : keep(buf_view(&r.out));
    stage_run_done(&r);
    return out;
}

TEST(no_stages_change_nothing)
{
    CHECK_STR(stage_run_once("[]", "a=1,b=2", "x"), "{a=\"1\", b=\"2\"} x\n");
}

TEST(a_stage_nobody_knows_is_refused_with_the_nearest)
{
    CHECK_STR(stage_refusal("- jason: {expressions: {a: b}}"),
              "1:3: invalid stage type: jason (did you mean \"json\"?)");
    CHECK_STR(stage_refusal("- {json: {expressions: {a: b}}, regex: {}}"),
              "1:3: a pipeline stage must have exactly one key, its name");
}
