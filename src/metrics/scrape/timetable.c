/* When which target is due: a binary heap and the thread that serves it.
 *
 * Ticks are pinned to wall time (identity and seed give the phase), so a restart keeps them; a jump of the
 * clock is noticed within a second. */
#include "base/mem.h"
#include "metrics/scrape/scrape_int.h"

enum {
    LOOK_MS = 1000
};

/* -- heap ------------------------------------------------------------------------------------------------ */

static void sift_up(struct scrape_manager *m, size_t i)
{
    while (i && m->heap[i]->due_ms < m->heap[(i - 1) / 2]->due_ms) {
        struct scrape_target *t = m->heap[i];
        m->heap[i] = m->heap[(i - 1) / 2];
        m->heap[(i - 1) / 2] = t;
        i = (i - 1) / 2;
    }
}

static void sift_down(struct scrape_manager *m, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1;
        if (left < m->heap_count && m->heap[left]->due_ms < m->heap[least]->due_ms) {
            least = left;
        }
        if (left + 1 < m->heap_count && m->heap[left + 1]->due_ms < m->heap[least]->due_ms) {
            least = left + 1;
        }
        if (least == i) {
            return;
        }
        struct scrape_target *t = m->heap[i];
        m->heap[i] = m->heap[least];
        m->heap[least] = t;
        i = least;
    }
}

static struct scrape_target *pop(struct scrape_manager *m)
{
    struct scrape_target *t = m->heap[0];
    m->heap[0] = m->heap[--m->heap_count];
    sift_down(m, 0);
    return t;
}

static void reorder(struct scrape_manager *m, const struct scrape_target *t)
{
    for (size_t i = 0; i < m->heap_count; i++) {
        if (m->heap[i] == t) {
            sift_up(m, i);
            sift_down(m, i);
            return;
        }
    }
}

/* -- ticks ----------------------------------------------------------------------------------------------- */

/* The first tick after `now`. */
static ts_ms next_tick(const struct scrape_manager *m, const struct scrape_target *t, ts_ms now)
{
    int64_t interval = t->facts->interval_ms;
    int64_t phase = (int64_t)((t->identity ^ m->seed) % (uint64_t)interval);
    ts_ms base = now - now % interval + phase;
    return base > now ? base : base + interval;
}

enum err timetable_add(struct scrape_manager *m, struct scrape_target *t)
{
    enum err e =
        vec_reserve((void **)&m->heap, &m->heap_cap, m->heap_count + 1, sizeof(struct scrape_target *));
    if (e) {
        return e;
    }
    t->due_ms = next_tick(m, t, clock_wall_ms(m->o.clock));
    m->heap[m->heap_count] = scrape_target_ref(t);
    sift_up(m, m->heap_count++);
    cond_signal(&m->wake);
    return ERR_OK;
}

void timetable_end(struct scrape_manager *m, struct scrape_target *t)
{
    int64_t interval = t->facts->interval_ms;
    t->state = TARGET_ENDING;
    t->due_ms += interval + interval / 10; /* from the tick that will not come to the second after it */
    reorder(m, t);
    cond_signal(&m->wake);
}

void timetable_done(struct scrape_target *t)
{
    struct scrape_manager *m = t->m;
    pool_snapshot_unref(t->run_snapshot);
    t->run_snapshot = NULL;
    mutex_lock(&m->lock);
    t->busy = false;
    mutex_unlock(&m->lock);
    scrape_target_unref(t);
}

/* -- the thread ------------------------------------------------------------------------------------------ */

/* With the lock held: the target that is due begins a run. False: not now. */
static bool begin_run(struct scrape_manager *m, struct scrape_target *t, ts_ms now)
{
    if (t->busy) {
        return false; /* the scrape before is still under way: this tick is skipped */
    }
    int64_t tolerance = t->facts->interval_ms / 100;
    tolerance = tolerance < SCRAPE_TOLERANCE_MS ? tolerance : SCRAPE_TOLERANCE_MS;
    t->busy = true;
    t->run = t->facts;
    t->run_snapshot = pool_snapshot_ref(t->facts->snapshot);
    t->run_ts = now - t->due_ms <= tolerance ? t->due_ms : now;
    t->last_tick_ms = t->due_ms;
    (void)m;
    return true;
}

/* With the lock held; released while the run begins. */
static void serve_due(struct scrape_manager *m, ts_ms now)
{
    struct scrape_target *t = m->heap[0];
    if (t->state == TARGET_RUNNING) {
        bool run = begin_run(m, t, now);
        t->due_ms = next_tick(m, t, now);
        sift_down(m, 0);
        if (run) {
            (void)scrape_target_ref(t);
            mutex_unlock(&m->lock);
            scrape_start(t);
            mutex_lock(&m->lock);
        }
        return;
    }
    if (t->busy) {
        t->due_ms = now + LOOK_MS;
        sift_down(m, 0);
        return;
    }
    (void)pop(m); /* its reference goes to the task */
    t->busy = true;
    t->run = t->facts;
    t->run_snapshot = pool_snapshot_ref(t->facts->snapshot);
    t->run_ts = t->last_tick_ms + t->facts->interval_ms;
    t->state = TARGET_GONE;
    mutex_unlock(&m->lock);
    if (pool_submit(m->workers, scrape_end_task, t)) {
        timetable_done(t);
    }
    mutex_lock(&m->lock);
}

static void start_sync(struct scrape_manager *m, int64_t now_ns)
{
    if (!m->sync_wanted || m->sync_running || now_ns < m->sync_after_ns) {
        return;
    }
    m->sync_wanted = false;
    m->sync_running = true;
    if (pool_submit(m->workers, pools_sync_task, m)) {
        m->sync_running = false;
        m->sync_wanted = true;
        m->sync_after_ns = now_ns + NS_PER_S;
    }
}

void timetable_main(void *manager)
{
    struct scrape_manager *m = manager;
    mutex_lock(&m->lock);
    while (!m->stopping) {
        int64_t now_ns = clock_mono_ns(clock_real());
        ts_ms now = clock_wall_ms(m->o.clock);
        start_sync(m, now_ns);
        int64_t wait = m->heap_count ? m->heap[0]->due_ms - now : LOOK_MS;
        if (wait <= 0) {
            serve_due(m, now);
            continue;
        }
        (void)cond_wait_until(&m->wake, &m->lock, now_ns + (wait < LOOK_MS ? wait : LOOK_MS) * NS_PER_MS);
    }
    mutex_unlock(&m->lock);
}
