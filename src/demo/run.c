/* cairn demo: the sample application alone, until a signal ends it. Runs on the program's first thread. */
#include <signal.h>
#include <stdio.h>

#include "demo/demo.h"
#include "demo/options.h"

enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2
};

static int help(void)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 16384};
    demo_options_help(&text);
    return text.err == ERR_OK && fwrite(text.p, 1, text.n, stdout) == text.n ? 0 : EXIT_FAILED;
}

/* Serves until SIGINT or SIGTERM. The signals are blocked already. */
static void signals_serve(struct demo *demo, const sigset_t *signals)
{
    int signal_number = 0;
    while (sigwait(signals, &signal_number) == 0 && signal_number == SIGHUP) {
        demo_log_reopen(demo);
    }
}

int demo_run(int argc, char **argv)
{
    struct demo_options options;
    struct err_info info = {0};
    struct demo *demo;
    bool wants_help;
    demo_options_init(&options);
    if (demo_options_parse(argc, argv, &options, &wants_help, &info) != ERR_OK) {
        (void)fprintf(stderr, "cairn demo: %s\n", info.message);
        return EXIT_USAGE;
    }
    if (wants_help) {
        return help();
    }
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    enum err e = demo_start(&options, &demo, &info);
    if (e != ERR_OK) {
        (void)fprintf(stderr, "cairn demo: %s\n", info.message);
        return e == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED;
    }
    (void)fprintf(stderr, "cairn demo: http://%s:%u/ log %s\n", options.listen_address, demo_port(demo),
                  options.log_path);
    signals_serve(demo, &signals);
    demo_stop(demo);
    return 0;
}
