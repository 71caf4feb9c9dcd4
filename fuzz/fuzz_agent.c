/* DEPS agent/stages agent/inputs agent/model net disk codec golang labels client base */
/* What the agent parses from outside: the first byte picks the parser, the rest is its input. */
#include "agent/inputs/glob.h"
#include "agent/inputs/syslog.h"
#include "agent/stages/go_time.h"
#include "agent/stages/jmespath.h"
#include "agent/stages/pipeline.h"
#include "agent/stages/selector.h"
#include "agent/stages/template.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input up to a NUL, and what is behind it. */
static struct str halves(struct str s, struct str *ret_rest)
{
    size_t at = str_find_char(s, '\0', 0);
    *ret_rest = at == STR_NPOS ? STR("") : str_slice(s, at + 1, s.n);
    return at == STR_NPOS ? s : str_slice(s, 0, at);
}

static void fuzz_template(struct arena *a, struct str s)
{
    struct str line, text = halves(s, &line);
    struct template *t;
    struct entry e;
    struct buf out AUTO_BUF = {.size_bytes_max = 1 << 16};
    struct label l[] = {{STR("a"), STR("x y")}, {STR("n"), STR("42")}};
    if (template_new(a, text, &t, NULL)) {
        return;
    }
    entry_init(&e, a, (struct labels){l, 2}, 0, line, NULL);
    entry_seed(&e);
    struct template_data data = {.entry = &e, .value = line, .line = line};
    (void)template_run(t, a, &data, &out);
    template_free(t);
}

static void fuzz_time(struct arena *a, struct str s)
{
    struct str text, layout = halves(s, &text);
    const struct go_layout *l;
    struct go_time t;
    struct buf out AUTO_BUF = {.size_bytes_max = 1 << 16};
    if (go_layout_new(a, layout, &l)) {
        return;
    }
    if (go_time_parse(l, text, NULL, &t) == ERR_OK) {
        go_time_format(l, go_time_ns(&t, NULL), NULL, &out);
    }
}

static void swallow(void *ctx, struct entry *e)
{
    (void)ctx;
    (void)e;
}

static void fuzz_stages(struct arena *a, struct str s)
{
    struct str line, yaml = halves(s, &line);
    const struct yaml_node *root;
    struct pipeline *p;
    struct entry e;
    struct clock clock;
    clock_fake_init(&clock, 0);
    struct pipeline_options o = {.job = STR("fuzz"), .clock = &clock, .out = {swallow, NULL}};
    if (str_find(yaml, STR("limit"), 0) != STR_NPOS || yaml_parse(a, yaml, "fuzz", &root, NULL) ||
        pipeline_new(&o, root, &p, NULL)) {
        return; /* limit would wait for a clock that does not move */
    }
    entry_init(&e, a, (struct labels){0}, 0, line, NULL);
    pipeline_put(p, &e);
    pipeline_flush(p);
    pipeline_free(p);
}

static void fuzz_small(struct arena *a, struct str s, unsigned which)
{
    struct str text, pattern = halves(s, &text);
    struct selector *selector;
    const struct jmespath *path;
    const struct json_value *value;
    struct syslog_message m;
    struct glob g;
    if (which == 0 && selector_new(a, pattern, &selector, NULL) == ERR_OK) {
        (void)selector_matches(selector, (struct labels){0}, text);
        selector_free(selector);
    } else if (which == 1 && jmespath_new(a, pattern, &path, NULL) == ERR_OK &&
               json_parse(a, text, &value, NULL) == ERR_OK) {
        (void)jmespath_find(path, value);
    } else if (which == 2 && glob_new(a, pattern, &g, NULL) == ERR_OK && pattern.n < 64 && text.n < 64) {
        (void)glob_match(&g, text);
    } else if (which >= 3) {
        enum err e = syslog_parse(a, s, which == 4, 0, &m);
        (void)e;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a AUTO_ARENA;
    if (size == 0) {
        return 0;
    }
    log_configure(LVL_ERROR, LOG_LOGFMT, -1);
    struct str s = str_of((const char *)data + 1, size - 1);
    arena_init(&a, 64 << 20, NULL);
    switch (data[0] % 8) {
    case 0:
        fuzz_template(&a, s);
        break;
    case 1:
        fuzz_time(&a, s);
        break;
    case 2:
        fuzz_stages(&a, s);
        break;
    default:
        fuzz_small(&a, s, (unsigned)data[0] % 8 - 3);
        break;
    }
    return 0;
}
