/* The text that every match of an expression has, as far as it is plain to see: found first and much faster
 * than the expression. Whatever is not surely understood gives up. */
#include "logs/store/needed.h"

struct scan {
    struct str re;
    size_t at;
    char *run, *best; /* each with room for the whole expression */
    size_t run_n, best_n;
};

static void end_run(struct scan *s)
{
    if (s->run_n > s->best_n) {
        char *swap = s->best;
        s->best = s->run;
        s->best_n = s->run_n;
        s->run = swap;
    }
    s->run_n = 0;
}

/* What was last may be absent: its bytes go, all of them for a character of several. */
static void drop_last(struct scan *s)
{
    size_t n = s->run_n;
    while (n && (unsigned char)s->run[n - 1] >= 0x80) {
        n--;
    }
    s->run_n = n == s->run_n && n ? n - 1 : n;
    end_run(s);
}

/* Behind a '[': false when the class does not end. */
static bool skip_class(struct scan *s)
{
    s->at += s->at < s->re.n && s->re.p[s->at] == '^';
    s->at += s->at < s->re.n && s->re.p[s->at] == ']';
    for (; s->at < s->re.n && s->re.p[s->at] != ']'; s->at++) {
        if (s->re.p[s->at] == '[') { /* [:alpha:] */
            return false;
        }
        s->at += s->re.p[s->at] == '\\';
    }
    return s->at++ < s->re.n;
}

/* Behind a '{': whether it begins a repetition, which is skipped. */
static bool skip_repetition(struct scan *s)
{
    size_t at = s->at;
    while (at < s->re.n && ((s->re.p[at] >= '0' && s->re.p[at] <= '9') || s->re.p[at] == ',')) {
        at++;
    }
    if (at == s->at || at == s->re.n || s->re.p[at] != '}') {
        return false;
    }
    s->at = at + 1;
    return true;
}

static bool scan_escape(struct scan *s)
{
    static const char ends[] = "dDwWsSbBAz"; /* classes and places, without operands */
    if (s->at == s->re.n) {
        return false;
    }
    char c = s->re.p[s->at++];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool other = (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
    if (letter || other) {
        end_run(s);
        return !other && memchr(ends, c, sizeof(ends) - 1);
    }
    s->run[s->run_n++] = c;
    return true;
}

static bool scan_one(struct scan *s)
{
    char c = s->re.p[s->at++];
    switch (c) {
    case '|':
    case '(':
    case ')':
        return false;
    case '\\':
        return scan_escape(s);
    case '[':
        end_run(s);
        return skip_class(s);
    case '{':
        if (skip_repetition(s)) {
            drop_last(s);
        } else {
            end_run(s);
        }
        return true;
    case '*':
    case '?':
        drop_last(s);
        return true;
    case '+':
    case '.':
    case '^':
    case '$':
        end_run(s);
        return true;
    default:
        s->run[s->run_n++] = c;
        return true;
    }
}

enum err regex_needed_text(struct str re, struct arena *a, struct str *ret_text)
{
    *ret_text = (struct str){0};
    struct scan s = {.re = re, .run = arena_bytes(a, re.n + 1), .best = arena_bytes(a, re.n + 1)};
    if (!s.run || !s.best) {
        return arena_err(a);
    }
    while (s.at < re.n) {
        if (!scan_one(&s)) {
            return ERR_OK;
        }
    }
    end_run(&s);
    *ret_text = str_of(s.best, s.best_n);
    return ERR_OK;
}
