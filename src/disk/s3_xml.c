/* A scan for elements by name. */
#include "disk/s3_xml.h"

#include <stdio.h>

enum {
    NAME_BYTES_MAX = 64
};

/* Past the end of the opening tag `<name>` or `<name attribute="...">`. */
static size_t open_tag(struct str xml, struct str name, size_t from)
{
    char tag[NAME_BYTES_MAX];
    int n = snprintf(tag, sizeof(tag), "<%.*s", STR_FMT(name));
    for (size_t at = from; (at = str_find(xml, str_of(tag, (size_t)n), at)) != STR_NPOS; at++) {
        size_t after = at + (size_t)n;
        if (after < xml.n && (xml.p[after] == '>' || xml.p[after] == ' ')) {
            size_t close = str_find_char(xml, '>', after);
            return close == STR_NPOS ? STR_NPOS : close + 1;
        }
    }
    return STR_NPOS;
}

struct str s3_xml_next(struct str xml, const char *name, size_t *at)
{
    char tag[NAME_BYTES_MAX];
    int n = snprintf(tag, sizeof(tag), "</%s>", name);
    size_t begin = open_tag(xml, str_c(name), *at);
    size_t end = begin == STR_NPOS ? STR_NPOS : str_find(xml, str_of(tag, (size_t)n), begin);
    if (end == STR_NPOS) {
        return (struct str){0};
    }
    *at = end + (size_t)n;
    return str_slice(xml, begin, end);
}

static const struct {
    struct str entity;
    char c;
} entities[] = {{STR_INIT("&amp;"), '&'},  {STR_INIT("&lt;"), '<'},    {STR_INIT("&gt;"), '>'},
                {STR_INIT("&quot;"), '"'}, {STR_INIT("&apos;"), '\''}, {STR_INIT("&#34;"), '"'},
                {STR_INIT("&#39;"), '\''}, {STR_INIT("&#43;"), '+'},   {STR_INIT("&#x2B;"), '+'}};

struct str s3_xml_text(struct str xml, const char *name, struct arena *a)
{
    size_t at = 0;
    struct str raw = s3_xml_next(xml, name, &at);
    char *out = raw.n ? arena_bytes(a, raw.n) : NULL;
    size_t n = 0;
    for (size_t i = 0; out && i < raw.n;) {
        char c = raw.p[i];
        size_t step = 1;
        for (size_t k = 0; c == '&' && step == 1 && k < ARRAY_LEN(entities); k++) {
            if (str_starts(str_slice(raw, i, raw.n), entities[k].entity)) {
                out[n] = entities[k].c;
                step = entities[k].entity.n;
            }
        }
        out[n] = step == 1 ? c : out[n];
        n++;
        i += step;
    }
    return str_of(out, n);
}
