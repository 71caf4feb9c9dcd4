/* One signed request, repeated with growing waits while the store or the way to it is at fault. */
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/rng.h"
#include "disk/s3_int.h"

/* -- credentials ----------------------------------------------------------------------------------------- */

static enum err copy(const struct s3_credentials *from, struct s3_credentials *to, struct err_info *info)
{
    *to = (struct s3_credentials){.expires_ms = from->expires_ms, .from = from->from};
    to->key_id = mem_dup(from->key_id, strlen(from->key_id));
    to->secret = mem_dup(from->secret, strlen(from->secret));
    to->token = from->token ? mem_dup(from->token, strlen(from->token)) : NULL;
    if (to->key_id && to->secret && (to->token || !from->token)) {
        return ERR_OK;
    }
    s3_credentials_done(to);
    return err_set(info, ERR_OOM, "no memory for the keys of the bucket");
}

/* The caller's own copy of the keys that hold now, or will for so long. Errors: NOT_FOUND (none do). */
static enum err keys_held(struct s3_store *s, ts_ms longer_ms, struct s3_credentials *ret_c,
                          struct err_info *info)
{
    ts_ms now = clock_wall_ms(clock_real());
    mutex_lock(&s->lock);
    bool good =
        s->credentials.key_id && (!s->credentials.expires_ms || s->credentials.expires_ms - longer_ms > now);
    enum err e = good ? copy(&s->credentials, ret_c, info) : ERR_NOT_FOUND;
    mutex_unlock(&s->lock);
    return e;
}

/* New keys are not asked for under the lock, and while they cannot be had the old ones are used to their end.
 */
static enum err keys(struct s3_store *s, struct s3_credentials *ret_c, struct err_info *info)
{
    struct s3_credentials fresh = {0};
    enum err e = keys_held(s, S3_RENEW_MS, ret_c, info);
    if (e != ERR_NOT_FOUND) {
        return e;
    }
    e = s3_credentials_find(s->client, str_c(s->profile), &fresh, info);
    if (e && keys_held(s, 0, ret_c, NULL) == ERR_OK) {
        return ERR_OK;
    }
    e = e ? e : copy(&fresh, ret_c, info);
    if (!e) {
        mutex_lock(&s->lock);
        s3_credentials_done(&s->credentials);
        s->credentials = fresh;
        fresh = (struct s3_credentials){0};
        mutex_unlock(&s->lock);
    }
    s3_credentials_done(&fresh);
    return e;
}

/* The store says they have ended. */
static void keys_forget(struct s3_store *s)
{
    mutex_lock(&s->lock);
    s3_credentials_done(&s->credentials);
    mutex_unlock(&s->lock);
}

/* -- one attempt ----------------------------------------------------------------------------------------- */

struct attempt {
    struct s3_request request;
    struct buf path, url, authorization;
    char hash[S3_HASH_CHARS + 1], date[S3_DATE_CHARS + 1];
    struct http_header headers[S3_PAIRS_MAX + 1];
    size_t header_count;
};

static enum err date_now(char date[S3_DATE_CHARS + 1])
{
    time_t now = (time_t)(clock_wall_ms(clock_real()) / MS_PER_S);
    struct tm t;
    return gmtime_r(&now, &t) && strftime(date, S3_DATE_CHARS + 1, "%Y%m%dT%H%M%SZ", &t) == S3_DATE_CHARS
               ? ERR_OK
               : ERR_INTERNAL;
}

static void attempt_done(struct attempt *t)
{
    buf_done(&t->path);
    buf_done(&t->url);
    buf_done(&t->authorization);
}

static enum err attempt_sign(struct s3_store *s, const struct s3_call *c, const struct s3_credentials *own,
                             struct attempt *t)
{
    struct s3_request *r = &t->request;
    enum err e = date_now(t->date);
    buf_printf(&t->path, "%s%s%.*s", s->base_path, c->key.n ? s->prefix : "", STR_FMT(c->key));
    s3_hash(c->body, t->hash);
    *r = (struct s3_request){str_c(c->method), str_c(s->host), buf_view(&t->path),
                             .payload_hash = str_c(t->hash)};
    for (size_t i = 0; i < c->param_count; i++) {
        r->params[r->param_count++] = c->params[i];
    }
    for (size_t i = 0; i < c->header_count; i++) {
        r->headers[r->header_count++] = c->headers[i];
    }
    s3_header(r, "x-amz-content-sha256", str_c(t->hash));
    s3_header(r, "x-amz-date", str_c(t->date));
    if (own->token) {
        s3_header(r, "x-amz-security-token", str_c(own->token));
    }
    const struct s3_signer signer = {str_c(own->key_id), str_c(own->secret), str_c(s->region), STR("s3"),
                                     str_c(t->date)};
    e = e || t->path.err ? ERR_OOM : s3_authorization(r, &signer, &t->authorization);
    buf_printf(&t->url, "%s://%s", s->scheme, s->host);
    s3_target(r, &t->url);
    return e ? e : t->url.err;
}

static enum err attempt_send(struct s3_store *s, struct s3_call *c, struct attempt *t, bool *ret_again,
                             struct err_info *info)
{
    enum http_tls_fault tls = HTTP_TLS_NONE;
    struct err_info why = {0};
    const struct s3_request *r = &t->request;
    for (size_t i = 0; i < r->header_count; i++) {
        t->headers[t->header_count++] = (struct http_header){r->headers[i].name, r->headers[i].value};
    }
    t->headers[t->header_count++] = (struct http_header){STR("Authorization"), buf_view(&t->authorization)};
    uint64_t bytes = c->body.n > c->answer_bytes_max ? c->body.n : c->answer_bytes_max;
    const struct http_call call = {.method = r->method,
                                   .url = buf_view(&t->url),
                                   .headers = t->headers,
                                   .header_count = t->header_count,
                                   .body = c->body,
                                   .ca_file = str_c(s->ca_file),
                                   .reterr_tls = &tls,
                                   .timeout_ms = S3_TIMEOUT_MS + (int64_t)(bytes / S3_BYTES_PER_MS_MIN),
                                   .response_bytes_max = (size_t)(c->answer_bytes_max + S3_ANSWER_BYTES_MAX)};
    enum err e = http_client_do(s->client, &call, &c->answer, &why);
    return e ? s3_explain_lost(s, e, tls, why.message, ret_again, info) : ERR_OK;
}

static enum err attempt(struct s3_store *s, struct s3_call *c, bool *ret_again, struct err_info *info)
{
    struct attempt t = {0};
    struct s3_credentials own = {0};
    enum err e = keys(s, &own, info);
    c->of_session = own.token != NULL;
    *ret_again = e == ERR_UNAVAILABLE || e == ERR_TIMEOUT; /* the agent that has them */
    if (!e && attempt_sign(s, c, &own, &t)) {
        e = err_set(info, ERR_OOM, "no memory for a request to s3://%s", s->bucket);
    }
    if (!e) {
        e = attempt_send(s, c, &t, ret_again, info);
        bool inside =
            c->error_in_answer && str_find(buf_view(&c->answer.body), STR("<Error>"), 0) != STR_NPOS;
        if (!e && (inside || c->answer.status < 200 || c->answer.status > 299)) {
            e = s3_explain(s, c, ret_again, info);
        }
    }
    attempt_done(&t);
    s3_credentials_done(&own);
    return e;
}

/* -- repeating ------------------------------------------------------------------------------------------- */

static int64_t wait_ms(unsigned round, const struct http_answer *answer)
{
    uint32_t random = 0;
    uint64_t asked = 0;
    int64_t wait = (int64_t)S3_WAIT_FIRST_MS << round;
    if (str_to_u64(http_answer_header(answer, "Retry-After"), &asked) == ERR_OK) {
        wait = asked * MS_PER_S > (uint64_t)wait ? (int64_t)(asked * MS_PER_S) : wait;
    }
    wait = wait < S3_WAIT_MAX_MS ? wait : S3_WAIT_MAX_MS;
    (void)!rng_secret(&random, sizeof(random));
    return wait / 2 + (int64_t)(random % (uint32_t)(wait / 2 + 1));
}

enum err s3_call_do(struct s3_store *s, struct s3_call *c, struct err_info *info)
{
    struct err_info own = {0};
    bool again = true, renewed = false;
    enum err e = ERR_OK;
    c->repeated = false;
    info = info ? info : &own;
    for (unsigned round = 0; again; round++) {
        http_answer_done(&c->answer);
        e = attempt(s, c, &again, info);
        again = e && again && round + 1 < s->attempts && !(e == ERR_DENIED && renewed);
        if (again) {
            if (e == ERR_DENIED) { /* new keys may do; where the same come again, they do not */
                keys_forget(s);
                renewed = true;
            }
            c->repeated = true;
            clock_sleep_ms(wait_ms(round, &c->answer));
        }
    }
    return e;
}
