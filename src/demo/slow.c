/* Calls that wait: one thread with a heap of deadlines, so that a thousand slow calls hold no server thread.
 *
 * Invariants: the heap's first entry is the earliest; every added call's function runs exactly once, on the
 * timer's thread, without the lock. */
#include "base/assert.h"
#include "base/mem.h"
#include "demo/demo_int.h"

struct entry {
    int64_t due_ns;
    demo_slow_fn *fn;
    void *context;
};

struct demo_slow {
    struct mutex lock;
    struct cond wake;
    struct thread thread;
    bool stopping;                       /* lock */
    size_t count;                        /* lock */
    struct entry entries[DEMO_SLOW_MAX]; /* lock; a binary heap */
};

static void swap(struct entry *a, struct entry *b)
{
    struct entry kept = *a;
    *a = *b;
    *b = kept;
}

static void heap_push(struct demo_slow *slow, struct entry entry)
{
    size_t at = slow->count++;
    slow->entries[at] = entry;
    while (at > 0 && slow->entries[at].due_ns < slow->entries[(at - 1) / 2].due_ns) {
        swap(&slow->entries[at], &slow->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct entry heap_pop(struct demo_slow *slow)
{
    struct entry first = slow->entries[0];
    slow->entries[0] = slow->entries[--slow->count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < slow->count; child++) {
            least = slow->entries[child].due_ns < slow->entries[least].due_ns ? child : least;
        }
        if (least == at) {
            return first;
        }
        swap(&slow->entries[at], &slow->entries[least]);
        at = least;
    }
}

/* Under the lock: waits for the next call that is due. False when the thread should end. */
static bool next_due(struct demo_slow *slow, struct entry *ret_entry, bool *ret_in_time)
{
    for (;;) {
        if (slow->count == 0 && slow->stopping) {
            return false;
        }
        int64_t now_ns = clock_mono_ns(clock_real());
        if (slow->count > 0 && (slow->stopping || slow->entries[0].due_ns <= now_ns)) {
            *ret_in_time = slow->entries[0].due_ns <= now_ns;
            *ret_entry = heap_pop(slow);
            return true;
        }
        if (slow->count == 0) {
            cond_wait(&slow->wake, &slow->lock);
        } else {
            (void)cond_wait_until(&slow->wake, &slow->lock, slow->entries[0].due_ns);
        }
    }
}

static void timer_run(void *context)
{
    struct demo_slow *slow = context;
    struct entry entry;
    bool in_time;
    mutex_lock(&slow->lock);
    while (next_due(slow, &entry, &in_time)) {
        mutex_unlock(&slow->lock);
        entry.fn(entry.context, in_time);
        mutex_lock(&slow->lock);
    }
    mutex_unlock(&slow->lock);
}

enum err demo_slow_new(struct demo_slow **ret_slow)
{
    struct demo_slow *slow = mem_zalloc(sizeof *slow);
    if (slow == NULL) {
        return ERR_OOM;
    }
    mutex_init(&slow->lock);
    cond_init(&slow->wake);
    enum err e = thread_start(&slow->thread, "demo-timer", timer_run, slow);
    if (e != ERR_OK) {
        demo_slow_free(slow);
        return e;
    }
    *ret_slow = slow;
    return ERR_OK;
}

enum err demo_slow_add(struct demo_slow *slow, int64_t delay_ns, demo_slow_fn *fn, void *context)
{
    struct entry entry = {.due_ns = clock_mono_ns(clock_real()) + delay_ns, .fn = fn, .context = context};
    enum err e = ERR_OK;
    mutex_lock(&slow->lock);
    if (slow->stopping) {
        e = ERR_UNAVAILABLE;
    } else if (slow->count == DEMO_SLOW_MAX) {
        e = ERR_LIMIT;
    } else {
        heap_push(slow, entry);
        cond_signal(&slow->wake);
    }
    mutex_unlock(&slow->lock);
    return e;
}

void demo_slow_stop(struct demo_slow *slow)
{
    mutex_lock(&slow->lock);
    slow->stopping = true;
    cond_signal(&slow->wake);
    mutex_unlock(&slow->lock);
    thread_join(&slow->thread);
}

void demo_slow_free(struct demo_slow *slow)
{
    if (slow != NULL) {
        demo_slow_stop(slow);
        cond_done(&slow->wake);
        mutex_done(&slow->lock);
        mem_free(slow);
    }
}
