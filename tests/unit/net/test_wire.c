#include "wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int wire_connect(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = 10};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        (void)close(fd);
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

bool wire_send(int fd, struct str text)
{
    while (text.n) {
        ssize_t n = send(fd, text.p, text.n, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        text = str_slice(text, (size_t)n, text.n);
    }
    return true;
}

static bool read_some(int fd, struct buf *answer)
{
    char *tail = buf_tail(answer, 65536);
    ssize_t n = tail ? recv(fd, tail, 65536, 0) : -1;
    answer->n += n > 0 ? (size_t)n : 0;
    return n > 0;
}

bool wire_ask(unsigned port, const char *request, struct buf *answer)
{
    int fd = wire_connect(port);
    buf_reset(answer);
    bool sent = fd >= 0 && wire_send(fd, str_c(request));
    while (sent && read_some(fd, answer)) {
    }
    (void)close(fd);
    return sent && answer->n > 0;
}

bool wire_get(unsigned port, const char *path, const char *headers, struct buf *answer)
{
    struct buf request AUTO_BUF = {0};
    buf_printf(&request, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", path,
               headers ? headers : "");
    buf_char(&request, '\0');
    return wire_ask(port, request.p, answer);
}

bool wire_read_until(int fd, const char *text, struct buf *answer)
{
    while (str_find(buf_view(answer), str_c(text), 0) == STR_NPOS) {
        if (!read_some(fd, answer)) {
            return false;
        }
    }
    return true;
}

int wire_status(const struct buf *answer)
{
    uint64_t status = 0;
    struct str first = buf_view(answer);
    if (first.n < 12 || !str_starts(first, STR("HTTP/1.1 ")) ||
        str_to_u64(str_slice(first, 9, 12), &status) != ERR_OK) {
        return 0;
    }
    return (int)status;
}

struct str wire_body(const struct buf *answer)
{
    struct str all = buf_view(answer);
    size_t at = str_find(all, STR("\r\n\r\n"), 0);
    return at == STR_NPOS ? (struct str){0} : str_slice(all, at + 4, all.n);
}

struct str wire_header(const struct buf *answer, const char *name)
{
    struct str all = buf_view(answer);
    size_t end = str_find(all, STR("\r\n\r\n"), 0);
    struct str rest = end == STR_NPOS ? (struct str){0} : str_slice(all, 0, end);
    while (rest.p) {
        struct str value = str_cut(&rest, '\n'), key = str_cut(&value, ':');
        if (str_ieq(key, str_c(name))) {
            return str_trim(value);
        }
    }
    return (struct str){0};
}
