/* A token bucket for each client address, in a table of fixed size: four places for each hash, the longest
 * silent client makes room. A client that was forgotten starts anew with a full bucket; that errs on the side
 * of letting it pass. Any thread; one lock, held for a few comparisons. */
#include <math.h>

#include "base/hash.h"
#include "base/mem.h"
#include "demo/demo_int.h"

enum {
    PLACES = 4,
    SETS = DEMO_CLIENTS_MAX / PLACES
};

struct client {
    uint64_t hash; /* 0: free */
    double tokens;
    int64_t seen_ns;
};

struct demo_limiter {
    struct mutex lock;
    double rate;
    double burst;
    struct client clients[SETS][PLACES]; /* lock */
};

enum err demo_limiter_new(double rate, struct demo_limiter **ret_limiter)
{
    struct demo_limiter *limiter = mem_zalloc(sizeof *limiter);
    if (limiter == NULL) {
        return ERR_OOM;
    }
    mutex_init(&limiter->lock);
    limiter->rate = rate;
    limiter->burst = fmax(1, 2 * rate);
    *ret_limiter = limiter;
    return ERR_OK;
}

void demo_limiter_free(struct demo_limiter *limiter)
{
    if (limiter != NULL) {
        mutex_done(&limiter->lock);
        mem_free(limiter);
    }
}

/* Under the lock: the client's place, or the one it takes over. */
static struct client *client_find(struct demo_limiter *limiter, uint64_t hash, int64_t now_ns)
{
    struct client *set = limiter->clients[hash % SETS];
    struct client *oldest = &set[0];
    for (size_t i = 0; i < PLACES; i++) {
        if (set[i].hash == hash) {
            return &set[i];
        }
        oldest = set[i].seen_ns < oldest->seen_ns ? &set[i] : oldest;
    }
    *oldest = (struct client){.hash = hash, .tokens = limiter->burst, .seen_ns = now_ns};
    return oldest;
}

unsigned demo_limiter_take(struct demo_limiter *limiter, struct str client_address, int64_t now_ns)
{
    uint64_t hash = hash_seeded(client_address.p, client_address.n, hash_seed()) | 1;
    unsigned wait_s = 0;
    mutex_lock(&limiter->lock);
    struct client *client = client_find(limiter, hash, now_ns);
    double earned = (double)(now_ns - client->seen_ns) / 1e9 * limiter->rate;
    client->tokens = fmin(limiter->burst, client->tokens + earned);
    client->seen_ns = now_ns;
    if (client->tokens >= 1) {
        client->tokens -= 1;
    } else {
        wait_s = (unsigned)ceil((1 - client->tokens) / limiter->rate);
    }
    mutex_unlock(&limiter->lock);
    return wait_s;
}
