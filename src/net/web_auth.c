/* Who may come in: bcrypt passwords, bearer tokens, the rate limit; and the headers of every answer. */
#include <crypt.h>
#include <gnutls/crypto.h>

#include "base/clock.h"
#include "net/web_config_int.h"

/* For unknown users, so that they take as long as known ones (the hash of a word nobody knows). */
static const char dummy_hash[] = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

static bool same_bytes(const unsigned char *a, const unsigned char *b, size_t n)
{
    unsigned differ = 0;
    for (size_t i = 0; i < n; i++) {
        differ |= (unsigned)(a[i] ^ b[i]);
    }
    return differ == 0;
}

static bool digest_of(struct str text, unsigned char *digest)
{
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, text.p, text.n, digest) == 0;
}

/* -- bearer tokens --------------------------------------------------------------------------------------- */

static bool token_is_own(const struct web_config *w, const unsigned char *given)
{
    unsigned char known[WEB_DIGEST_BYTES];
    return w->own_token[0] && digest_of(str_c(w->own_token), known) &&
           same_bytes(given, known, sizeof(known));
}

bool web_auth_own(const struct web_config *w, struct str authorization)
{
    unsigned char given[WEB_DIGEST_BYTES];
    struct str token = authorization, scheme = str_cut(&token, ' ');
    return str_ieq(scheme, STR("Bearer")) && digest_of(str_trim(token), given) && token_is_own(w, given);
}

/* Compares digests: the time tells nothing about the token. */
static bool token_known(const struct web_config *w, const struct web_snapshot *s, struct arena *a,
                        struct str token, struct str *ret_user)
{
    unsigned char given[WEB_DIGEST_BYTES], known[WEB_DIGEST_BYTES];
    bool found = false;
    if (!digest_of(token, given)) {
        return false;
    }
    if (token_is_own(w, given)) {
        *ret_user = STR("cairn");
        found = true;
    }
    for (const struct web_pair *t = s->tokens; t; t = t->next) {
        if (digest_of(t->value, known) && same_bytes(given, known, sizeof(known))) {
            *ret_user = arena_str(a, t->name);
            found = ret_user->p != NULL;
        }
    }
    return found;
}

/* -- passwords ------------------------------------------------------------------------------------------- */

struct attempt {
    struct str user, password;     /* NUL-terminated, in the request's arena */
    char hash[sizeof(dummy_hash)]; /* what the password is compared with */
    bool known;
    unsigned char digest[WEB_DIGEST_BYTES];
};

/* "user:password" in base64. */
static bool attempt_read(struct arena *a, struct str encoded, struct attempt *t)
{
    gnutls_datum_t in = {(unsigned char *)(uintptr_t)encoded.p, (unsigned)encoded.n}, out = {0};
    if (encoded.n == 0 || encoded.n > 4096 || gnutls_base64_decode2(&in, &out) != 0) {
        return false;
    }
    struct str pair = arena_str(a, str_of((const char *)out.data, out.size));
    gnutls_free(out.data);
    size_t colon = pair.p ? str_find_char(pair, ':', 0) : STR_NPOS;
    if (colon == STR_NPOS || str_find_char(pair, '\0', 0) != STR_NPOS) {
        return false;
    }
    t->user = str_slice(pair, 0, colon);
    t->password = str_slice(pair, colon + 1, pair.n);
    return true;
}

static bool attempt_prepare(const struct web_snapshot *s, struct arena *a, struct attempt *t)
{
    memcpy(t->hash, dummy_hash, sizeof(t->hash));
    for (const struct web_pair *u = s->users; u; u = u->next) {
        if (str_eq(u->name, t->user)) {
            memcpy(t->hash, u->value.p, sizeof(t->hash)); /* 60 bytes and the NUL, checked when read */
            t->known = true;
        }
    }
    struct str key =
        arena_printf(a, "%zu:%.*s%s%.*s", t->user.n, STR_FMT(t->user), t->hash, STR_FMT(t->password));
    return key.p && digest_of(key, t->digest);
}

/* With the state's lock held. */
static const struct web_verdict *verdict_find(const struct web_state *state, const struct attempt *t)
{
    for (size_t i = 0; i < WEB_CACHE_ENTRIES; i++) {
        const struct web_verdict *v = &state->cache[i];
        if (v->used && same_bytes(v->digest, t->digest, sizeof(v->digest))) {
            return v;
        }
    }
    return NULL;
}

static enum err bcrypt_check(struct web_state *state, struct attempt *t)
{
    struct crypt_data *work = mem_zalloc(sizeof(*work));
    if (!work) {
        return ERR_OOM;
    }
    mutex_lock(&state->bcrypt_lock);
    const char *result = crypt_r(t->password.p, t->hash, work);
    mutex_unlock(&state->bcrypt_lock);
    bool right = result && strlen(result) == strlen(t->hash) &&
                 same_bytes((const unsigned char *)result, (const unsigned char *)t->hash, strlen(t->hash)) &&
                 t->known;
    gnutls_memset(work, 0, sizeof(*work));
    mem_free(work);
    mutex_lock(&state->lock);
    struct web_verdict *v = &state->cache[state->cache_next++ % WEB_CACHE_ENTRIES];
    memcpy(v->digest, t->digest, sizeof(v->digest));
    v->right = right;
    v->used = true;
    mutex_unlock(&state->lock);
    return right ? ERR_OK : ERR_DENIED;
}

enum err web_auth(const struct web_config *w, struct arena *a, struct str authorization, bool may_block,
                  struct str *ret_user)
{
    struct attempt t = {0};
    struct str secret = authorization, scheme = str_cut(&secret, ' ');
    const struct web_snapshot *s = web_lock(w);
    enum err e = !s ? ERR_INVALID : !s->users && !s->tokens ? ERR_OK : ERR_DENIED;
    secret = str_trim(secret);
    bool hash = false;
    if (e == ERR_DENIED && str_ieq(scheme, STR("Bearer"))) {
        e = token_known(w, s, a, secret, ret_user) ? ERR_OK : ERR_DENIED;
    } else if (e == ERR_DENIED && str_ieq(scheme, STR("Basic")) && s->users && attempt_read(a, secret, &t) &&
               attempt_prepare(s, a, &t)) {
        const struct web_verdict *v = verdict_find(w->state, &t);
        hash = !v;
        e = !v ? ERR_UNAVAILABLE : v->right ? ERR_OK : ERR_DENIED;
    }
    web_unlock(w);
    if (hash && may_block) {
        e = bcrypt_check(w->state, &t);
    }
    if (e == ERR_OK && t.user.p) {
        *ret_user = t.user;
    }
    return e;
}

enum err web_rate(const struct web_config *w)
{
    const struct web_snapshot *s = web_lock(w);
    struct web_state *state = w->state;
    enum err e = s ? ERR_OK : ERR_INVALID;
    if (s && s->rate_interval_ms > 0) {
        int64_t now_ns = clock_mono_ns(clock_real());
        double gained = (double)(now_ns - state->rate_ns) / (double)(s->rate_interval_ms * NS_PER_MS);
        double full = (double)s->rate_burst;
        state->rate_tokens = state->rate_tokens + gained < full ? state->rate_tokens + gained : full;
        state->rate_ns = now_ns;
        e = state->rate_tokens >= 1 ? ERR_OK : ERR_LIMIT;
        state->rate_tokens -= e == ERR_OK ? 1 : 0;
    }
    web_unlock(w);
    return e;
}

void web_headers(const struct web_config *w, struct MHD_Response *m)
{
    const struct web_snapshot *s = web_lock(w);
    for (const struct web_pair *h = s ? s->headers : NULL; h; h = h->next) {
        if (h->value.n) {
            (void)MHD_add_response_header(m, h->name.p, h->value.p);
        }
    }
    web_unlock(w);
}
