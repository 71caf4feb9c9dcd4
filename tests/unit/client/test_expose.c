/* Exposition of libcairn: the exact bytes of each format, and which format an Accept header gets. */
#include "harness.h"

#include "client_int.h"

#include <stdio.h>
#include <stdlib.h>

static char *render(struct cairn_registry *registry, enum cairn_exposition exposition,
                    enum cairn_escaping escaping)
{
    char *text = NULL;
    size_t size = 0;
    struct cairn_format format = {.exposition = exposition, .escaping = escaping};
    if (cairn_registry_render(registry, format, &text, &size) != CAIRN_OK) {
        return NULL;
    }
    return text;
}

static struct cairn_registry *registry_of(const struct cairn_family_options *options,
                                          struct cairn_family **ret_family)
{
    struct cairn_registry *registry = NULL;
    if (cairn_registry_new(&registry) != CAIRN_OK ||
        cairn_family_new(registry, options, ret_family) != CAIRN_OK) {
        abort();
    }
    return registry;
}

#define CHECK_RENDERED(registry, exposition, escaping, want)                     \
    do {                                                                         \
        char *text_ = render(registry, exposition, escaping);                    \
        struct str shown_ = str_c(text_ != NULL ? text_ : "(null)");             \
        bool same_ = str_eq(shown_, str_c(want));                                \
        if (!same_) {                                                            \
            test_fail_str(__FILE__, __LINE__, #exposition, shown_, str_c(want)); \
        }                                                                        \
        free(text_);                                                             \
        if (!same_) {                                                            \
            return;                                                              \
        }                                                                        \
    } while (0)

TEST(counter_with_total_in_both_formats)
{
    struct cairn_family *family;
    struct cairn_registry *registry = registry_of(&(struct cairn_family_options){.name = "jobs_seconds_total",
                                                                                 .help = "a \"b\"\nc\\d",
                                                                                 .unit = "seconds"},
                                                  &family);
    cairn_counter_add(cairn_counter(family, NULL), 1.5);
    CHECK_RENDERED(registry, CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES,
                   "# HELP jobs_seconds_total a \"b\"\\nc\\\\d\n# TYPE jobs_seconds_total counter\n"
                   "jobs_seconds_total 1.5\n");
    CHECK_RENDERED(
        registry, CAIRN_OPENMETRICS_1_0_0, CAIRN_ESCAPE_UNDERSCORES,
        "# HELP jobs_seconds a \\\"b\\\"\\nc\\\\d\n# TYPE jobs_seconds counter\n# UNIT jobs_seconds seconds\n"
        "jobs_seconds_total 1.5\n# EOF\n");
    cairn_registry_free(registry);
}

TEST(counter_without_total_keeps_its_name)
{
    static const char *const labels[] = {"path"};
    struct cairn_family *family;
    struct cairn_registry *registry = registry_of(
        &(struct cairn_family_options){
            .name = "flask_app_request_count", .help = "Requests.", .label_names = labels, .label_count = 1},
        &family);
    cairn_counter_inc(cairn_counter(family, (const char *const[]){"a\\b\"c\nd"}));
    CHECK_RENDERED(registry, CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES,
                   "# HELP flask_app_request_count Requests.\n# TYPE flask_app_request_count counter\n"
                   "flask_app_request_count{path=\"a\\\\b\\\"c\\nd\"} 1\n");
    CHECK_RENDERED(registry, CAIRN_OPENMETRICS_1_0_0, CAIRN_ESCAPE_UNDERSCORES,
                   "# HELP flask_app_request_count Requests.\n# TYPE flask_app_request_count unknown\n"
                   "flask_app_request_count{path=\"a\\\\b\\\"c\\nd\"} 1\n# EOF\n");
    cairn_registry_free(registry);
}

TEST(info_and_stateset)
{
    static const char *const labels[] = {"version"};
    static const char *const states[] = {"idle", "busy"};
    struct cairn_family *info;
    struct cairn_family *stateset;
    struct cairn_registry *registry = registry_of(
        &(struct cairn_family_options){
            .type = CAIRN_INFO, .name = "app_info", .help = "", .label_names = labels, .label_count = 1},
        &info);
    CHECK_EQ(
        cairn_family_new(
            registry,
            &(struct cairn_family_options){
                .type = CAIRN_STATESET, .name = "app_state", .help = "", .states = states, .state_count = 2},
            &stateset),
        CAIRN_OK);
    CHECK(cairn_info(info, (const char *const[]){"1.0"}));
    cairn_stateset_set(cairn_stateset(stateset, NULL), 0, true);
    cairn_stateset_only(cairn_stateset(stateset, NULL), 1);
    cairn_stateset_set(cairn_stateset(stateset, NULL), 64, true);
    CHECK_RENDERED(registry, CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES,
                   "# TYPE app_info gauge\napp_info{version=\"1.0\"} 1\n# TYPE app_state gauge\n"
                   "app_state{app_state=\"idle\"} 0\napp_state{app_state=\"busy\"} 1\n");
    CHECK_RENDERED(registry, CAIRN_OPENMETRICS_1_0_0, CAIRN_ESCAPE_UNDERSCORES,
                   "# TYPE app info\napp_info{version=\"1.0\"} 1\n# TYPE app_state stateset\n"
                   "app_state{app_state=\"idle\"} 0\napp_state{app_state=\"busy\"} 1\n# EOF\n");
    cairn_registry_free(registry);
}

TEST(exemplars_and_created_are_openmetrics_only)
{
    static const double bounds[] = {1};
    struct cairn_family *family;
    cairn__clock_override(INT64_C(1700000000500000000));
    struct cairn_registry *registry = registry_of(
        &(struct cairn_family_options){
            .type = CAIRN_HISTOGRAM, .name = "h", .help = "", .bounds = bounds, .bound_count = 1},
        &family);
    struct cairn_label trace = {"trace_id", "a\"b"};
    enum cairn_err kept = cairn_histogram_observe_exemplar(cairn_histogram(family, NULL), 0.5, &trace, 1);
    cairn__clock_override(0);
    CHECK_EQ(kept, CAIRN_OK);
    CHECK_RENDERED(
        registry, CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES,
        "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 0.5\nh_count 1\n");
    cairn_registry_created(registry, true);
    CHECK_RENDERED(registry, CAIRN_OPENMETRICS_1_0_0, CAIRN_ESCAPE_UNDERSCORES,
                   "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1 # {trace_id=\"a\\\"b\"} 0.5 1700000000.5\n"
                   "h_bucket{le=\"+Inf\"} 1\nh_sum 0.5\nh_count 1\nh_created 1700000000.5\n# EOF\n");
    cairn_registry_free(registry);
}

TEST(exemplar_past_the_standards_limit_is_refused_and_the_value_counted)
{
    struct cairn_family *family;
    struct cairn_registry *registry =
        registry_of(&(struct cairn_family_options){.name = "c_total", .help = ""}, &family);
    struct cairn_counter *counter = cairn_counter(family, NULL);
    char value[CAIRN_EXEMPLAR_RUNES_MAX + 1] = {0};
    memset(value, 'x', CAIRN_EXEMPLAR_RUNES_MAX - 1);
    struct cairn_label fits = {"a", value};
    CHECK_EQ(cairn_counter_add_exemplar(counter, 1, &fits, 1), CAIRN_OK);
    value[CAIRN_EXEMPLAR_RUNES_MAX - 1] = 'x';
    CHECK_EQ(cairn_counter_add_exemplar(counter, 1, &fits, 1), CAIRN_ERR_LIMIT);
    struct cairn_label bad = {"a b", "x"};
    CHECK_EQ(cairn_counter_add_exemplar(counter, 1, &bad, 1), CAIRN_ERR_INVALID);
    CHECK(cairn_counter_value(counter) == 3);
    cairn_registry_free(registry);
}

TEST(names_outside_the_old_alphabet_are_escaped_or_quoted)
{
    static const char *const labels[] = {"http.method"};
    struct cairn_family *family;
    struct cairn_registry *registry =
        registry_of(&(struct cairn_family_options){.type = CAIRN_SUMMARY,
                                                   .name = "my.req_time\xc2\xb5",
                                                   .help = "",
                                                   .label_names = labels,
                                                   .label_count = 1},
                    &family);
    cairn_summary_observe(cairn_summary(family, (const char *const[]){"GET"}), 2);
    CHECK_RENDERED(registry, CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES,
                   "# TYPE my_req_time_ summary\nmy_req_time__sum{http_method=\"GET\"} 2\n"
                   "my_req_time__count{http_method=\"GET\"} 1\n");
    CHECK_RENDERED(registry, CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_DOTS,
                   "# TYPE my_dot_req__time__ summary\nmy_dot_req__time___sum{http_dot_method=\"GET\"} 2\n"
                   "my_dot_req__time___count{http_dot_method=\"GET\"} 1\n");
    CHECK_RENDERED(
        registry, CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_VALUES,
        "# TYPE U__my_2e_req__time_b5_ summary\nU__my_2e_req__time_b5__sum{U__http_2e_method=\"GET\"} 2\n"
        "U__my_2e_req__time_b5__count{U__http_2e_method=\"GET\"} 1\n");
    CHECK_RENDERED(
        registry, CAIRN_TEXT_1_0_0, CAIRN_ESCAPE_ALLOW_UTF8,
        "# TYPE \"my.req_time\xc2\xb5\" summary\n{\"my.req_time\xc2\xb5_sum\",\"http.method\"=\"GET\"} 2\n"
        "{\"my.req_time\xc2\xb5_count\",\"http.method\"=\"GET\"} 1\n");
    cairn_registry_free(registry);
}

static void three_values(struct cairn_emit *emit, void *context)
{
    static const char *const shards[] = {"a", "b", "\xff"};
    for (size_t i = 0; i < 3; i++) {
        cairn_emit(emit, &shards[i], *(const double *)context + (double)i);
    }
}

TEST(callback_values_are_read_at_exposition_and_checked)
{
    static const char *const labels[] = {"shard"};
    double value = 1;
    struct cairn_family *family;
    struct cairn_registry *registry = registry_of(&(struct cairn_family_options){.type = CAIRN_UNKNOWN,
                                                                                 .name = "depth",
                                                                                 .help = "",
                                                                                 .label_names = labels,
                                                                                 .label_count = 1,
                                                                                 .collect = three_values,
                                                                                 .collect_context = &value},
                                                  &family);
    value = 7;
    CHECK_RENDERED(registry, CAIRN_OPENMETRICS_1_0_0, CAIRN_ESCAPE_UNDERSCORES,
                   "# TYPE depth unknown\ndepth{shard=\"a\"} 7\ndepth{shard=\"b\"} 8\n# EOF\n");
    CHECK_EQ(cairn_family_refused(family), 1);
    CHECK_RENDERED(
        registry, CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES,
        "# HELP cairn_client_series_refused_total Requests for a new series that its family refused.\n"
        "# TYPE cairn_client_series_refused_total counter\n"
        "cairn_client_series_refused_total{family=\"depth\"} 1\n"
        "# TYPE depth untyped\ndepth{shard=\"a\"} 7\ndepth{shard=\"b\"} 8\n");
    cairn_registry_free(registry);
}

static bool refuse_second(void *context, const char *data, size_t size)
{
    (void)data;
    (void)size;
    return ++*(int *)context < 2;
}

TEST(writer_that_fails_stops_the_exposition)
{
    static const char *const labels[] = {"id"};
    struct cairn_family *family;
    struct cairn_registry *registry = registry_of(
        &(struct cairn_family_options){
            .name = "c_total", .help = "", .label_names = labels, .label_count = 1},
        &family);
    for (int i = 0; i < 900; i++) {
        char id[128];
        (void)snprintf(id, sizeof id, "%0100d", i);
        cairn_counter_inc(cairn_counter(family, (const char *const[]){id}));
    }
    int calls = 0;
    enum cairn_err err = cairn_registry_write(registry, (struct cairn_format){0}, refuse_second, &calls);
    cairn_registry_free(registry);
    CHECK_EQ(err, CAIRN_ERR_IO);
    CHECK_EQ(calls, 2);
}

TEST(accept_headers)
{
    static const struct {
        const char *accept;
        enum cairn_exposition exposition;
        enum cairn_escaping escaping;
    } rows[] = {
        {NULL, CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES},
        {"", CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES},
        {"*/*", CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES},
        {"text/html, application/json", CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES},
        {"application/openmetrics-text", CAIRN_OPENMETRICS_1_0_0, CAIRN_ESCAPE_UNDERSCORES},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
         "application/openmetrics-text;version=0.0.1;q=0.5,text/"
         "plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
         "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
         CAIRN_OPENMETRICS_1_0_0, CAIRN_ESCAPE_ALLOW_UTF8},
        {"text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.8", CAIRN_TEXT_0_0_4,
         CAIRN_ESCAPE_UNDERSCORES},
        {"text/plain;version=0.0.4;q=0.5 , application/openmetrics-text; version=\"0.0.1\" ; q=1.0; "
         "escaping=dots",
         CAIRN_OPENMETRICS_0_0_1, CAIRN_ESCAPE_DOTS},
        {"application/openmetrics-text;version=2.0.0;q=1,text/plain;version=1.0.0;escaping=values;q=0.1",
         CAIRN_TEXT_1_0_0, CAIRN_ESCAPE_VALUES},
        {"application/openmetrics-text;q=0, text/plain;q=0.001", CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.9,"
         "APPLICATION/OpenMetrics-Text;q=0.8;escaping=nonsense",
         CAIRN_OPENMETRICS_1_0_0, CAIRN_ESCAPE_UNDERSCORES},
        {";;;,=,\"", CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cairn_format format = cairn_format_negotiate(rows[i].accept);
        CHECK_EQ(format.exposition, rows[i].exposition);
        CHECK_EQ(format.escaping, rows[i].escaping);
    }
    char type[CAIRN_CONTENT_TYPE_MAX];
    cairn_format_content_type((struct cairn_format){CAIRN_OPENMETRICS_1_0_0, CAIRN_ESCAPE_ALLOW_UTF8}, type);
    CHECK_STR(str_c(type),
              "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8");
}

TEST(process_and_build_collectors)
{
    struct cairn_registry *registry = NULL;
    CHECK_EQ(cairn_registry_new(&registry), CAIRN_OK);
    struct cairn_label version = {"version", "1.2.3"};
    CHECK_EQ(cairn_process_collector(registry), CAIRN_OK);
    CHECK_EQ(cairn_process_collector(registry), CAIRN_ERR_EXISTS);
    CHECK_EQ(cairn_build_collector(registry, "app", &version, 1), CAIRN_OK);
    char *text = render(registry, CAIRN_TEXT_0_0_4, CAIRN_ESCAPE_UNDERSCORES);
    CHECK(text != NULL);
    static const char *const wanted[] = {
        "\nprocess_cpu_seconds_total ",
        "\nprocess_open_fds ",
        "\nprocess_max_fds ",
        "\nprocess_virtual_memory_bytes ",
        "\nprocess_resident_memory_bytes ",
        "\nprocess_start_time_seconds ",
        "\nprocess_threads ",
        "\napp_build_info{version=\"1.2.3\"} 1\n",
    };
    size_t found = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        found += strstr(text, wanted[i]) != NULL;
    }
    const char *start_at = strstr(text, "\nprocess_start_time_seconds ");
    double age = start_at == NULL ? -1
                                  : (double)cairn__wall_ns() / 1e9 -
                                        strtod(start_at + strlen("\nprocess_start_time_seconds "), NULL);
    free(text);
    cairn_registry_free(registry);
    CHECK_EQ(found, sizeof wanted / sizeof wanted[0]);
    CHECK(age > -1 && age < 600);
}
