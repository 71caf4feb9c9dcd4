/* dns_sd_configs: A, AAAA, SRV, MX and NS records as targets, by the resolver of the system (resolv.conf, its
 * servers and search list). A name that does not exist has no targets; any other failure keeps the old ones.
 */
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <arpa/inet.h>

#include "metrics/discovery/discovery_int.h"

enum {
    ANSWER_BYTES_MAX = 65535,
    RECORDS_MAX = 4096 /* of one name */
};

struct lookup {
    const struct sd_config *c;
    struct str name;
    struct target_groups *groups;
    struct err_info *info;
};

/* host without its trailing dot. */
static struct str host_name(const char *text)
{
    struct str s = str_c(text);
    return s.n > 1 && s.p[s.n - 1] == '.' ? str_of(s.p, s.n - 1) : s;
}

static enum err add(struct lookup *l, struct str address, const struct label *meta, size_t n)
{
    struct label labels[4];
    size_t count = 0;
    labels[count++] = (struct label){STR("__address__"), address};
    labels[count++] = (struct label){STR("__meta_dns_name"), l->name};
    for (size_t i = 0; i < n; i++) {
        labels[count++] = meta[i];
    }
    return target_groups_add_target(l->groups, (struct labels){labels, count}, l->name, l->info);
}

static enum err add_address(struct lookup *l, const unsigned char *data, size_t size)
{
    char text[INET6_ADDRSTRLEN], address[INET6_ADDRSTRLEN + 32];
    int family = size == 4 ? AF_INET : AF_INET6;
    if ((size != 4 && size != 16) || !inet_ntop(family, data, text, sizeof(text))) {
        return ERR_OK;
    }
    int n = snprintf(address, sizeof(address), size == 4 ? "%s:%u" : "[%s]:%u", text, l->c->port);
    return add(l, str_of(address, (size_t)n), NULL, 0);
}

/* Of records that name a host; `skip` bytes stand before the name. */
static enum err add_host(struct lookup *l, const ns_msg *m, const ns_rr *r, size_t skip, unsigned port,
                         const char *target_label)
{
    char host[NS_MAXDNAME], address[NS_MAXDNAME + 16], number[16];
    if (ns_rr_rdlen(*r) <= skip ||
        ns_name_uncompress(ns_msg_base(*m), ns_msg_end(*m), ns_rr_rdata(*r) + skip, host, sizeof(host)) < 0) {
        return ERR_OK;
    }
    struct str name = host_name(host);
    int n = snprintf(address, sizeof(address), "%.*s:%u", STR_FMT(name), port),
        k = snprintf(number, sizeof(number), "%u", port);
    struct label meta[2] = {{str_c(target_label), str_c(host)},
                            {STR("__meta_dns_srv_record_port"), str_of(number, (size_t)k)}};
    return add(l, str_of(address, (size_t)n), meta, l->c->dns_type == ns_t_srv ? 2 : 1);
}

static enum err add_record(struct lookup *l, const ns_msg *m, const ns_rr *r)
{
    if ((int)ns_rr_type(*r) != l->c->dns_type) {
        return ERR_OK; /* a CNAME on the way */
    }
    switch (l->c->dns_type) {
    case ns_t_srv:
        return ns_rr_rdlen(*r) < 7 ? ERR_OK
                                   : add_host(l, m, r, 6, (unsigned)ns_get16(ns_rr_rdata(*r) + 4),
                                              "__meta_dns_srv_record_target");
    case ns_t_mx:
        return add_host(l, m, r, 2, l->c->port, "__meta_dns_mx_record_target");
    case ns_t_ns:
        return add_host(l, m, r, 0, l->c->port, "__meta_dns_ns_record_target");
    default:
        return add_address(l, ns_rr_rdata(*r), ns_rr_rdlen(*r));
    }
}

static enum err look_up(struct lookup *l, res_state resolver)
{
    static _Thread_local unsigned char answer[ANSWER_BYTES_MAX];
    ns_msg message;
    int n = res_nsearch(resolver, l->name.p, ns_c_in, l->c->dns_type, answer, sizeof(answer));
    if (n < 0) {
        bool absent = resolver->res_h_errno == HOST_NOT_FOUND || resolver->res_h_errno == NO_DATA;
        return absent ? ERR_OK
                      : err_set(l->info, ERR_UNAVAILABLE, "could not resolve \"%.*s\": %s", STR_FMT(l->name),
                                hstrerror(resolver->res_h_errno));
    }
    if (ns_initparse(answer, n, &message) < 0) {
        return err_set(l->info, ERR_INVALID, "malformed DNS answer for \"%.*s\"", STR_FMT(l->name));
    }
    enum err e = ERR_OK;
    for (int i = 0; i < ns_msg_count(message, ns_s_an) && i < RECORDS_MAX && !e; i++) {
        ns_rr record;
        if (ns_parserr(&message, ns_s_an, i, &record) == 0) {
            e = add_record(l, &message, &record);
        }
    }
    return e;
}

enum err sd_dns_refresh(struct sd_provider *p, struct target_groups **ret_groups, struct err_info *info)
{
    struct __res_state resolver = {0};
    struct lookup l = {.c = p->config, .info = info};
    enum err e = target_groups_new(&l.groups);
    if (e) {
        return e;
    }
    if (res_ninit(&resolver) != 0) {
        target_groups_unref(l.groups);
        return err_set(info, ERR_UNAVAILABLE, "the resolver's configuration cannot be read");
    }
    for (size_t i = 0; i < p->config->file_count && !e; i++) {
        l.name = p->config->files[i];
        e = look_up(&l, &resolver);
        atomic_fetch_add(&p->d->dns_lookups, 1);
    }
    res_nclose(&resolver);
    if (e) {
        atomic_fetch_add(&p->d->dns_failures, 1);
        target_groups_unref(l.groups);
        return e;
    }
    *ret_groups = l.groups;
    return ERR_OK;
}
