/* Finds runs of characters that look like addresses, and compares those that are. */
#include "logs/logql/ip.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "base/buf.h"
#include "labels/labels.h"

static bool addr_parse(struct str s, struct ip_addr *ret_addr)
{
    char text[64];
    struct ip_addr a = {.size = 4};
    if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, 0, s.n)) {
        return false;
    }
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    if (inet_pton(AF_INET, text, a.bytes) == 1) {
        *ret_addr = a;
        return true;
    }
    a.size = 16;
    if (inet_pton(AF_INET6, text, a.bytes) == 1) {
        *ret_addr = a;
        return true;
    }
    return false;
}

static bool prefix_parse(struct str s, struct ip_range *r)
{
    size_t slash = str_find_char(s, '/', 0);
    uint64_t bits;
    if (slash == STR_NPOS || !addr_parse(str_slice(s, 0, slash), &r->first)) {
        return false;
    }
    struct str digits = str_slice(s, slash + 1, s.n);
    bool plain = digits.n > 0 && isdigit((unsigned char)digits.p[0]) && (digits.n == 1 || digits.p[0] != '0');
    if (!plain || str_to_u64(digits, &bits) != ERR_OK || bits > r->first.size * 8u) {
        return false;
    }
    r->last = r->first;
    for (unsigned i = 0; i < r->first.size; i++) {
        unsigned kept = bits >= 8 * (i + 1) ? 8 : bits > 8 * i ? (unsigned)bits - 8 * i : 0;
        unsigned char mask = (unsigned char)(0xff00u >> kept);
        r->first.bytes[i] &= mask;
        r->last.bytes[i] |= (unsigned char)~mask;
    }
    return true;
}

static int compare(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->bytes, b->bytes, a->size);
}

enum err ip_parse(struct str text, struct ip_range *ret_range, struct err_info *reterr_info)
{
    struct ip_range r;
    if (addr_parse(text, &r.first)) {
        r.last = r.first;
        *ret_range = r;
        return ERR_OK;
    }
    if (prefix_parse(text, &r)) {
        *ret_range = r;
        return ERR_OK;
    }
    size_t dash = str_find_char(text, '-', 0);
    if (dash != STR_NPOS && addr_parse(str_slice(text, 0, dash), &r.first) &&
        addr_parse(str_slice(text, dash + 1, text.n), &r.last) && r.first.size == r.last.size &&
        compare(&r.first, &r.last) <= 0) {
        *ret_range = r;
        return ERR_OK;
    }
    struct buf q AUTO_BUF = {0};
    labels_quote(&q, text);
    return err_set(reterr_info, ERR_INVALID, "ip: invalid pattern: %.*s", STR_FMT(buf_view(&q)));
}

static bool in_range(const struct ip_range *r, struct str s)
{
    struct ip_addr a;
    return addr_parse(s, &a) && a.size == r->first.size && compare(&r->first, &a) <= 0 &&
           compare(&a, &r->last) <= 0;
}

static bool is_hex(char c)
{
    return isxdigit((unsigned char)c) != 0;
}

static char at(struct str s, size_t i)
{
    return i < s.n ? s.p[i] : 0;
}

static bool looks_like_v4(struct str s, size_t i)
{
    return i + 3 < s.n && isdigit((unsigned char)s.p[i]) &&
           (s.p[i + 1] == '.' || s.p[i + 2] == '.' || s.p[i + 3] == '.');
}

static bool looks_like_v6(struct str s, size_t i)
{
    if (at(s, i) == ':' && at(s, i + 1) == ':' && is_hex(at(s, i + 2))) {
        return true;
    }
    for (size_t k = 0; k < 4; k++) {
        if (!is_hex(at(s, i + k))) {
            return false;
        }
        if (at(s, i + k + 1) == ':') {
            return true;
        }
    }
    return false;
}

bool ip_found(const struct ip_range *r, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        bool v4 = looks_like_v4(text, i);
        if (!v4 && !looks_like_v6(text, i)) {
            continue;
        }
        size_t end = i;
        while (end < text.n && (isdigit((unsigned char)text.p[end]) || text.p[end] == '.' ||
                                (!v4 && (is_hex(text.p[end]) || text.p[end] == ':')))) {
            end++;
        }
        if (in_range(r, str_slice(text, i, end))) {
            return true;
        }
        i = end;
    }
    return false;
}
