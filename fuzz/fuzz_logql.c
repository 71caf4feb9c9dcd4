/* DEPS logs/logql query golang labels codec base */
/* LogQL on hostile bytes: a query, a 0 byte, a line. Whatever parses prints, and runs over the line; the
 * line's fields are detected. Labels come out sorted by name. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "logs/logql/detect.h"
#include "logs/logql/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_labels(struct labels ls)
{
    for (size_t i = 1; i < ls.n; i++) {
        /* a key of a line may turn into __error__ beside the real one, as in Loki */
        ASSERT(str_cmp(ls.l[i - 1].name, ls.l[i].name) <= 0);
    }
}

static void run(struct str query, struct str line)
{
    struct label stream[] = {{STR("app"), STR("a")}, {STR("level"), STR("info")}};
    struct label metadata[] = {{STR("trace"), STR("t")}};
    struct labels s = {.l = stream, .n = ARRAY_LEN(stream)}, m = {.l = metadata, .n = ARRAY_LEN(metadata)};
    struct arena a AUTO_ARENA;
    struct logql_pipeline *p = NULL;
    const struct matcher *matchers;
    size_t n;
    struct str out;
    struct labels all, from_stream, from_metadata, from_text;
    arena_init(&a, 0, NULL);
    if (logql_pipeline_new(query, &p, &matchers, &n, NULL) != ERR_OK) {
        return;
    }
    for (int i = 0; i < 2; i++) { /* the second line must not see the first */
        if (logql_pipeline_run(p, &a, s, m, 1, line, &out, &all)) {
            check_labels(all);
            if (logql_pipeline_split(p, &a, &from_stream, &from_metadata, &from_text) == ERR_OK) {
                check_labels(from_stream);
                check_labels(from_metadata);
                check_labels(from_text);
            }
        }
    }
    logql_pipeline_free(p);
}

static void detect(struct str line)
{
    struct logql_detector *d;
    const struct detected_field *fields;
    size_t n;
    enum detected_parser parser;
    struct labels none = {0};
    if (logql_detector_new(NULL, &d) != ERR_OK) {
        return;
    }
    if (logql_detect(d, none, line, &fields, &n, &parser) == ERR_OK) {
        for (size_t i = 0; i < n; i++) {
            struct buf out AUTO_BUF = {0};
            ASSERT(logql_value_type(fields[i].value));
            (void)logql_value_bytes(fields[i].value, &out);
            (void)logql_value_is_id(fields[i].value);
        }
    }
    logql_detector_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - data) : size;
    struct str query = str_of((const char *)data, n);
    struct str line = zero ? str_of((const char *)zero + 1, size - n - 1) : STR("");
    struct buf text AUTO_BUF = {0};
    struct err_info info = {0};
    bool is_log = false;
    if (logql_is_log_query(query, &is_log, &info) == ERR_OK) {
        ASSERT(logql_format(query, &text, &info) == ERR_OK);
        if (is_log) {
            run(query, line);
        }
    } else {
        ASSERT(info.message[0]);
    }
    detect(line);
    return 0;
}
