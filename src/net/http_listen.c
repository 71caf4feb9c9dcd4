/* Addresses and listening sockets. Messages name the role and the address, and what to do about it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_int.h"

enum {
    LISTEN_BACKLOG = 1024
};

/* "host:port", ":port" or "[v6]:port"; host is empty for all addresses. */
static enum err split_address(const struct http_server_options *o, char *host, size_t host_size, char *port,
                              size_t port_size, struct err_info *info)
{
    struct str address = o->listen_address;
    size_t colon = STR_NPOS;
    for (size_t i = 0; i < address.n; i++) {
        colon = address.p[i] == ':' ? i : colon;
    }
    if (colon == STR_NPOS) {
        return err_set(info, ERR_INVALID, "%s: listen address \"%.*s\" has no port (expected HOST:PORT)",
                       o->role, STR_FMT(address));
    }
    struct str h = str_slice(address, 0, colon), p = str_slice(address, colon + 1, address.n);
    bool bracketed = h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']';
    if (bracketed) {
        h = str_slice(h, 1, h.n - 1);
    }
    uint64_t number;
    if (str_to_u64(p, &number) != ERR_OK || number > 65535 || h.n >= host_size ||
        (!bracketed && str_find_char(h, ':', 0) != STR_NPOS)) {
        return err_set(info, ERR_INVALID, "%s: listen address \"%.*s\" is not HOST:PORT", o->role,
                       STR_FMT(address));
    }
    (void)snprintf(host, host_size, "%.*s", STR_FMT(h));
    (void)snprintf(port, port_size, "%llu", (unsigned long long)number);
    return ERR_OK;
}

/* The socket, or -1 with errno. */
static int bind_one(const struct addrinfo *ai)
{
    int on = 1, off = 0;
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (ai->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static enum err listen_error(const struct http_server_options *o, int sys_errno, struct err_info *info)
{
    if (sys_errno == EADDRINUSE) {
        return err_set(
            info, ERR_EXISTS,
            "role %s cannot listen on %.*s: address already in use; stop the other program or choose another "
            "port",
            o->role, STR_FMT(o->listen_address));
    }
    if (sys_errno == EACCES) {
        return err_set(info, ERR_DENIED,
                       "role %s cannot listen on %.*s: permission denied; ports below 1024 need a "
                       "privilege",
                       o->role, STR_FMT(o->listen_address));
    }
    return err_set_errno(info, sys_errno, "role %s cannot listen on %.*s", o->role,
                         STR_FMT(o->listen_address));
}

enum err http_listen(const struct http_server_options *o, int *ret_fd, struct err_info *info)
{
    char host[256], port[16];
    enum err e = split_address(o, host, sizeof(host), port, sizeof(port), info);
    if (e != ERR_OK) {
        return e;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &list);
    if (rc != 0) {
        return err_set(info, ERR_INVALID, "role %s cannot listen on %.*s: %s", o->role,
                       STR_FMT(o->listen_address), gai_strerror(rc));
    }
    int fd = -1, saved = 0;
    /* All addresses: the IPv6 socket takes IPv4 as well, so it comes first. A named host: as resolved. */
    for (int pass = 0; pass < 2; pass++) {
        for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next) {
            if (host[0] ? pass == 0 : (ai->ai_family == AF_INET6) == (pass == 0)) {
                fd = bind_one(ai);
                saved = fd < 0 && saved != EADDRINUSE ? errno : saved;
            }
        }
    }
    freeaddrinfo(list);
    if (fd < 0) {
        return listen_error(o, saved, info);
    }
    *ret_fd = fd;
    return ERR_OK;
}

unsigned http_bound(int fd, char *text, size_t text_size)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof(a);
    char host[INET6_ADDRSTRLEN] = "";
    text[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
        return 0;
    }
    if (a.ss_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, &a, sizeof(six));
        (void)inet_ntop(AF_INET6, &six.sin6_addr, host, sizeof(host));
        (void)snprintf(text, text_size, "[%s]:%u", host, ntohs(six.sin6_port));
        return ntohs(six.sin6_port);
    }
    struct sockaddr_in four;
    memcpy(&four, &a, sizeof(four));
    (void)inet_ntop(AF_INET, &four.sin_addr, host, sizeof(host));
    (void)snprintf(text, text_size, "%s:%u", host, ntohs(four.sin_port));
    return ntohs(four.sin_port);
}
