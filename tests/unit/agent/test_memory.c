/* Memory that runs out at every place in turn: an error, a failed receipt, or nothing noticed; never a crash
 * or a leak, and never a line settled as delivered that was not handed on. */
#include <stdio.h>

#include "agent/config.h"
#include "agent/inputs/glob.h"
#include "agent/inputs/positions.h"
#include "agent/outputs/batch.h"
#include "agent/stages/pipeline.h"
#include "base/mem.h"
#include "harness.h"

struct run {
    const char *yaml, *line;
    int handed_on, settled, failed;
};

static void count(void *ctx, struct entry *e)
{
    (void)e;
    ((struct run *)ctx)->handed_on++;
}

struct line_receipt {
    struct receipt base;
    struct run *run;
};

static void line_settled(struct receipt *base, bool ok)
{
    struct line_receipt *l = (struct line_receipt *)base;
    l->run->settled += ok;
    l->run->failed += !ok;
}

static enum err stages_once(void *ctx)
{
    struct run *r = ctx;
    struct arena a AUTO_ARENA;
    struct clock clock;
    const struct yaml_node *root;
    struct pipeline *p = NULL;
    struct label l[] = {{STR("job"), STR("j")}};
    struct line_receipt receipt = {.run = r};
    arena_init(&a, 0, NULL);
    clock_fake_init(&clock, NS_PER_S);
    struct pipeline_options o = {.job = STR("t"), .clock = &clock, .out = {count, r}};
    enum err e = yaml_parse(&a, str_c(r->yaml), "t", &root, NULL);
    e = e ? e : pipeline_new(&o, root, &p, NULL);
    if (e) {
        return e;
    }
    struct arena scratch AUTO_ARENA;
    struct entry entry;
    arena_init(&scratch, 0, NULL);
    r->handed_on = r->settled = r->failed = 0;
    receipt_init(&receipt.base, line_settled);
    entry_init(&entry, &scratch, (struct labels){l, 1}, 1, str_c(r->line), &receipt.base);
    if (entry.err) {
        receipt_fail(&receipt.base);
    } else {
        pipeline_put(p, &entry);
    }
    receipt_unref(&receipt.base);
    pipeline_flush(p);
    pipeline_free(p);
    if (r->settled + r->failed != 1 || (r->settled && !r->handed_on)) {
        test_fail(__FILE__, __LINE__, r->yaml);
    }
    return r->failed ? ERR_OOM : ERR_OK;
}

TEST(every_stage_survives_without_memory)
{
    struct run rows[] = {
        {.yaml = "- cri: {}", .line = "2019-05-07T18:57:50.1Z stdout F text"},
        {.yaml = "- cri: {}", .line = "2019-05-07T18:57:50.1Z stdout P part"},
        {.yaml = "- docker: {}",
         .line = "{\"log\":\"x\",\"stream\":\"stderr\",\"time\":\"2019-04-30T02:12:41Z\"}"},
        {.yaml = "- json: {expressions: {a: b.c, d: e}}\n- labels: {a: , d: }\n- output: {source: a}",
         .line = "{\"b\":{\"c\":[1,{\"x\":\"y\"}]},\"e\":1.5}"},
        {.yaml =
             "- regex: {expression: '(?P<x>\\w+) (?P<y>\\w+)'}\n- template: {source: x, template: "
             "'{{ range splitList \"a\" .y }}{{ . | upper }}{{ end }}{{ .x | b64enc }}'}\n- labels: {x: }",
         .line = "one banana"},
        {.yaml = "- replace: {expression: '(\\w+) (?P<z>\\w+)', replace: '<{{ .Value }}>'}",
         .line = "a b c d"},
        {.yaml = "- multiline: {firstline: '^S'}", .line = "S x"},
        {.yaml = "- pack: {labels: [job]}\n- decolorize: {}", .line = "\x1b[0mx"},
        {.yaml = "- logfmt: {mapping: {a: , b: }}\n- structured_metadata: {a: , b: }\n- tenant: {source: a}",
         .line = "a=1 b=\"x y\""},
        {.yaml = "- match: {selector: '{job=\"j\"} |= `x`', stages: [{static_labels: {a: b}}]}\n- limit: "
                 "{rate: 9, "
                 "burst: 9, drop: true, by_label_name: job}",
         .line = "x"},
        {.yaml = "- timestamp: {source: job, format: '2006-01-02', location: Europe/Berlin}", .line = "x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_fail_each(FAULT_ALLOC, stages_once, &rows[i]);
    }
}

static enum err positions_once(void *ctx)
{
    struct positions *p = NULL;
    struct positions_options o = {.path = ctx};
    struct position at = {.job = STR("j"), .path = STR("/l"), .offset = 5, .head_len = 3, .mark_len = 3};
    enum err e = positions_open(&o, &p, NULL);
    if (e) {
        return e;
    }
    positions_begin(p);
    positions_put_file(p, &at, true);
    positions_put_text(p, STR("cursor-x"), STR("c"));
    e = positions_commit(p, NULL);
    positions_close(p);
    return e;
}

TEST(the_positions_file_survives_without_memory_and_without_a_disk)
{
    char path[512];
    struct positions *p = NULL;
    struct positions_options o = {.path = path};
    (void)snprintf(path, sizeof(path), "%s/memory.yaml", test_dir());
    test_fail_each(FAULT_ALLOC, positions_once, path);
    test_fail_each(FAULT_DISK, positions_once, path);
    CHECK_OK(positions_open(&o, &p, NULL));
    CHECK_STR(positions_text(p, STR("/l")), "5");
    positions_close(p);
}

static enum err batch_once(void *ctx)
{
    struct arena a AUTO_ARENA;
    struct batch *b = NULL, *second = NULL;
    struct buf out AUTO_BUF = {0};
    struct log_push push;
    (void)ctx;
    arena_init(&a, 0, NULL);
    enum err e = batch_new(&b);
    if (e) {
        return e;
    }
    for (int i = 0; i < 100 && !e; i++) {
        struct label l[] = {{STR("job"), i % 2 ? STR("a") : STR("b")}};
        struct entry entry;
        entry_init(&entry, &a, (struct labels){l, 1}, i, STR("line"), NULL);
        entry_metadata_set(&entry, STR("k"), STR("v"));
        e = entry.err ? entry.err : batch_add(b, &entry, entry.line, (struct labels){l, 1});
    }
    e = e ? e : batch_view(b, STR("t"), &push);
    e = e ? e : batch_encode(b, &out);
    e = e ? e : batch_split(b, &second);
    batch_free(b, true);
    batch_free(second, true);
    return e;
}

TEST(batches_survive_without_memory)
{
    test_fail_each(FAULT_ALLOC, batch_once, NULL);
}

static enum err config_once(void *ctx)
{
    struct agent_flags flags = {.client_url = STR("http://b/push"), .client_external_labels = STR("x=y")};
    struct agent_config *c = NULL;
    (void)ctx;
    enum err e = agent_config_load(
        &flags,
        STR("clients:\n- {url: 'http://a/push', external_labels: {c: d}, headers: {X-A: b}, basic_auth: "
            "{username: u}}\n"
            "scrape_configs:\n- job_name: f\n  relabel_configs: [{source_labels: [a], target_label: b, "
            "regex: '(x+)'}]\n"
            "  static_configs: [{targets: [localhost], labels: {a: xx, __path__: '/l/{a,b}*.log'}}]\n"
            "- job_name: s\n  syslog: {listen_address: ':0', labels: {job: s}}\n"),
        &c, NULL);
    if (!e) {
        agent_config_free(c);
    }
    return e;
}

TEST(the_configuration_survives_without_memory)
{
    test_fail_each(FAULT_ALLOC, config_once, NULL);
}

static enum err glob_once(void *ctx)
{
    struct arena a AUTO_ARENA;
    struct glob g;
    (void)ctx;
    arena_init(&a, 0, NULL);
    return glob_new(&a, STR("/a/{b,c{d,e}}/*"), &g, NULL);
}

TEST(globs_survive_without_memory)
{
    test_fail_each(FAULT_ALLOC, glob_once, NULL);
}
