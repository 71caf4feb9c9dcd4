/* Syslog messages, and character sets. */
#include "agent/inputs/decode.h"
#include "agent/inputs/syslog.h"
#include "harness.h"

TEST(rfc_5424_messages)
{
    struct arena a AUTO_ARENA;
    struct syslog_message m;
    arena_init(&a, 0, NULL);
    CHECK_OK(syslog_parse(&a,
                          STR("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
                              "[exampleSDID@32473 iut=\"3\" eventSource=\"App\\\"lic\\]ation\"][x@1 y=\"\"] "
                              "\xef\xbb\xbf"
                              "An event"),
                          false, 0, &m));
    CHECK_STR(str_c(syslog_facility_name(m.facility)), "local4");
    CHECK_STR(str_c(syslog_severity_name(m.severity)), "notice");
    CHECK(m.has_time && m.ts == 1065910455003000000);
    CHECK_STR(m.hostname, "mymachine.example.com");
    CHECK_STR(m.app_name, "evntslog");
    CHECK_STR(m.proc_id, "");
    CHECK_STR(m.msg_id, "ID47");
    CHECK_EQ(m.param_count, 3);
    CHECK_STR(m.params[1].id, "exampleSDID@32473");
    CHECK_STR(m.params[1].value, "App\"lic]ation");
    CHECK_STR(m.message, "An event");
    CHECK_OK(syslog_parse(&a, STR("<34>1 - - - - - -"), false, 0, &m));
    CHECK(!m.has_time && m.message.n == 0);
}

TEST(rfc_3164_messages)
{
    struct arena a AUTO_ARENA;
    struct syslog_message m;
    ts_ns january = (ts_ns)1704153600 * NS_PER_S; /* 2024-01-02 */
    arena_init(&a, 0, NULL);
    CHECK_OK(
        syslog_parse(&a, STR("<34>Dec 31 22:14:15 mymachine su[12]: 'su root' failed"), true, january, &m));
    CHECK_EQ(m.ts, (ts_ns)1704060855 * NS_PER_S); /* last year's December */
    CHECK_STR(m.hostname, "mymachine");
    CHECK_STR(m.app_name, "su");
    CHECK_STR(m.proc_id, "12");
    CHECK_STR(m.message, "'su root' failed");
    CHECK_OK(syslog_parse(&a, STR("<13>no date at all"), true, january, &m));
    CHECK_STR(m.message, "no date at all");
}

TEST(wrong_messages_are_no_messages)
{
    static const char *const wrong[] = {"",
                                        "hello",
                                        "<>1 - - - - - -",
                                        "<999>1 - - - - - -",
                                        "<34>2 - - - - - -",
                                        "<34>1 nodate - - - - -",
                                        "<34>1 - - - -",
                                        "<34>1 - - - - - [a b=\"c",
                                        "<34>1 - - - - - [a b]"};
    struct arena a AUTO_ARENA;
    struct syslog_message m;
    arena_init(&a, 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (syslog_parse(&a, str_c(wrong[i]), false, 0, &m) != ERR_INVALID) {
            test_fail(__FILE__, __LINE__, wrong[i]);
        }
    }
}

TEST(character_sets)
{
    struct decoder *d = NULL;
    struct buf out AUTO_BUF = {0};
    CHECK_OK(decoder_new(STR("latin1"), &d, NULL));
    CHECK_OK(decoder_run(d, STR("caf\xe9\n"), true, &out));
    CHECK_STR(buf_view(&out), "caf\xc3\xa9\n");
    decoder_free(d);
    buf_reset(&out);
    CHECK_OK(decoder_new(STR("shift_jis"), &d, NULL));
    CHECK_OK(decoder_run(d, STR("\x93\xfa\x96\x7b\n\xff\n"), true, &out));
    CHECK_STR(buf_view(&out), "\xe6\x97\xa5\xe6\x9c\xac\n\xef\xbf\xbd\n");
    decoder_free(d);
    struct err_info info = {0};
    CHECK_EQ(decoder_new(STR("no-such-set"), &d, &info), ERR_INVALID);
    CHECK_STR(str_c(info.message), "unknown encoding \"no-such-set\"");
    CHECK_OK(decoder_new(STR("UTF-8"), &d, NULL));
    CHECK(d == NULL);
}
