/* What the generated traffic looks like: a day with a morning rise, a dip at lunch, an afternoon peak and an
 * evening bump; quieter weekends; slow noise; now and then a burst, and more rarely an incident with many
 * errors. Arrivals are a Poisson process whose rate follows. Pure but for its own struct; seeded, so tests
 * can repeat it. */
#include <math.h>
#include <stdio.h>

#include "demo/demo_int.h"

static const double pi = 3.14159265358979323846;

/* Once in so many seconds, on average; how long they last. */
static const double burst_every_s = 500, burst_least_s = 20, burst_most_s = 60;
static const double incident_every_s = 2400, incident_least_s = 45, incident_most_s = 120;
/* The walk forgets half of itself in about 80 s and strays by about 15 %. */
static const double wander_memory_s = 120, wander_deviation = 0.15;
/* What makes the average of a weekday's shape 1. */
static const double day_mean = 0.67;

/* A path and how often it comes, in thousandths; with its own number where it has a %u. */
static const struct {
    const char *path;
    unsigned weight;
    unsigned incident_weight;
    unsigned numbers; /* 1..this */
} mix[] = {
    {"/api/data", 420, 380, 0},
    {"/api/users/%u", 260, 220, DEMO_USERS},
    {"/", 190, 140, 0},
    {"/health", 50, 40, 0},
    {"/api/slow", 30, 40, 0},
    {"/api/error", 22, 150, 0},
    {"/api/users/%u0001", 12, 12, 99}, /* nobody has these ids */
    {"/favicon.ico", 10, 10, 0},
    {"/admin/login.php", 6, 8, 0},
};

static const char *const warm_up[] = {"/",       "/api/data", "/api/users/7", "/api/error", "/api/slow",
                                      "/health", "/metrics",  "/favicon.ico", "/api/data",  "/api/users/42"};

void demo_shape_init(struct demo_shape *shape, uint64_t seed)
{
    *shape = (struct demo_shape){.burst = 1};
    rng_init(&shape->rng, seed);
}

static double bump(double hour, double middle, double width)
{
    double away = (hour - middle) / width;
    return exp(-away * away);
}

double demo_shape_hour(double hour, int weekday)
{
    double day = 0.5 * (1 - cos(2 * pi * (hour - 4) / 24)); /* least at 4, most at 16 */
    double shape = 0.25 + 0.8 * day - 0.12 * bump(hour, 12.5, 0.9) + 0.18 * bump(hour, 20.5, 1.5);
    double weekend = weekday == 0 || weekday == 6 ? 0.6 : 1;
    return shape / day_mean * weekend;
}

static double between(struct demo_shape *shape, double least, double most)
{
    return least + rng_f64(&shape->rng) * (most - least);
}

/* Starts with a chance of once every so many seconds; counts down while it lasts. */
static void episode_advance(struct demo_shape *shape, double *left_s, double elapsed_s, double every_s,
                            double least_s, double most_s)
{
    if (*left_s > 0) {
        *left_s -= elapsed_s;
    } else if (rng_f64(&shape->rng) < elapsed_s / every_s) {
        *left_s = between(shape, least_s, most_s);
        shape->burst = left_s == &shape->burst_left_s ? between(shape, 2.5, 5) : shape->burst;
    }
}

double demo_shape_advance(struct demo_shape *shape, double elapsed_s, double hour, int weekday, double rate)
{
    double step = fmin(elapsed_s, 1);
    /* Twelve uniforms make a normal good enough for noise. */
    double normal = -6;
    for (int i = 0; i < 12; i++) {
        normal += rng_f64(&shape->rng);
    }
    shape->wander += -shape->wander * step / wander_memory_s +
                     wander_deviation * sqrt(2 * step / wander_memory_s) * normal;
    episode_advance(shape, &shape->burst_left_s, elapsed_s, burst_every_s, burst_least_s, burst_most_s);
    episode_advance(shape, &shape->incident_left_s, elapsed_s, incident_every_s, incident_least_s,
                    incident_most_s);
    double burst = shape->burst_left_s > 0 ? shape->burst : 1;
    return rate * demo_shape_hour(hour, weekday) * exp(shape->wander) * burst;
}

double demo_shape_gap(struct demo_shape *shape, double per_second)
{
    return -log(1 - rng_f64(&shape->rng)) / fmax(per_second, 1e-3);
}

bool demo_shape_warming(const struct demo_shape *shape)
{
    return shape->warm_up < ARRAY_LEN(warm_up);
}

void demo_shape_path(struct demo_shape *shape, char ret_path[DEMO_PATH_MAX])
{
    if (demo_shape_warming(shape)) {
        (void)snprintf(ret_path, DEMO_PATH_MAX, "%s", warm_up[shape->warm_up++]);
        return;
    }
    bool incident = shape->incident_left_s > 0;
    uint64_t at = rng_below(&shape->rng, 1000);
    size_t i = 0;
    while (i < ARRAY_LEN(mix) - 1) {
        unsigned weight = incident ? mix[i].incident_weight : mix[i].weight;
        if (at < weight) {
            break;
        }
        at -= weight;
        i++;
    }
    const char *number = strchr(mix[i].path, '%');
    if (number == NULL) {
        (void)snprintf(ret_path, DEMO_PATH_MAX, "%s", mix[i].path);
        return;
    }
    unsigned value = 1 + (unsigned)rng_below(&shape->rng, mix[i].numbers);
    (void)snprintf(ret_path, DEMO_PATH_MAX, "%.*s%u%s", (int)(number - mix[i].path), mix[i].path, value,
                   number + 2);
}
