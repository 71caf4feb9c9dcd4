/* /api/v1/openapi.yaml: what is served, for programs that read such descriptions. One row an operation; a
 * test compares the rows with the routes. */
#include "api/prom/prom_call.h"
#include "codec/yaml_text.h"

enum parameter_kind {
    TEXT = 0,
    TIME,
    DURATION,
    NUMBER,
    SWITCH,
    MANY /* of text, given several times */
};

static const struct {
    const char *name;
    enum parameter_kind kind;
    const char *about;
} parameters[] = {
    {"query", TEXT, "A PromQL expression."},
    {"time", TIME, "The moment to evaluate at; now when it is left out."},
    {"start", TIME, "The beginning of the range, itself included."},
    {"end", TIME, "The end of the range, itself included."},
    {"step", DURATION, "The distance of the points of a range query."},
    {"timeout", DURATION, "Gives up after so long; the server's own limit holds as well."},
    {"limit", NUMBER, "At most so many rows, and a warning when there are more; 0 is no limit."},
    {"lookback_delta", DURATION, "How old a sample may be that an instant selector still sees."},
    {"stats", TEXT, "true or all: timings and counts of samples stand in the answer; all shows each step."},
    {"nocache", SWITCH, "1: the result is computed whole, without what is remembered of earlier queries."},
    {"match[]", MANY, "A series selector; a series that one of several selects is meant."},
    {"match_target", TEXT, "A selector of targets by their labels."},
    {"metric", TEXT, "The name of one metric family."},
    {"limit_per_metric", NUMBER, "At most so many entries of each metric family."},
    {"state", TEXT, "active, dropped or any."},
    {"scrapePool", TEXT, "The name of a scrape pool, which is that of its job."},
    {"labels", TEXT, "Labels before relabelling, as a JSON object."},
    {"type", TEXT, "alert or record."},
    {"rule_name[]", MANY, "The name of a rule."},
    {"rule_group[]", MANY, "The name of a rule group."},
    {"file[]", MANY, "The file of a rule group."},
    {"exclude_alerts", SWITCH, "true: alerts are left out of alerting rules."},
    {"group_limit", NUMBER, "At most so many groups, with a token for the next ones."},
    {"group_next_token", TEXT, "The token of the answer before."},
    {"metric_name_pattern", TEXT, "A regular expression that the whole name matches."},
    {"openapi_version", TEXT, "3.1 or 3.2: the form of this document."},
    {"skip_head", SWITCH, "true: without what is in memory only."},
    {"label", TEXT, "The label whose values are searched."},
    {"search[]", MANY, "A text that names are to contain, or to resemble."},
    {"fuzz_threshold", NUMBER, "How much alike, from 0 to 100; 100 is contained."},
    {"fuzz_alg", TEXT, "subsequence or jarowinkler."},
    {"case_sensitive", SWITCH, "false: small and capital letters are the same."},
    {"sort_by", TEXT, "alpha or score."},
    {"sort_dir", TEXT, "asc or dsc, for sort_by=alpha."},
    {"include_score", SWITCH, "true: with how well each matches."},
    {"include_metadata", SWITCH, "true: with type, help and unit of metrics."},
    {"batch_size", NUMBER, "So many results in a line of the answer."},
};

/* `takes`: names of parameters, "!" behind those that must be given. `answers`: what `data` is, or a content
 * type of an answer without the envelope, or NULL for an empty one. */
static const struct operation {
    const char *methods, *path, *id, *tag, *about, *takes, *answers;
} operations[] = {
    {"get|post", "/query", "query", "query", "Evaluates an expression at one moment.",
     "query! time timeout limit lookback_delta stats", "object"},
    {"get|post", "/query_range", "queryRange", "query", "Evaluates an expression at each step of a range.",
     "query! start! end! step! timeout limit lookback_delta stats nocache", "object"},
    {"get|post", "/query_exemplars", "queryExemplars", "query",
     "Exemplars of the series that an expression selects.", "query! start end", "array"},
    {"get|post", "/format_query", "formatQuery", "query", "An expression, laid out.", "query!", "string"},
    {"get|post", "/parse_query", "parseQuery", "query", "The syntax tree of an expression.", "query!",
     "object"},
    {"get|post", "/series", "series", "metadata", "The label sets of series.", "match[]! start end limit",
     "array"},
    {"get|post", "/labels", "labelNames", "metadata", "The names of labels.", "match[] start end limit",
     "array"},
    {"get", "/label/{name}/values", "labelValues", "metadata", "The values of a label.",
     "match[] start end limit", "array"},
    {"get", "/metadata", "metadata", "metadata", "Type, help and unit of metric families.",
     "metric limit limit_per_metric", "object"},
    {"get|post", "/search/metric_names", "searchMetricNames", "search",
     "Metric names that contain or resemble a text.",
     "match[] search[] start end limit batch_size fuzz_threshold fuzz_alg case_sensitive sort_by sort_dir "
     "include_score include_metadata",
     "application/x-ndjson"},
    {"get|post", "/search/label_names", "searchLabelNames", "search",
     "Label names that contain or resemble a text.",
     "match[] search[] start end limit batch_size fuzz_threshold fuzz_alg case_sensitive sort_by sort_dir "
     "include_score",
     "application/x-ndjson"},
    {"get|post", "/search/label_values", "searchLabelValues", "search",
     "Values of a label that contain or resemble a text.",
     "label! match[] search[] start end limit batch_size fuzz_threshold fuzz_alg case_sensitive sort_by "
     "sort_dir include_score",
     "application/x-ndjson"},
    {"get", "/targets", "targets", "targets", "Targets, and how their last scrape went.", "state scrapePool",
     "object"},
    {"get", "/targets/metadata", "targetMetadata", "targets", "Metadata as each target exposes it.",
     "match_target metric limit", "array"},
    {"get", "/targets/relabel_steps", "relabelSteps", "targets",
     "What each relabelling rule of a job makes of labels.", "scrapePool! labels!", "object"},
    {"get", "/scrape_pools", "scrapePools", "targets", "The names of the scrape pools.", "", "object"},
    {"get", "/scrape_pools/config", "scrapePoolConfig", "targets", "The configuration of one job, as YAML.",
     "scrapePool!", "object"},
    {"get", "/rules", "rules", "rules", "Rule groups and their rules.",
     "type rule_name[] rule_group[] file[] match[] exclude_alerts group_limit group_next_token", "object"},
    {"get", "/alerts", "alerts", "rules", "Active alerts.", "", "object"},
    {"get", "/alertmanagers", "alertmanagers", "rules", "Alertmanagers that were discovered.", "", "object"},
    {"get", "/status/config", "statusConfig", "status", "The configuration with its defaults, as YAML.", "",
     "object"},
    {"get", "/status/flags", "statusFlags", "status", "Flags and their values.", "", "object"},
    {"get", "/status/buildinfo", "statusBuildinfo", "status", "Versions.", "", "object"},
    {"get", "/status/runtimeinfo", "statusRuntimeinfo", "status", "Facts of the running program.", "",
     "object"},
    {"get", "/status/walreplay", "statusWalreplay", "status",
     "How far the log is replayed; served while it is.", "", "object"},
    {"get", "/status/tsdb", "statusTsdb", "status", "The names and labels with the most series.", "limit",
     "object"},
    {"get", "/status/tsdb/blocks", "statusTsdbBlocks", "status", "The blocks on disk.", "", "object"},
    {"get", "/status/self_metrics", "statusSelfMetrics", "status", "The server's own metrics, as JSON.",
     "metric_name_pattern", "array"},
    {"get", "/features", "features", "status", "What is switched on.", "", "object"},
    {"get", "/notifications", "notifications", "status", "What an operator should know now.", "", "array"},
    {"get", "/notifications/live", "notificationsLive", "status",
     "The same as it comes, as server-sent events.", "", "text/event-stream"},
    {"get", "/openapi.yaml", "openapi", "status", "This document.", "openapi_version", "application/yaml"},
    {"post", "/write", "remoteWrite", "remote",
     "Takes samples: remote write 1.0 or 2.0, protobuf compressed with snappy.", "", NULL},
    {"post", "/read", "remoteRead", "remote", "Gives samples: remote read, protobuf compressed with snappy.",
     "", "application/x-protobuf"},
    {"post", "/otlp/v1/metrics", "otlpWrite", "remote", "Not served: answers 404 and says so.", "", NULL},
    {"post|put", "/admin/tsdb/delete_series", "deleteSeries", "admin",
     "Deletes the samples of series in a range.", "match[]! start end", NULL},
    {"post|put", "/admin/tsdb/clean_tombstones", "cleanTombstones", "admin",
     "Takes deleted samples off the disk.", "", NULL},
    {"post|put", "/admin/tsdb/snapshot", "snapshot", "admin",
     "Makes a snapshot of the store and tells its name.", "skip_head", "object"},
};

static void put_string(struct buf *b, struct str s)
{
    yaml_text(b, s, YAML_IN_BLOCK, 0, 0);
    buf_char(b, '\n');
}

static void put_line(struct buf *b, const char *key, const char *text)
{
    buf_c(b, key);
    json_quote(b, str_c(text));
    buf_char(b, '\n');
}

static const char *schema_of(enum parameter_kind kind)
{
    switch (kind) {
    case NUMBER:
        return "{type: integer}";
    case SWITCH:
        return "{type: boolean}";
    case MANY:
        return "{type: array, items: {type: string}}";
    case TIME:
        return "{$ref: '#/components/schemas/Time'}";
    case DURATION:
        return "{$ref: '#/components/schemas/Duration'}";
    case TEXT:
        break;
    }
    return "{type: string}";
}

static void put_parameter(struct buf *b, struct str name, bool required)
{
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        if (!str_eq_c(name, parameters[i].name)) {
            continue;
        }
        buf_c(b, "        - name: ");
        put_string(b, name);
        buf_printf(b, "          in: query\n          required: %s\n", required ? "true" : "false");
        put_line(b, "          description: ", parameters[i].about);
        buf_printf(b, "          schema: %s\n", schema_of(parameters[i].kind));
    }
}

static void put_parameters(struct buf *b, const struct operation *o)
{
    bool named = str_find(str_c(o->path), STR("{name}"), 0) != STR_NPOS;
    struct str rest = str_c(o->takes);
    if (rest.n == 0 && !named) {
        return;
    }
    buf_c(b, "      parameters:\n");
    if (named) {
        buf_c(b, "        - name: name\n          in: path\n          required: true\n"
                 "          description: \"The name of the label.\"\n          schema: {type: string}\n");
    }
    while (rest.p && rest.n) {
        struct str name = str_cut(&rest, ' ');
        bool required = str_ends(name, STR("!"));
        name.n -= required;
        put_parameter(b, name, required);
    }
}

static void put_responses(struct buf *b, const struct operation *o)
{
    buf_c(b, "      responses:\n");
    if (!o->answers) {
        buf_c(b, "        \"204\":\n          description: \"Done.\"\n");
    } else if (str_find_char(str_c(o->answers), '/', 0) != STR_NPOS) {
        buf_printf(b,
                   "        \"200\":\n          description: \"The answer.\"\n          content:\n"
                   "            %s: {}\n",
                   o->answers);
    } else {
        buf_printf(b,
                   "        \"200\":\n          description: \"The answer.\"\n          content:\n"
                   "            application/json:\n              schema:\n                allOf:\n"
                   "                  - $ref: '#/components/schemas/Success'\n"
                   "                  - properties: {data: {type: %s}}\n",
                   o->answers);
    }
    buf_c(b, "        default: {$ref: '#/components/responses/Error'}\n");
}

static void put_operation(struct buf *b, const struct operation *o)
{
    buf_printf(b, "  %s:\n", o->path);
    bool first = true;
    for (struct str rest = str_c(o->methods); rest.p; first = false) {
        struct str method = str_cut(&rest, '|');
        buf_printf(b, "    %.*s:\n      operationId: %s%s%.*s\n      tags: [%s]\n", STR_FMT(method), o->id,
                   first ? "" : "By", STR_FMT(first ? STR("") : method), o->tag);
        put_line(b, "      summary: ", o->about);
        put_parameters(b, o);
        if (str_eq_c(method, "post") && !first) {
            put_line(b, "      description: ", "Parameters may stand in a form in the body.");
        }
        put_responses(b, o);
    }
}

void openapi_write(struct buf *b, const char *openapi_version, struct str version, struct str route_prefix)
{
    buf_printf(b, "openapi: %s\ninfo:\n  title: \"Cairn: the Prometheus API\"\n", openapi_version);
    put_line(b, "  description: ",
             "Metrics by Prometheus' own paths. Answers are JSON in an envelope of status, data, errors and "
             "annotations, except where another type is named.");
    buf_c(b, "  version: ");
    put_string(b, version);
    buf_c(b, "servers:\n  - url: ");
    buf_str(b, route_prefix);
    buf_c(b, "/api/v1\npaths:\n");
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        put_operation(b, &operations[i]);
    }
    buf_c(b, "components:\n"
             "  schemas:\n"
             "    Time:\n"
             "      description: \"Seconds since 1970, with a fraction, or RFC 3339.\"\n"
             "      oneOf: [{type: number}, {type: string, format: date-time}]\n"
             "    Duration:\n"
             "      description: \"Seconds, with a fraction, or a duration as 1h30m.\"\n"
             "      oneOf: [{type: number}, {type: string}]\n"
             "    Success:\n"
             "      type: object\n"
             "      required: [status]\n"
             "      properties:\n"
             "        status: {const: success}\n"
             "        warnings: {type: array, items: {type: string}}\n"
             "        infos: {type: array, items: {type: string}}\n"
             "    Error:\n"
             "      type: object\n"
             "      required: [status, errorType, error]\n"
             "      properties:\n"
             "        status: {const: error}\n"
             "        errorType:\n"
             "          enum: [bad_data, execution, canceled, timeout, internal, unavailable, not_found, "
             "not_acceptable]\n"
             "        error: {type: string}\n"
             "  responses:\n"
             "    Error:\n"
             "      description: \"What was wrong.\"\n"
             "      content:\n"
             "        application/json:\n"
             "          schema: {$ref: '#/components/schemas/Error'}\n");
}

static void openapi(struct prom_call *c)
{
    bool newer = str_eq_c(http_req_param(c->r, "openapi_version"), "3.2");
    openapi_write(&c->out, newer ? "3.2.0" : "3.1.0", c->api->cairn_version, c->api->route_prefix);
    http_res_send_buf(c->r, 200, "application/yaml; charset=utf-8", &c->out);
}

PROM_ROUTE(openapi)

struct prom_routes prom_routes_openapi(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/v1/openapi.yaml", openapi_route, HTTP_CORS, 0, NULL}};
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
