/* cairn serve: reads the flags, starts the roles that were asked for, waits for signals, stops them in
 * reverse.
 *
 * Every port is bound before any role starts its work, so that a client meets 503 with the reason, never a
 * refused connection. Several roles share one process and are told apart by --<role>-address and
 * --<role>-config; a role that runs alone takes its original's own flags. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/mem_promise.h"
#include "cairn/command.h"
#include "cairn/serve_int.h"
#include "cairn/snapshot.h"
#include "metrics/tsdb/tsdb.h"

enum {
    SETS_MAX = 8,
    ROLE_FLAGS_MAX = 2 * ROLES_MAX,
    NAME_BYTES_MAX = 32
};

static const struct flag common_flags[] = {
    {"role", FLAG_STR, offsetof(struct settings, role), "all", "roles to run, comma-separated"},
    {"data", FLAG_STR, offsetof(struct settings, data), "./cairn-data", "folder for everything that is kept"},
    {"listen", FLAG_STR, offsetof(struct settings, listen), "127.0.0.1",
     "address the roles listen on; 0.0.0.0 for all"},
    {"demo", FLAG_BOOL, offsetof(struct settings, demo), "", "run the sample application, with traffic"},
    {"demo-log", FLAG_STR, offsetof(struct settings, demo_log), "/var/log/app.log",
     "the sample application's log"},
    {"demo-environment", FLAG_STR, offsetof(struct settings, demo_environment), "production",
     "label of the sample application's flask_app_info"},
    {"demo-version", FLAG_STR, offsetof(struct settings, demo_version), "1.0.0",
     "label of the sample application's flask_app_info"},
    {"durability", FLAG_STR, offsetof(struct settings, durability), "interval",
     "what an acknowledgement promises: async, os, interval or sync"},
    {"memory", FLAG_SIZE, offsetof(struct settings, memory), "",
     "memory to stay within; a quarter of the host or half of the cgroup's limit unless told"},
    {"web.config.file", FLAG_STR, offsetof(struct settings, web_config), "",
     "TLS and authentication of every listener, in Prometheus' form"},
    {"log.level", FLAG_STR, offsetof(struct settings, log_level), "info", "debug, info, warn or error"},
    {"log.format", FLAG_STR, offsetof(struct settings, log_format), "logfmt", "logfmt or json"},
    {"check", FLAG_BOOL, offsetof(struct settings, check), "",
     "read what a start with these flags would read, say what is wrong with it, and start nothing"},
    {"help", FLAG_BOOL, offsetof(struct settings, help), "", "this text"},
};

/* A role that runs alone has its original's file under this flag. */
static const struct flag front_door_flags[] = {
    {"config.file", FLAG_STR, offsetof(struct settings, config_file), "",
     "Cairn's own configuration file (cairn.yml); flags win over it"},
};

/* The roles of this run, in the order of the table. */
struct run {
    struct settings set;
    struct serve serve;
    struct snapshots snapshots;
    struct role *roles[ROLES_MAX];
    size_t role_count;
    struct flag role_flags[ROLE_FLAGS_MAX]; /* --<role>-address and --<role>-config */
    char names[ROLE_FLAGS_MAX][NAME_BYTES_MAX];
};

/* -- which roles ----------------------------------------------------------------------------------------- */

/* The value of a flag that is needed before the others can be read: --role says which there are. p == NULL:
 * not given. */
static struct str early_value(int argc, char **argv, struct str name)
{
    for (int i = 1; i < argc; i++) {
        struct str a = str_c(argv[i]);
        a = str_starts(a, STR("--"))  ? str_slice(a, 2, a.n)
            : str_starts(a, STR("-")) ? str_slice(a, 1, a.n)
                                      : STR("");
        if (str_starts(a, name) && a.n > name.n && a.p[name.n] == '=') {
            return str_slice(a, name.n + 1, a.n);
        }
        if (str_eq(a, name) && i + 1 < argc) {
            return str_c(argv[i + 1]);
        }
    }
    return (struct str){0};
}

static enum err unknown_role(struct str name, struct err_info *reterr_info)
{
    size_t n;
    const struct role_ops *const *table = role_table(&n);
    const char *names[ROLES_MAX + 1] = {"all"};
    struct buf list AUTO_BUF = {.size_bytes_max = 512};
    for (size_t i = 0; i < n; i++) {
        names[i + 1] = table[i]->name;
        buf_printf(&list, "%s%s", i ? ", " : "", table[i]->name);
    }
    const char *near = str_nearest(name, names, n + 1);
    return err_set(reterr_info, ERR_INVALID, "--role: there is no role \"%.*s\"%s%s%s; the roles are %.*s",
                   STR_FMT(name), near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "",
                   STR_FMT(list));
}

static bool asked(struct str list, const char *name)
{
    for (struct str rest = list; rest.p;) {
        if (str_eq_c(str_trim(str_cut(&rest, ',')), name)) {
            return true;
        }
    }
    return false;
}

static enum err roles_check(struct str list, struct err_info *reterr_info)
{
    size_t n;
    const struct role_ops *const *table = role_table(&n);
    for (struct str rest = list; rest.p;) {
        struct str name = str_trim(str_cut(&rest, ','));
        bool known = str_eq_c(name, "all");
        for (size_t i = 0; i < n; i++) {
            known = known || str_eq_c(name, table[i]->name);
        }
        if (!known) {
            return unknown_role(name, reterr_info);
        }
    }
    return ERR_OK;
}

static enum err roles_make(struct run *run, struct str list, bool demo, struct err_info *reterr_info)
{
    size_t n;
    const struct role_ops *const *table = role_table(&n);
    enum err e = roles_check(list, reterr_info);
    bool all = asked(list, "all");
    for (size_t i = 0; i < n && !e; i++) {
        bool is_demo = strcmp(table[i]->name, "demo") == 0;
        if (is_demo ? !demo && !asked(list, "demo") : !all && !asked(list, table[i]->name)) {
            continue;
        }
        struct role *r = table[i]->make();
        if (!r) {
            return err_set(reterr_info, ERR_OOM, "no memory for role %s", table[i]->name);
        }
        run->roles[run->role_count++] = r;
    }
    return e;
}

/* -- flags ----------------------------------------------------------------------------------------------- */

static bool flag_given(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++) {
        struct str a = str_c(argv[i]);
        a = str_starts(a, STR("--"))  ? str_slice(a, 2, a.n)
            : str_starts(a, STR("-")) ? str_slice(a, 1, a.n)
                                      : a;
        if (str_eq_c(a, name)) {
            return true;
        }
    }
    return false;
}

static size_t role_flag_table(struct run *run)
{
    size_t n, at = 0;
    const struct role_ops *const *table = role_table(&n);
    static const struct {
        const char *suffix, *help;
        size_t offset;
    } kinds[] = {
        {"address", "where the role listens, host:port", offsetof(struct settings, addresses)},
        {"config", "the role's configuration file, in its original's form",
         offsetof(struct settings, configs)},
    };
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
            (void)snprintf(run->names[at], NAME_BYTES_MAX, "%s-%s", table[i]->name, kinds[k].suffix);
            run->role_flags[at] = (struct flag){.name = run->names[at],
                                                .kind = FLAG_STR,
                                                .offset = kinds[k].offset + i * sizeof(struct str),
                                                .help = kinds[k].help};
            at++;
        }
    }
    return at;
}

static size_t flag_sets(struct run *run, struct flag_set *sets, size_t max)
{
    size_t n = 0;
    if (run->serve.alone && run->roles[0]->ops->flags) {
        n = run->roles[0]->ops->flags(run->roles[0], sets, max - 2);
    }
    if (!run->serve.alone) {
        sets[n++] =
            (struct flag_set){"The front door", front_door_flags, ARRAY_LEN(front_door_flags), &run->set};
    }
    sets[n++] = (struct flag_set){"Cairn's own", common_flags, ARRAY_LEN(common_flags), &run->set};
    sets[n++] =
        (struct flag_set){"Where each role listens", run->role_flags, role_flag_table(run), &run->set};
    return n;
}

static enum err log_setup(const struct settings *set, struct err_info *reterr_info)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    enum log_level level = LVL_COUNT;
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        level = str_eq_c(set->log_level, levels[i]) ? (enum log_level)i : level;
    }
    if (level == LVL_COUNT) {
        return err_set(reterr_info, ERR_INVALID,
                       "--log.level: \"%.*s\" is not one of debug, info, warn, error",
                       STR_FMT(set->log_level));
    }
    bool json = str_eq_c(set->log_format, "json");
    if (!json && !str_eq_c(set->log_format, "logfmt")) {
        return err_set(reterr_info, ERR_INVALID, "--log.format: \"%.*s\" is not one of logfmt, json",
                       STR_FMT(set->log_format));
    }
    log_configure(level, json ? LOG_JSON : LOG_LOGFMT, STDERR_FILENO);
    return ERR_OK;
}

static enum err settings_apply(struct run *run, struct err_info *reterr_info)
{
    struct settings *set = &run->set;
    struct serve *s = &run->serve;
    size_t n;
    const struct role_ops *const *table = role_table(&n);
    enum err e = log_setup(set, reterr_info);
    if (!e && durability_parse(set->durability, &s->durability)) {
        e = err_set(reterr_info, ERR_INVALID,
                    "--durability: \"%.*s\" is not one of async, os, interval, sync",
                    STR_FMT(set->durability));
    }
    if (!e && set->web_config.n) {
        e = web_config_load(set->web_config.p, &s->web, reterr_info);
    }
    s->data = set->data;
    s->config_file = set->config_file;
    s->web_file = set->web_config;
    s->listen = set->listen;
    s->memory_bytes = set->memory ? set->memory : tsdb_memory_default_bytes();
    if (!e && mem_promise_new(s->memory_bytes, &s->promise)) {
        e = err_set(reterr_info, ERR_OOM, "no memory to begin with");
    }
    s->services.demo_log = set->demo_log;
    s->services.demo_environment = set->demo_environment;
    s->services.demo_version = set->demo_version;
    for (size_t i = 0; i < run->role_count; i++) {
        for (size_t k = 0; k < n; k++) {
            if (table[k] == run->roles[i]->ops) {
                run->roles[i]->address = set->addresses[k].n ? set->addresses[k] : run->roles[i]->address;
                run->roles[i]->config_file = set->configs[k].n ? set->configs[k] : run->roles[i]->config_file;
            }
        }
    }
    return e;
}

/* -- life ------------------------------------------------------------------------------------------------ */

static enum err roles_start(struct run *run, struct err_info *reterr_info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < run->role_count && !e; i++) {
        e = run->roles[i]->ops->listen(run->roles[i], &run->serve, reterr_info);
    }
    for (size_t i = 0; i < run->role_count && !e; i++) {
        e = run->roles[i]->ops->start(run->roles[i], &run->serve, reterr_info);
    }
    return e;
}

static void roles_stop(struct run *run)
{
    while (run->role_count) {
        struct role *r = run->roles[--run->role_count];
        r->ops->stop(r);
    }
    web_config_free(run->serve.web);
    mem_promise_free(run->serve.promise);
}

static void say_where(const struct run *run)
{
    const struct services *v = &run->serve.services;
    const struct {
        const char *what;
        const struct http_server *server;
    } rows[] = {{"dashboards and Explore", v->dashboards_server},
                {"metrics (Prometheus API)", v->metrics_server},
                {"logs (Loki API)", v->logs_server},
                {"agent (Promtail)", v->agent_server}};
    const char *scheme = web_config_tls(run->serve.web) ? "https" : "http";
    (void)printf("cairn %s is running:\n", CAIRN_VERSION);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].server) {
            (void)printf("  %-26s %s://%.*s/\n", rows[i].what, scheme,
                         STR_FMT(http_server_address(rows[i].server)));
        }
    }
    if (v->demo) {
        (void)printf("  %-26s %s://%.*s/   log %.*s\n", "sample application", scheme,
                     STR_FMT(v->demo_address), STR_FMT(v->demo_log));
    }
    (void)printf("Stop it with Ctrl-C.\n");
    (void)fflush(stdout);
}

/* The next signal; meanwhile systemd hears that we live, when it asked for that (WatchdogSec). */
static int signal_next(const sigset_t *signals)
{
    uint64_t watchdog_us = 0;
    bool watched = sd_watchdog_enabled(0, &watchdog_us) > 0;
    struct timespec doze = {.tv_sec = (time_t)(watchdog_us / 3 / 1000000),
                            .tv_nsec = (long)(watchdog_us / 3 % 1000000 * 1000)};
    int number = 0;
    while (number <= 0) {
        number = watched ? sigtimedwait(signals, NULL, &doze) : sigwaitinfo(signals, NULL);
        if (watched) {
            (void)sd_notify(0, "WATCHDOG=1");
        }
    }
    return number;
}

/* Serves until SIGINT or SIGTERM; SIGHUP reloads every role. The signals are blocked already. */
static void signals_serve(struct run *run, const sigset_t *signals)
{
    int number;
    while ((number = signal_next(signals)) == SIGHUP) {
        (void)sd_notify(0, "RELOADING=1");
        for (size_t i = 0; i < run->role_count; i++) {
            if (run->roles[i]->ops->reload) {
                run->roles[i]->ops->reload(run->roles[i]);
            }
        }
        (void)sd_notify(0, "READY=1");
    }
    LOG_EVENT(LVL_INFO, "stopping", F_C("signal", number == SIGINT ? "SIGINT" : "SIGTERM"));
}

static void signals_block(sigset_t *signals)
{
    (void)sigemptyset(signals);
    (void)sigaddset(signals, SIGINT);
    (void)sigaddset(signals, SIGTERM);
    (void)sigaddset(signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, signals, NULL);
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}

static int fail(const struct err_info *info, int status)
{
    char text[1024];
    (void)fprintf(stderr, "cairn serve: %s\n", err_render(info, text, sizeof(text)));
    return status;
}

/* A scraped target is a connection, a block is a file: as many as the system lets us have. */
static void files_allow(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* For whoever is about to restart a service: the files of every role, read as a start would read them. */
static int files_check(struct run *run)
{
    struct err_info info = {0};
    for (size_t i = 0; i < run->role_count; i++) {
        struct role *r = run->roles[i];
        if (r->ops->check && r->config_file.n && r->ops->check(r, &info)) {
            err_in_file(&info, r->config_file.p);
            return fail(&info, 2);
        }
    }
    (void)printf("cairn serve: these flags and files are fine\n");
    return 0;
}

static int run_roles(struct run *run)
{
    struct err_info info = {0};
    sigset_t signals;
    signals_block(&signals);
    files_allow();
    if (settings_apply(run, &info)) {
        return fail(&info, 2);
    }
    if (run->set.check) {
        return files_check(run);
    }
    enum err e = roles_start(run, &info);
    if (e) {
        return fail(&info, e == ERR_INVALID ? 2 : 1);
    }
    snapshots_start(&run->snapshots, &run->serve, run->roles, run->role_count);
    say_where(run);
    (void)sd_notify(0, "READY=1");
    signals_serve(run, &signals);
    (void)sd_notify(0, "STOPPING=1");
    snapshots_stop(&run->snapshots);
    return 0;
}

static int print_help(const struct flag_set *sets, size_t n)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 65536};
    buf_c(&text, "usage: cairn serve [--role=a,b] [FLAGS]\n\nRuns the roles; a single role also takes its "
                 "original's flags "
                 "(cairn serve --role=metrics --help).\n");
    flags_help(&text, sets, n);
    return !text.err && fwrite(text.p, 1, text.n, stdout) == text.n ? 0 : 1;
}

int command_serve(int argc, char **argv)
{
    struct run run = {.set = {.role = STR("all"),
                              .data = STR("./cairn-data"),
                              .durability = STR("interval"),
                              .log_level = STR("info"),
                              .log_format = STR("logfmt"),
                              .demo_log = STR("/var/log/app.log"),
                              .demo_environment = STR("production"),
                              .demo_version = STR("1.0.0")}};
    struct err_info info = {0};
    struct flag_set sets[SETS_MAX];
    struct arena memory AUTO_ARENA = {0}; /* of what the front door says */
    struct str list = early_value(argc, argv, STR("role")),
               file = early_value(argc, argv, STR("config.file"));
    bool one = list.n && !asked(list, "all") && str_find_char(list, ',', 0) == STR_NPOS;
    int status;
    if (file.n && !one && serve_config_load(&memory, file.p, &run.set, &info)) {
        return fail(&info, 2);
    }
    list = list.n ? list : run.set.role;
    if (roles_make(&run, list, run.set.demo || flag_given(argc, argv, "demo"), &info)) {
        status = fail(&info, 2);
    } else {
        run.serve.alone = run.role_count == 1 && !asked(list, "all");
        size_t n = flag_sets(&run, sets, ARRAY_LEN(sets));
        bool takes = run.serve.alone && run.roles[0]->ops->takes_arguments;
        if (flags_parse(argc, argv, sets, n, run.serve.args, takes ? SERVE_ARGS_MAX : 0, &run.serve.arg_count,
                        NULL, NULL, &info)) {
            status = fail(&info, 2);
        } else {
            status = run.set.help ? print_help(sets, n) : run_roles(&run);
        }
    }
    roles_stop(&run);
    return status;
}
