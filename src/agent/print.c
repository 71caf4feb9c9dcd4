/* What -dry-run and -print-config-stderr show. */
#include <stdio.h>
#include <time.h>

#include "agent/agent_int.h"

static void put_time(struct buf *b, ts_ns ts)
{
    time_t s = (time_t)(ts / NS_PER_S);
    struct tm tm;
    char date[32], zone[8];
    (void)localtime_r(&s, &tm);
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)strftime(zone, sizeof(zone), "%z", &tm);
    int64_t ns = ts % NS_PER_S;
    buf_c(b, date);
    if (ns) {
        char fraction[16];
        int n = snprintf(fraction, sizeof(fraction), ".%09lld", (long long)ns);
        while (n > 0 && fraction[n - 1] == '0') {
            n--;
        }
        buf_append(b, fraction, (size_t)n);
    }
    buf_c(b, zone);
}

void print_entry(const struct entry *e)
{
    struct buf b AUTO_BUF = {0};
    put_time(&b, e->ts);
    buf_char(&b, '\t');
    labels_format_loki(&b, entry_labels(e));
    buf_char(&b, '\t');
    buf_str(&b, e->line);
    buf_char(&b, '\n');
    if (!b.err) {
        (void)fwrite(b.p, 1, b.n, stdout);
        (void)fflush(stdout);
    }
}

static bool is_secret(struct str key)
{
    static const char *const secrets[] = {"password", "credentials", "bearer_token",      "client_secret",
                                          "secret",   "api_token",   "connection_string", "key"};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        if (str_eq_c(key, secrets[i])) {
            return true;
        }
    }
    return false;
}

/* user:password@ in a URL loses its password. */
static void put_line(struct buf *out, struct str line)
{
    size_t scheme = str_find(line, STR("://"), 0);
    size_t at = scheme == STR_NPOS ? STR_NPOS : str_find_char(line, '@', scheme);
    size_t colon = at == STR_NPOS ? STR_NPOS : str_find_char(line, ':', scheme + 3);
    if (colon != STR_NPOS && colon < at) {
        buf_str(out, str_slice(line, 0, colon + 1));
        buf_c(out, "xxxxx");
        line = str_slice(line, at, line.n);
    }
    buf_str(out, line);
}

void agent_config_print(const struct agent_config *c, struct buf *out)
{
    struct str text = c->text;
    while (text.p) {
        struct str line = str_cut(&text, '\n'), value = line, key = str_cut(&value, ':');
        struct str bare = str_trim(key);
        bare = bare.n && bare.p[0] == '-' ? str_trim(str_slice(bare, 1, bare.n)) : bare;
        if (value.p && str_trim(value).n && is_secret(bare)) {
            buf_str(out, key);
            buf_c(out, ": <secret>");
        } else {
            put_line(out, line);
        }
        if (text.p) {
            buf_char(out, '\n');
        }
    }
}
