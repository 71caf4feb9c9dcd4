/* Promtail's configuration: what is taken, what is refused and where, and how flags and the environment come
 * in. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/config.h"
#include "harness.h"

static struct str refusal(const char *text)
{
    static char out[1024];
    struct agent_flags flags = {0};
    struct agent_config *c = NULL;
    struct err_info info = {0};
    if (agent_config_load(&flags, str_c(text), &c, &info) == ERR_OK) {
        agent_config_free(c);
        return STR("accepted");
    }
    (void)snprintf(out, sizeof(out), "%u:%u: %s", info.line, info.col, info.message);
    return str_c(out);
}

#define SEED                                                                                        \
    "server:\n  http_listen_port: 9080\n  grpc_listen_port: 0\n"                                    \
    "positions:\n  filename: /tmp/positions.yaml\n"                                                 \
    "clients:\n  - url: http://loki:3100/loki/api/v1/push\n"                                        \
    "scrape_configs:\n  - job_name: flask-app\n    static_configs:\n      - targets:\n          - " \
    "localhost\n"                                                                                   \
    "        labels:\n          job: flask-app\n          __path__: /var/log/app.log\n"

TEST(the_seed_stacks_file_is_understood)
{
    struct agent_flags flags = {0};
    struct agent_config *c = NULL;
    CHECK_OK(agent_config_load(&flags, STR(SEED), &c, NULL));
    CHECK_EQ(c->listen_port, 9080);
    CHECK_STR(c->positions_file, "/tmp/positions.yaml");
    CHECK_EQ(c->client_count, 1);
    CHECK_STR(c->clients[0].host, "loki:3100");
    CHECK_EQ(c->clients[0].batch_size_bytes, 1048576);
    CHECK_EQ(c->jobs[0].target_count, 1);
    CHECK_STR(c->jobs[0].targets[0].path, "/var/log/app.log");
    CHECK_EQ(c->jobs[0].targets[0].labels.n, 1);
    CHECK_STR(labels_get(c->jobs[0].targets[0].labels, STR("job")), "flask-app");
    agent_config_free(c);
}

TEST(unknown_keys_are_named_with_place_and_nearest)
{
    CHECK_STR(refusal("sever: {}"),
              "1:1: field sever not found in the configuration (did you mean \"server\"?)");
    CHECK_STR(refusal("clients:\n- {url: 'http://x/y', batchwiat: 1s}"),
              "2:23: field batchwiat not found in clients (did you mean \"batchwait\"?)");
    CHECK_STR(refusal("scrape_configs:\n- job_name: a\n  static_config: []"),
              "3:3: field static_config not found in scrape_configs (did you mean \"static_configs\"?)");
    CHECK_STR(refusal("positions: {file: x}"), "1:13: field file not found in positions");
}

TEST(what_cannot_work_is_refused)
{
    CHECK_STR(refusal("clients: [{tenant_id: x}]"), "1:11: client needs target URL: the key url is missing");
    CHECK_STR(refusal("clients: [{url: 'loki:3100'}]"),
              "1:17: \"loki:3100\" is not a push URL (such as http://loki:3100/loki/api/v1/push)");
    CHECK_STR(refusal("clients: [{url: 'http://a/'}, {url: 'http://a/'}]"),
              "1:31: duplicate client config: give each client a name of its own");
    CHECK_STR(refusal("scrape_configs:\n- static_configs: []"),
              "2:3: `job_name` must be defined for the scrape config");
    CHECK_STR(refusal("scrape_configs:\n- job_name: a"),
              "2:3: no valid target scrape config defined for \"a\"");
    CHECK_STR(
        refusal("scrape_configs:\n- {job_name: a, static_configs: []}\n- {job_name: a, static_configs: []}"),
        "3:14: job name \"a\" is used twice");
    CHECK_STR(refusal("scrape_configs:\n- {job_name: a, kafka: {}}"),
              "2:24: kafka is not offered by this agent yet");
    CHECK_STR(refusal("clients: [{url: 'http://a/', backoff_config: {min_period: 5m, max_period: 1s}}]"),
              "1:46: min_period must be above 0 and at most max_period");
}

TEST(what_would_be_half_obeyed_is_refused)
{
    CHECK_STR(refusal("server: {http_tls_config: {cert_file: a, key_file: b}}"),
              "1:27: http_tls_config is not offered yet: use --web.config.file for TLS on the agent's pages");
    CHECK_STR(refusal("scrape_configs:\n- job_name: p\n  loki_push_api: {server: {htp_listen_port: 1}}"),
              "3:28: field htp_listen_port not found in server (did you mean \"http_listen_port\"?)");
    CHECK_STR(
        refusal(
            "scrape_configs:\n- job_name: s\n  syslog: {listen_address: ':1', tls_config: {cert_file: a}}"),
        "3:46: TLS for syslog is not offered yet");
}

TEST(old_keys_are_still_taken)
{
    CHECK_STR(
        refusal(
            "client: {url: 'http://a/', backoff_config: {minbackoff: 1s, maxbackoff: 2s, maxretries: 3}}\n"
            "options: {stream_lag_labels: x}\nscrape_configs:\n- {job_name: a, entry_parser: raw, "
            "static_configs: [{labels: {__path__: /x}}]}"),
        "accepted");
}

TEST(targets_are_relabelled_checked_and_stripped)
{
    struct agent_flags flags = {0};
    struct agent_config *c = NULL;
    CHECK_OK(agent_config_load(&flags,
                               STR("scrape_configs:\n- job_name: a\n  relabel_configs:\n"
                                   "  - {source_labels: [app], target_label: service}\n"
                                   "  - {source_labels: [app], target_label: __path__, regex: 'x(.*)', "
                                   "replacement: '/logs/$1.log'}\n"
                                   "  - {source_labels: [app], regex: gone, action: drop}\n"
                                   "  static_configs:\n"
                                   "  - labels: {app: xone, __tmp: 1}\n"
                                   "  - labels: {app: gone, __path__: /x}\n"
                                   "  - labels: {app: nopath}\n"
                                   "  - labels: {app: far, __path__: /x, __host__: surely-not-this-host}\n"
                                   "  - labels: {app: xone, __tmp: 1}\n"),
                               &c, NULL));
    CHECK_EQ(c->jobs[0].target_count, 1);
    CHECK_STR(c->jobs[0].targets[0].path, "/logs/one.log");
    CHECK_EQ(c->jobs[0].targets[0].labels.n, 2);
    CHECK_STR(labels_get(c->jobs[0].targets[0].labels, STR("service")), "xone");
    CHECK(c->jobs[0].dropped[0] == 1 && c->jobs[0].dropped[1] == 1 && c->jobs[0].dropped[2] == 1);
    agent_config_free(c);
}

TEST(flags_lie_over_the_file)
{
    struct agent_flags flags = {.client_url = STR("http://other:3100/push"),
                                .client_external_labels = STR("a=1,b=2"),
                                .positions_file = STR("/p"),
                                .listen_port = STR("1234")};
    struct agent_config *c = NULL;
    CHECK_OK(agent_config_load(&flags, STR("clients: [{url: 'http://x/y', external_labels: {a: yaml}}]"), &c,
                               NULL));
    CHECK_EQ(c->client_count, 2);
    CHECK_STR(c->clients[1].host, "other:3100");
    CHECK_STR(labels_get(c->clients[0].external_labels, STR("a")), "yaml");
    CHECK_STR(labels_get(c->clients[0].external_labels, STR("b")), "2");
    CHECK_STR(labels_get(c->clients[1].external_labels, STR("a")), "1");
    CHECK_STR(c->positions_file, "/p");
    CHECK_EQ(c->listen_port, 1234);
    agent_config_free(c);
}

static struct str expanded(const char *text)
{
    static char out[1024];
    struct buf b AUTO_BUF = {0};
    struct err_info info = {0};
    if (config_expand_env(str_c(text), &b, &info)) {
        (void)snprintf(out, sizeof(out), "%u:%u: %s", info.line, info.col, info.message);
    } else {
        (void)snprintf(out, sizeof(out), "%.*s", STR_FMT(b));
    }
    return str_c(out);
}

TEST(the_environment_is_expanded_as_promtail_does)
{
    CHECK_EQ(setenv("CAIRN_T", "abCdef", 1), 0); // NOLINT(concurrency-mt-unsafe): one thread here
    CHECK_STR(expanded("a ${CAIRN_T} $CAIRN_T $$ ${CAIRN_NONE}."), "a abCdef $CAIRN_T $ .");
    CHECK_STR(expanded("${CAIRN_NONE:-def} ${CAIRN_NONE:=x} ${CAIRN_T:-def} ${CAIRN_NONE=y}"),
              "def x abCdef y");
    CHECK_STR(expanded("${#CAIRN_T} ${CAIRN_T^} ${CAIRN_T^^} ${CAIRN_T,,} ${CAIRN_T:2} ${CAIRN_T:1:2}"),
              "6 AbCdef ABCDEF abcdef Cdef bC");
    CHECK_STR(expanded("${CAIRN_T#ab} ${CAIRN_T%ef} ${CAIRN_T/b/x} ${CAIRN_T//d/}"),
              "Cdef abCd axCdef abCef");
    CHECK_STR(expanded("re: '\\\\d+ \\/ $${1}'"), "re: '\\d+ / ${1}'");
    CHECK_STR(expanded("ok\n  x: ${CAIRN_T"), "2:6: bad substitution: ${CAIRN_T");
}

TEST(secrets_are_masked_when_the_configuration_is_shown)
{
    struct agent_flags flags = {0};
    struct agent_config *c = NULL;
    struct buf b AUTO_BUF = {0};
    CHECK_OK(agent_config_load(
        &flags,
        STR("clients:\n- url: http://u:pw@x/y\n  basic_auth:\n    username: u\n    password: secret\n"), &c,
        NULL));
    agent_config_print(c, &b);
    CHECK_STR(
        buf_view(&b),
        "clients:\n- url: http://u:xxxxx@x/y\n  basic_auth:\n    username: u\n    password: <secret>\n");
    agent_config_free(c);
}

static enum err checked(const char *text, struct err_info *info)
{
    struct agent_flags flags = {0};
    struct agent_config *c = NULL;
    enum err e = agent_config_load(&flags, str_c(text), &c, info);
    if (!e) {
        e = agent_check(c, info);
        agent_config_free(c);
    }
    return e;
}

TEST(a_check_sees_stages_and_globs_too)
{
    struct err_info info = {0};
    CHECK_OK(checked(SEED, &info));
    CHECK_EQ(checked("scrape_configs:\n- job_name: a\n  static_configs: []\n  pipeline_stages:\n  - regex: "
                     "{expression: '('}\n",
                     &info),
             ERR_INVALID);
    CHECK_EQ(info.line, 5);
    CHECK_EQ(
        checked("scrape_configs:\n- job_name: a\n  static_configs: [{labels: {__path__: '/x/{a'}}]\n", &info),
        ERR_INVALID);
    CHECK_STR(str_c(info.message), "a brace is not closed in \"/x/{a\"");
}
