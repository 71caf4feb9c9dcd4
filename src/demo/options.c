/* Flags of the demo. A new one is a field of struct demo_options and a row here. Pure but for the caller's
 * structs. */
#include "demo/options.h"

#include <math.h>
#include <stdlib.h>

static const struct demo_option option_table[] = {
    {"listen", DEMO_OPTION_TEXT, offsetof(struct demo_options, listen_address), 0, 0, "ADDRESS",
     "address to listen on; 0.0.0.0 for all"},
    {"port", DEMO_OPTION_COUNT, offsetof(struct demo_options, port), 0, 65535, "PORT",
     "port to listen on; 0 for any"},
    {"log-path", DEMO_OPTION_TEXT, offsetof(struct demo_options, log_path), 0, 0, "FILE",
     "log file; - for standard error"},
    {"log-format", DEMO_OPTION_TEXT, offsetof(struct demo_options, log_format), 0, 0, "FORMAT",
     "python, json or logfmt"},
    {"rate-limit", DEMO_OPTION_NUMBER, offsetof(struct demo_options, rate_limit), 0, 1e6, "N",
     "requests a second for each client address, answered with 429 above; 0 for no limit"},
    {"traffic-rate", DEMO_OPTION_NUMBER, offsetof(struct demo_options, traffic_rate), 0, 1000, "N",
     "generated requests a second, averaged over a day; 0 for none"},
    {"environment", DEMO_OPTION_TEXT, offsetof(struct demo_options, environment), 0, 0, "NAME",
     "label of flask_app_info"},
    {"app-version", DEMO_OPTION_TEXT, offsetof(struct demo_options, version), 0, 0, "VERSION",
     "label of flask_app_info"},
    {"threads", DEMO_OPTION_COUNT, offsetof(struct demo_options, threads), 1, 64, "N", "network threads"},
};

const struct demo_option *demo_option_table(size_t *ret_count)
{
    *ret_count = ARRAY_LEN(option_table);
    return option_table;
}

void demo_options_init(struct demo_options *options)
{
    *options = (struct demo_options){
        .listen_address = "127.0.0.1",
        .port = 5000,
        .log_path = "/var/log/app.log",
        .log_format = "python",
        .traffic_rate = 4,
        .environment = "production",
        .version = "1.0.0",
        .threads = 1,
    };
}

static enum err unknown_flag(struct str name, struct err_info *reterr_info)
{
    const char *names[ARRAY_LEN(option_table) + 1] = {"help"};
    for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
        names[i + 1] = option_table[i].name;
    }
    const char *near = str_nearest(name, names, ARRAY_LEN(names));
    if (near != NULL) {
        return err_set(reterr_info, ERR_INVALID, "unknown flag --%.*s, did you mean --%s?", STR_FMT(name),
                       near);
    }
    return err_set(reterr_info, ERR_INVALID, "unknown flag --%.*s, see --help", STR_FMT(name));
}

/* Decimal digits with at most one point. */
static bool number_parse(const char *text, double *ret_value)
{
    double value = 0;
    double place = 1;
    bool point = false;
    size_t digits = 0;
    for (; *text != '\0'; text++) {
        if (*text == '.' && !point) {
            point = true;
        } else if (*text >= '0' && *text <= '9') {
            digits++;
            place = point ? place / 10 : place;
            value = point ? value + (*text - '0') * place : value * 10 + (*text - '0');
        } else {
            return false;
        }
    }
    *ret_value = value;
    return digits > 0 && isfinite(value);
}

static enum err option_set(const struct demo_option *option, const char *text, struct demo_options *options,
                           struct err_info *reterr_info)
{
    char *field = (char *)options + option->offset;
    if (option->kind == DEMO_OPTION_TEXT) {
        if (text[0] == '\0') {
            return err_set(reterr_info, ERR_INVALID, "--%s needs a value", option->name);
        }
        memcpy(field, &text, sizeof text);
        return ERR_OK;
    }
    double value;
    bool whole = option->kind == DEMO_OPTION_COUNT;
    if (!number_parse(text, &value) || value < option->least || value > option->most ||
        (whole && value != floor(value))) {
        return err_set(reterr_info, ERR_INVALID, "--%s: \"%s\" is not a %s from %.0f to %.0f", option->name,
                       text, whole ? "whole number" : "number", option->least, option->most);
    }
    if (whole) {
        uint64_t count = (uint64_t)value;
        memcpy(field, &count, sizeof count);
    } else {
        memcpy(field, &value, sizeof value);
    }
    return ERR_OK;
}

/* One flag at argv[*at], whose value may be the next argument; moves *at to the last one used. */
static enum err flag_parse(int argc, char **argv, int *at, struct demo_options *options, bool *ret_help,
                           struct err_info *reterr_info)
{
    const char *argument = argv[*at];
    if (argument[0] != '-' || argument[1] == '\0') {
        return err_set(reterr_info, ERR_INVALID, "unexpected argument \"%s\", see --help", argument);
    }
    struct str name = str_c(argument + (argument[1] == '-' ? 2 : 1));
    size_t equals = str_find_char(name, '=', 0);
    const char *value = equals == STR_NPOS ? NULL : name.p + equals + 1;
    name.n = equals == STR_NPOS ? name.n : equals;
    if (str_eq_c(name, "help") || str_eq_c(name, "h")) {
        *ret_help = true;
        return ERR_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
        if (!str_eq_c(name, option_table[i].name)) {
            continue;
        }
        if (value == NULL && *at + 1 == argc) {
            return err_set(reterr_info, ERR_INVALID, "--%s needs a value", option_table[i].name);
        }
        value = value != NULL ? value : argv[++*at];
        return option_set(&option_table[i], value, options, reterr_info);
    }
    return unknown_flag(name, reterr_info);
}

enum err demo_options_parse(int argc, char **argv, struct demo_options *options, bool *ret_help,
                            struct err_info *reterr_info)
{
    *ret_help = false;
    for (int at = 1; at < argc; at++) {
        enum err e = flag_parse(argc, argv, &at, options, ret_help, reterr_info);
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

static void default_append(struct buf *b, const struct demo_option *option,
                           const struct demo_options *defaults)
{
    const char *field = (const char *)defaults + option->offset;
    if (option->kind == DEMO_OPTION_TEXT) {
        const char *text;
        memcpy(&text, field, sizeof text);
        buf_c(b, text);
    } else if (option->kind == DEMO_OPTION_COUNT) {
        uint64_t count;
        memcpy(&count, field, sizeof count);
        buf_u64(b, count);
    } else {
        double number;
        memcpy(&number, field, sizeof number);
        buf_printf(b, "%g", number);
    }
}

void demo_options_help(struct buf *b)
{
    struct demo_options defaults;
    demo_options_init(&defaults);
    buf_c(
        b,
        "usage: cairn demo [flags]\n\nThe sample web application: /, /api/data, /api/users/<id>, /api/slow, "
        "/api/error, /health, /metrics.\n\n");
    for (size_t i = 0; i < ARRAY_LEN(option_table); i++) {
        const struct demo_option *option = &option_table[i];
        size_t start = b->n;
        buf_printf(b, "  --%s=%s", option->name, option->value);
        while (b->err == ERR_OK && b->n - start < 26) {
            buf_char(b, ' ');
        }
        buf_printf(b, " %s (default ", option->help);
        default_append(b, option, &defaults);
        buf_c(b, ")\n");
    }
}
