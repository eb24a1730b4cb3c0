#include "server/head.h"
#include "unit.h"

#define S(literal) HB_STR(literal)

TEST(a_plain_request_is_fine)
{
    CHECK_INT(head_check(S("GET / HTTP/1.1\r\nHost: a\r\n\r\n")), HEAD_OK);
    CHECK_INT(head_check(S("GET / HTTP/1.0\r\n\r\n")), HEAD_OK);
    CHECK_INT(head_check(S("\r\nGET / HTTP/1.1\r\nhOsT: a\r\n\r\n")), HEAD_OK);
}

TEST(what_follows_the_head_is_not_looked_at)
{
    CHECK_INT(head_check(S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n\n\nHost: b\n")),
        HEAD_OK);
}

TEST(a_chunked_body_is_told)
{
    CHECK_INT(head_check(S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")),
        HEAD_CHUNKED);
}

TEST(two_lengths_could_be_read_in_two_ways)
{
    CHECK_INT(head_check(S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        "content-length: 2\r\n\r\n")), HEAD_BAD);
    CHECK_INT(head_check(S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        "Transfer-Encoding: chunked\r\n\r\n")), HEAD_BAD);
    CHECK_INT(head_check(S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        "Transfer-Encoding: chunked\r\n\r\n")), HEAD_BAD);
}

TEST(http_1_0_has_no_chunks)
{
    CHECK_INT(head_check(S("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")), HEAD_BAD);
}

TEST(http_1_1_has_one_host)
{
    CHECK_INT(head_check(S("GET / HTTP/1.1\r\n\r\n")), HEAD_NO_HOST);
    CHECK_INT(head_check(S("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")), HEAD_BAD);
}

TEST(nobody_comes_from_two_origins)
{
    CHECK_INT(head_check(S("GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n")), HEAD_OK);
    CHECK_INT(head_check(S("GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n"
        "origin: http://b\r\n\r\n")), HEAD_BAD);
}

TEST(bare_newlines_and_folded_lines_are_refused)
{
    CHECK_INT(head_check(S("GET / HTTP/1.1\nHost: a\n\n")), HEAD_BAD);
    CHECK_INT(head_check(S("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n")), HEAD_BAD);
    CHECK_INT(head_check(S("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n")), HEAD_BAD);
}

TEST(an_unfinished_head_is_incomplete)
{
    CHECK_INT(head_check(S("")), HEAD_INCOMPLETE);
    CHECK_INT(head_check(S("GET / HTTP/1.1\r\nHost: a\r\n")), HEAD_INCOMPLETE);
    CHECK_INT(head_check(S("\r\n\r\n")), HEAD_INCOMPLETE);
}

TEST(completeness_is_seen_in_lenient_heads_too)
{
    CHECK(head_complete(S("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
    CHECK(head_complete(S("GET / HTTP/1.1\nHost: a\n\nbody")));
    CHECK(!head_complete(S("GET / HTTP/1.1\r\nHost: a\r\n")));
    CHECK(!head_complete(S("\r\n\r\nGET / HTTP/1.1\r\n")));
    CHECK(head_complete(S("\r\n\r\r\n\r\nGET / HTTP/1.1\r\n"))); /* a line of one CR is the request */
    CHECK(!head_complete(S("")));
}

TEST(a_field_is_of_the_head_not_of_what_follows_it)
{
    hb_str bytes = S("\r\nPOST /a HTTP/1.1\r\nhOST:  a \r\nContent-Length: 9\r\n\r\nOrigin: b\r\n\r\nHost: c\r\n");
    CHECK_STR(head_field(bytes, S("host")), "a");
    CHECK(head_field(bytes, S("origin")).p == NULL);
}

TEST(the_request_line_is_no_field)
{
    CHECK(head_field(S("Origin: b HTTP/1.1\r\nHost: a\r\n\r\n"), S("origin")).p == NULL);
}
