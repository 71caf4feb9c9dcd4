/* The role demo: the sample application inside the process of the others, or alone. */
#include "base/mem.h"
#include "cairn/role.h"
#include "demo/demo.h"

#include <stdio.h>
#include <string.h>

enum {
    HOST_BYTES_MAX = 256,
    ADDRESS_BYTES_MAX = 300
};

struct demo_role {
    struct role role;
    struct demo *demo;
    char address[ADDRESS_BYTES_MAX];
};

static struct role *make(void)
{
    struct demo_role *d = mem_zalloc(sizeof(*d));
    if (!d) {
        return NULL;
    }
    d->role.ops = &role_demo;
    return &d->role;
}

/* "host:port" into the options; the host is copied into `host`. */
static enum err address_split(const char *address, char host[HOST_BYTES_MAX], struct demo_options *o,
                              struct err_info *reterr_info)
{
    const char *colon = strrchr(address, ':');
    size_t n = colon ? (size_t)(colon - address) : 0;
    if (!colon || n >= HOST_BYTES_MAX || str_to_u64(str_c(colon + 1), &o->port) || o->port > UINT16_MAX) {
        return err_set(reterr_info, ERR_INVALID, "--demo-address: \"%s\" is not of the form host:port",
                       address);
    }
    (void)snprintf(host, HOST_BYTES_MAX, "%.*s", (int)n, n ? address : "0.0.0.0");
    if (!n) {
        (void)snprintf(host, HOST_BYTES_MAX, "0.0.0.0");
    }
    o->listen_address = host;
    return ERR_OK;
}

static enum err listen_role(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    struct demo_role *d = (struct demo_role *)r;
    struct demo_options o;
    char host[HOST_BYTES_MAX];
    char *address = role_address(r, s, (struct str){0});
    if (!address) {
        return err_set(reterr_info, ERR_OOM, "no memory for an address");
    }
    demo_options_init(&o);
    o.log_path = s->services.demo_log.p;
    o.environment = s->services.demo_environment.p;
    o.version = s->services.demo_version.p;
    o.web = s->web;
    enum err e = address_split(address, host, &o, reterr_info);
    mem_free(address);
    if (!e) {
        e = demo_start(&o, &d->demo, reterr_info);
    }
    if (!e) {
        (void)snprintf(d->address, sizeof(d->address), strchr(host, ':') ? "[%s]:%u" : "%s:%u",
                       strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1" : host, demo_port(d->demo));
        s->services.demo = true;
        s->services.demo_address = str_c(d->address);
    }
    return e;
}

static enum err start(struct role *r, struct serve *s, struct err_info *reterr_info)
{
    (void)r;
    (void)s;
    (void)reterr_info;
    return ERR_OK;
}

static void reload(struct role *r)
{
    demo_log_reopen(((struct demo_role *)r)->demo);
}

static void stop(struct role *r)
{
    struct demo_role *d = (struct demo_role *)r;
    demo_stop(d->demo);
    mem_free(d);
}

const struct role_ops role_demo = {
    .name = "demo",
    .replaces = "the sample application",
    .port = 5000,
    .make = make,
    .listen = listen_role,
    .start = start,
    .reload = reload,
    .stop = stop,
};
