// The one C++ file: a C face for RE2. Nothing thrown leaves it; memory is bounded by REGEX_MEM_BYTES_MAX.
extern "C" {
#include "labels/regex.h"
}

#include <re2/re2.h>

#include <memory>
#include <new>
#include <string>
#include <vector>

using re2::RE2;
using re2::StringPiece;

struct regex {
    std::string pattern;
    std::unique_ptr<RE2> re;
    bool anchored;
    std::vector<std::string> names; // by group number
    std::vector<std::string> literals;
    std::string prefix;
    bool any_rest = false;            // what follows the prefix may be anything of at least
    size_t rest_least = 0;            // so many bytes
    std::string required;             // every match has it somewhere
    std::vector<std::string> between; // what stands around each ".*" when there is nothing else
};

namespace
{

// Characters that make a pattern more than a plain string.
bool is_plain(const std::string &s)
{
    return s.find_first_of("\\.+*?()|[]{}^$") == std::string::npos;
}

// Splits a|b|c, or before(a|b|c)after, when all of it is plain; empty otherwise.
std::vector<std::string> finite_set(const std::string &pattern)
{
    std::string s = pattern, before, after;
    size_t open = s.find('('), close = s.rfind(')');
    if (open != std::string::npos && close != std::string::npos && open < close) {
        before = s.substr(0, open);
        after = s.substr(close + 1);
        size_t from = open + (s.compare(open + 1, 2, "?:") == 0 ? 3 : 1);
        if (from > close || !is_plain(before) || !is_plain(after)) {
            return {};
        }
        s = s.substr(from, close - from);
    }
    std::vector<std::string> out;
    size_t from = 0;
    while (true) {
        size_t bar = s.find('|', from);
        std::string part = s.substr(from, bar == std::string::npos ? bar : bar - from);
        if (!is_plain(part)) {
            return {};
        }
        out.push_back(before + part + after);
        if (bar == std::string::npos) {
            return out;
        }
        from = bar + 1;
    }
}

std::string literal_prefix(const std::string &s)
{
    if (s.find('|') != std::string::npos) {
        return "";
    }
    size_t n = s.find_first_of("\\.+*?()[]{}^$");
    if (n == std::string::npos) {
        return s;
    }
    if (n > 0 && (s[n] == '*' || s[n] == '?' || s[n] == '{')) {
        n--; // the character before may be absent
        while (n > 0 && (static_cast<unsigned char>(s[n]) & 0xc0) == 0x80) {
            n--; // it is a whole code point
        }
    }
    return s.substr(0, n);
}

// An expression of one branch, as far as it is told apart here.
struct pieces {
    std::vector<std::string> runs; // plain text between what is not; the first and last may be empty
    bool dot_stars = true;         // there is nothing but ".*" between them
};

void drop_last_point(std::string *s)
{
    while (!s->empty() && (static_cast<unsigned char>(s->back()) & 0xc0) == 0x80) {
        s->pop_back();
    }
    if (!s->empty()) {
        s->pop_back();
    }
}

// The place behind a class that begins at i, or npos.
size_t class_end(const std::string &s, size_t i)
{
    i += s.compare(i, 2, "[^") == 0 ? 2U : 1U;
    i += i < s.size() && s[i] == ']' ? 1U : 0U;
    for (; i < s.size() && s[i] != ']'; i++) {
        if (s[i] == '[') {
            return std::string::npos; // [:alpha:] among others: not looked into
        }
        i += s[i] == '\\' ? 1U : 0U;
    }
    return i < s.size() ? i + 1 : std::string::npos;
}

// False when it has branches, groups, or what else is not looked into.
bool cut_in_pieces(const std::string &s, struct pieces *out)
{
    std::string run;
    for (size_t i = 0; i < s.size();) {
        char c = s[i];
        bool escaped = c == '\\' && i + 1 < s.size() && ispunct(static_cast<unsigned char>(s[i + 1]));
        if (escaped || std::string("\\.+*?()|[]{}^$").find(c) == std::string::npos) {
            run.push_back(s[i + escaped]);
            i += 1 + static_cast<size_t>(escaped);
            continue;
        }
        bool dot_star = s.compare(i, 2, ".*") == 0 && s.compare(i, 3, ".*?") != 0;
        if (c == '*' || c == '?') { // the character before may be absent
            drop_last_point(&run);
        } else if (c != '.' && c != '+' && c != '[') {
            return false;
        }
        out->dot_stars = out->dot_stars && dot_star;
        out->runs.push_back(run);
        run.clear();
        i = c == '[' ? class_end(s, i) : i + 1 + static_cast<size_t>(dot_star);
        if (i == std::string::npos) {
            return false;
        }
    }
    out->runs.push_back(run);
    return true;
}

const std::string &longest(const std::vector<std::string> &runs)
{
    size_t best = 0;
    for (size_t i = 1; i < runs.size(); i++) {
        best = runs[i].size() > runs[best].size() ? i : best;
    }
    return runs[best];
}

// Whether the runs stand in the text in their order, the first at its begin and the last at its end.
bool stand_in_order(const std::vector<std::string> &runs, struct str text)
{
    const std::string &first = runs.front(), &last = runs.back();
    if (text.n < first.size() + last.size() || memcmp(text.p, first.data(), first.size()) != 0 ||
        memcmp(text.p + text.n - last.size(), last.data(), last.size()) != 0) {
        return false;
    }
    const char *p = text.p + first.size(), *end = text.p + text.n - last.size();
    for (size_t i = 1; i + 1 < runs.size(); i++) {
        const void *at = memmem(p, static_cast<size_t>(end - p), runs[i].data(), runs[i].size());
        if (!at) {
            return false;
        }
        p = static_cast<const char *>(at) + runs[i].size();
    }
    return true;
}

// Go's wording for RE2's error codes.
const char *go_error(RE2::ErrorCode code)
{
    switch (code) {
    case RE2::ErrorBadEscape:
        return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
        return "invalid character class";
    case RE2::ErrorBadCharRange:
        return "invalid character class range";
    case RE2::ErrorMissingBracket:
        return "missing closing ]";
    case RE2::ErrorMissingParen:
        return "missing closing )";
    case RE2::ErrorUnexpectedParen:
        return "unexpected )";
    case RE2::ErrorTrailingBackslash:
        return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
        return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
        return "invalid repeat count";
    case RE2::ErrorRepeatOp:
        return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
        return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
        return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
        return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
        return "expression too large";
    case RE2::NoError:
    case RE2::ErrorInternal:
        break;
    }
    return "internal error";
}

// Go reads (?<name>...) like (?P<name>...); this RE2 knows the latter only.
std::string with_p_groups(const std::string &s)
{
    std::string out;
    bool in_class = false;
    for (size_t i = 0; i < s.size(); i++) {
        out.push_back(s[i]);
        if (s[i] == '\\' && i + 1 < s.size()) {
            out.push_back(s[++i]);
        } else if (s[i] == '[' || s[i] == ']') {
            in_class = s[i] == '[';
        } else if (!in_class && s.compare(i, 3, "(?<") == 0 && s.compare(i + 3, 1, "=") != 0 &&
                   s.compare(i + 3, 1, "!") != 0) {
            out.append("?P");
            i++;
        }
    }
    return out;
}

enum err compile(struct str pattern, unsigned flags, struct regex **ret_regex, struct err_info *info)
{
    auto out = std::make_unique<struct regex>();
    out->pattern.assign(pattern.p ? pattern.p : "", pattern.n);
    out->anchored = flags & REGEX_ANCHORED;
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(REGEX_MEM_BYTES_MAX + static_cast<int64_t>(pattern.n) * REGEX_MEM_BYTES_PER_BYTE);
    options.set_dot_nl(flags & (REGEX_ANCHORED | REGEX_DOTALL));
    options.set_case_sensitive(!(flags & REGEX_ICASE));
    if (!str_utf8_valid(pattern)) {
        options.set_encoding(RE2::Options::EncodingLatin1);
    }
    out->re = std::make_unique<RE2>(with_p_groups(out->pattern), options);
    if (!out->re->ok()) {
        std::string arg = out->re->error_arg().empty() ? out->pattern : out->re->error_arg();
        if (out->re->error_code() == RE2::ErrorMissingParen ||
            out->re->error_code() == RE2::ErrorUnexpectedParen) {
            arg = out->pattern; // Go quotes the whole expression here
        }
        return err_set(info, ERR_INVALID, "error parsing regexp: %s: `%s`", go_error(out->re->error_code()),
                       arg.c_str());
    }
    out->names.resize(static_cast<size_t>(out->re->NumberOfCapturingGroups()) + 1);
    for (const auto &it : out->re->CapturingGroupNames()) {
        out->names[static_cast<size_t>(it.first)] = it.second;
    }
    if (!(flags & REGEX_ICASE) && out->anchored) {
        out->literals = finite_set(out->pattern);
        out->prefix = literal_prefix(out->pattern);
        std::string rest = out->pattern.substr(out->prefix.size());
        out->any_rest = rest == ".*" || rest == ".+";
        out->rest_least = rest == ".+";
        struct pieces pieces;
        if (cut_in_pieces(out->pattern, &pieces)) {
            out->required = longest(pieces.runs);
            out->between = pieces.dot_stars && pieces.runs.size() > 1 ? pieces.runs : out->between;
        }
    }
    *ret_regex = out.release();
    return ERR_OK;
}

} // namespace

extern "C" {

enum err regex_new(struct str pattern, unsigned flags, struct regex **ret_regex, struct err_info *reterr_info)
{
    if (pattern.n > REGEX_PATTERN_BYTES_MAX) {
        return err_set(reterr_info, ERR_LIMIT, "regular expression of %zu bytes exceeds the limit of %d",
                       pattern.n, REGEX_PATTERN_BYTES_MAX);
    }
    try {
        return compile(pattern, flags, ret_regex, reterr_info);
    } catch (const std::bad_alloc &) {
        return err_set(reterr_info, ERR_OOM, "out of memory while compiling a regular expression");
    } catch (...) {
        return err_set(reterr_info, ERR_INTERNAL, "compiling a regular expression failed");
    }
}

void regex_free(struct regex *re)
{
    delete re;
}

bool regex_match(const struct regex *re, struct str text)
{
    if (!re->literals.empty()) {
        for (const std::string &l : re->literals) {
            if (l.size() == text.n && (text.n == 0 || memcmp(l.data(), text.p, text.n) == 0)) {
                return true;
            }
        }
        return false;
    }
    if (!re->prefix.empty() && !str_starts(text, str_of(re->prefix.data(), re->prefix.size()))) {
        return false;
    }
    if (re->any_rest) {
        return text.n >= re->prefix.size() + re->rest_least;
    }
    if (text.n && !re->between.empty()) {
        return stand_in_order(re->between, text);
    }
    if (!re->required.empty() &&
        (text.n == 0 || !memmem(text.p, text.n, re->required.data(), re->required.size()))) {
        return false;
    }
    StringPiece piece(text.p ? text.p : "", text.n);
    return re->re->Match(piece, 0, text.n, re->anchored ? RE2::ANCHOR_BOTH : RE2::UNANCHORED, nullptr, 0);
}

bool regex_find(const struct regex *re, struct str text, size_t from, struct str *ret_captures, size_t n)
{
    StringPiece groups[REGEX_CAPTURES_MAX];
    StringPiece piece(text.p ? text.p : "", text.n);
    size_t want = n < REGEX_CAPTURES_MAX ? n : static_cast<size_t>(REGEX_CAPTURES_MAX);
    if (from > text.n ||
        !re->re->Match(piece, from, text.n, re->anchored ? RE2::ANCHOR_BOTH : RE2::UNANCHORED, groups,
                       static_cast<int>(want))) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        ret_captures[i] =
            i < want && groups[i].data() ? str_of(groups[i].data(), groups[i].size()) : str_of(nullptr, 0);
    }
    return true;
}

size_t regex_group_count(const struct regex *re)
{
    return re->names.size() - 1;
}

struct str regex_group_name(const struct regex *re, size_t i)
{
    return i < re->names.size() ? str_of(re->names[i].data(), re->names[i].size()) : str_of(nullptr, 0);
}

struct str regex_pattern(const struct regex *re)
{
    return str_of(re->pattern.data(), re->pattern.size());
}

size_t regex_literal_count(const struct regex *re)
{
    return re->literals.size();
}

struct str regex_literal(const struct regex *re, size_t i)
{
    return str_of(re->literals[i].data(), re->literals[i].size());
}

struct str regex_prefix(const struct regex *re)
{
    return str_of(re->prefix.data(), re->prefix.size());
}
}
