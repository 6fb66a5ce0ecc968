/* SPDX-License-Identifier: BSD-2-Clause */
/* What connections show about their pool, the lease of a candidate and its breaker. */
#include "cases.h"

#define EITHER PAIR_B " " PAIR_B2
#define A_SYN .as = {.flags = SYN, .seq = 1000, .tcp_words = 5}
#define OPENED                                                                                     \
	{                                                                                          \
		.from = CLIENT, .to = PAIR, A_SYN, "new", EITHER, .shows = ""                      \
	}
#define ASKS(what, ...)                                                                            \
	{                                                                                          \
		.from = CLIENT, .to = PAIR, {__VA_ARGS__}, "forwarded", "@", .shows = what         \
	}
#define ANSWER(what, ...)                                                                          \
	{                                                                                          \
		.from = "@", .to = CLIENT, {__VA_ARGS__}, "reply", .source = PAIR, .shows = what   \
	}
#define SYNACK .flags = SYN | ACK, .seq = 5000, .ack = 1001
#define MADE                                                                                       \
	OPENED, ANSWER("refused syn_timeout connect", SYNACK),                                     \
		ASKS("", .flags = ACK, .seq = 1001, .ack = 5001)
#define ASKED MADE, ASKS("", .flags = ACK, .seq = 1001, .ack = 5001, .data = 10)
#define SERVED ASKED, ANSWER("empty first_byte", .flags = ACK, .seq = 5001, .ack = 1011, .data = 20)
#define RESET(n) .flags = RST | ACK, .seq = (n), .ack = 1011
#define FINISH(n) .flags = FIN | ACK, .seq = (n), .ack = 1011

/* Each is said once. */
static const struct step good[] = {
	OPENED,
	ANSWER("refused syn_timeout connect", SYNACK),
	ANSWER("", SYNACK),
	ASKS("", .flags = ACK, .seq = 1001, .ack = 5001),
	ASKS("", .flags = ACK, .seq = 1001, .ack = 5001, .data = 10),
	ASKS("", .flags = ACK, .seq = 1011, .ack = 5001, .data = 10),
	ANSWER("empty first_byte", .flags = ACK, .seq = 5001, .ack = 1021, .data = 20),
	ANSWER("", .flags = ACK, .seq = 5021, .ack = 1021, .data = 20),
	ANSWER("again", .flags = ACK, .seq = 5021, .ack = 1021, .data = 20),
	ANSWER("", .flags = ACK, .seq = 5041, .ack = 1021),
	ASKS("", .flags = FIN | ACK, .seq = 1021, .ack = 5041),
	ANSWER("reset", .flags = FIN | ACK, .seq = 5041, .ack = 1022),
	ASKS("", .flags = ACK, .seq = 1022, .ack = 5042),
};

/* The first data comes with the last of the handshake. */
static const struct step at_once[] = {
	OPENED,
	ANSWER("refused syn_timeout connect", SYNACK),
	ASKS("", .flags = ACK, .seq = 1001, .ack = 5001, .data = 10),
	ANSWER("empty first_byte", .flags = FIN | ACK, .seq = 5001, .ack = 1011, .data = 20),
	ASKS("reset", .flags = FIN | ACK, .seq = 1011, .ack = 5022),
};

/* Data in a SYN is not heard, nor what comes before the client has sent any. */
static const struct step early_data[] = {
	{.from = CLIENT,
	 .to = PAIR,
	 {.flags = SYN, .seq = 1000, .data = 5},
	 "new",
	 EITHER,
	 .shows = ""},
	ANSWER("refused syn_timeout connect", .flags = SYN | ACK, .seq = 5000, .ack = 1006),
	ANSWER("", .flags = ACK, .seq = 5001, .ack = 1006, .data = 9),
	ASKS("", .flags = ACK, .seq = 1006, .ack = 5010, .data = 9),
	ANSWER("", .flags = ACK, .seq = 5010, .ack = 1015, .data = 9),
	ANSWER("", .flags = FIN | ACK, .seq = 5019, .ack = 1015),
	ASKS("reset", .flags = FIN | ACK, .seq = 1015, .ack = 5020),
};

/* Who was never asked shows no end. */
static const struct step unasked[] = {
	MADE,
	ANSWER("", .flags = FIN | ACK, .seq = 5001, .ack = 1001),
	ASKS("", .flags = FIN | ACK, .seq = 1001, .ack = 5002),
};

static const struct step unasked_reset[] = {
	MADE,
	ANSWER("", .flags = RST | ACK, .seq = 5001, .ack = 1001),
};

static const struct spec again = {.flags = SYN, .seq = 1000, .tcp_words = 5, .own = true};

/* Each attempt is an exposure. */
static const struct step refused[] = {
	OPENED,
	{.from = "@",
	 .to = CLIENT,
	 {.flags = RST | ACK, .ack = 1001},
	 "syn_retried",
	 "!",
	 .made = &again,
	 .shows = "refused! syn_timeout"},
	{.from = "!",
	 .to = CLIENT,
	 {SYNACK},
	 "reply",
	 .source = PAIR,
	 .shows = "refused syn_timeout connect"},
};

static const struct step refused_once[] = {
	{.from = CLIENT, .to = WEB, A_SYN, "new", WEB_B, .shows = ""},
	{.from = WEB_B,
	 .to = CLIENT,
	 {.flags = RST | ACK, .ack = 1001},
	 "reply",
	 .source = WEB,
	 .notes = "retry_exhausted",
	 .shows = "refused! syn_timeout"},
	{.from = WEB_B,
	 .to = CLIENT,
	 {.flags = RST | ACK, .ack = 1001},
	 "reply",
	 .source = WEB,
	 .notes = "retry_exhausted",
	 .shows = ""},
};

static void second_later(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_sent(s, 1);
}

/* Silent, then answered: decided already, but it took its time. */
static const struct step silent[] = {
	{.from = CLIENT, .to = WEB, A_SYN, "new", WEB_B, .shows = ""},
	{.from = CLIENT, .to = WEB, A_SYN, "forwarded", WEB_B, .shows = ""},
	{.from = CLIENT,
	 .to = WEB,
	 A_SYN,
	 "forwarded",
	 WEB_B,
	 .before = second_later,
	 .shows = "refused syn_timeout!"},
	{.from = CLIENT, .to = WEB, A_SYN, "forwarded", WEB_B, .before = second_later, .shows = ""},
	{.from = WEB_B, .to = CLIENT, {SYNACK}, "reply", .source = WEB, .shows = "connect"},
};

static const struct step silent_moved[] = {
	OPENED,
	{.from = CLIENT,
	 .to = PAIR,
	 A_SYN,
	 "syn_moved",
	 "!",
	 .before = second_later,
	 .shows = "refused syn_timeout!"},
	{.from = "!",
	 .to = CLIENT,
	 {SYNACK},
	 "reply",
	 .source = PAIR,
	 .shows = "refused syn_timeout connect"},
};

#define INNER "10.0.1.1:1"
static const struct spec syn = {.flags = SYN, .seq = 1000, .tcp_words = 5};

static const struct step unreachable[] = {
	OPENED,
	{.from = INNER,
	 .to = CLIENT,
	 {.error = 3, .code = 1, .quoted = 28},
	 "syn_retried",
	 "!",
	 .made = &again,
	 .about = &syn,
	 .about_from = CLIENT,
	 .about_to = "#",
	 .shows = "refused! syn_timeout"},
};

static const struct step empty[] = {
	ASKED,
	ANSWER("", .flags = ACK, .seq = 5001, .ack = 1011),
	ANSWER("empty!", FINISH(5001)),
	ANSWER("", FINISH(5001)),
	ASKS("reset", .flags = FIN | ACK, .seq = 1011, .ack = 5002),
};

static const struct step empty_half_closed[] = {
	ASKED,
	ASKS("", .flags = FIN | ACK, .seq = 1011, .ack = 5001),
	ANSWER("reset empty!", FINISH(5001)),
};

static const struct step not_empty[] = {
	SERVED,
	ANSWER("", FINISH(5021)),
	ASKS("reset", .flags = FIN | ACK, .seq = 1011, .ack = 5022),
};

static const struct step reset_unserved[] = {
	ASKED,
	ANSWER("", .flags = RST, .seq = 0x90000000), /* nobody believes it */
	ANSWER("reset!", RESET(5001)),
	ANSWER("", RESET(5001)),
};

static const struct step reset_served[] = {
	SERVED,
	ANSWER("reset!", RESET(5021)),
};

/* Served, and the client was done. */
static const struct step reset_after_fin[] = {
	SERVED,
	ASKS("", .flags = FIN | ACK, .seq = 1011, .ack = 5021),
	ANSWER("reset", RESET(5021)),
};

/* It had asked, and got nothing. */
static const struct step reset_half_closed[] = {
	ASKED,
	ASKS("", .flags = FIN | ACK, .seq = 1011, .ack = 5001),
	ANSWER("reset!", RESET(5001)),
};

static const struct step reset_after_its_fin[] = {
	SERVED,
	ANSWER("", FINISH(5021)),
	ANSWER("reset", RESET(5022)),
};

static const struct step reset_by_client[] = {
	SERVED,
	ASKS("reset", .flags = RST, .seq = 1011),
	ASKS("", .flags = RST, .seq = 1011),
};

/* Where the backend sees another source, its answers lead to the same record. */
#define FAR_ASKS(what, ...)                                                                        \
	{                                                                                          \
		.from = CLIENT, .to = FAR, {__VA_ARGS__}, "forwarded", FAR_B, .alias = true,       \
		.node = NODE_SOURCE, .shows = what                                                 \
	}
#define FAR_ANSWER(what, ...)                                                                      \
	{                                                                                          \
		.from = FAR_B, .to = "@", {__VA_ARGS__}, "reply", .source = FAR,                   \
		.port_back = true, .shows = what                                                   \
	}

static const struct step far_away[] = {
	{.from = CLIENT,
	 .to = FAR,
	 A_SYN,
	 "new",
	 FAR_B,
	 .alias = true,
	 .node = NODE_SOURCE,
	 .shows = ""},
	FAR_ANSWER("refused syn_timeout connect", SYNACK),
	FAR_ASKS("", .flags = ACK, .seq = 1001, .ack = 5001, .data = 10),
	FAR_ANSWER("empty first_byte", .flags = ACK, .seq = 5001, .ack = 1011, .data = 20),
	FAR_ANSWER("reset!", RESET(5021)),
};

#define SIX(what, verdict, ...)                                                                    \
	{                                                                                          \
		.from = CLIENT6, .to = WEB6, {__VA_ARGS__}, verdict, WEB6_B, .shows = what         \
	}
#define SIX_BACK(what, ...)                                                                        \
	{                                                                                          \
		.from = WEB6_B, .to = CLIENT6, {__VA_ARGS__}, "reply", .source = WEB6,             \
		.shows = what                                                                      \
	}

static const struct step six[] = {
	SIX("", "new", .flags = SYN, .seq = 1000),
	SIX_BACK("refused syn_timeout connect", SYNACK),
	SIX("", "forwarded", .flags = ACK, .seq = 1001, .ack = 5001, .data = 10),
	SIX_BACK("empty!", FINISH(5001)),
	SIX("reset", "forwarded", .flags = FIN | ACK, .seq = 1011, .ack = 5002),
};

/* Replies do not come by: nothing is known. */
#define ONE_WAY(verdict, ...)                                                                      \
	{                                                                                          \
		.from = CLIENT, .to = DSR, {__VA_ARGS__}, verdict, DSR_B, .road = ROAD_DSR,        \
		.shows = ""                                                                        \
	}

static const struct step one_way[] = {
	ONE_WAY("new", .flags = SYN, .seq = 1000),
	ONE_WAY("forwarded", .flags = ACK, .seq = 1001, .ack = 5001, .data = 10),
	ONE_WAY("forwarded", .flags = FIN | ACK, .seq = 1011, .ack = 5001),
};

/* ---- HTTP ---- */

#define HTTP_ASKS(what, verdict, ...)                                                              \
	{                                                                                          \
		.from = CLIENT, .to = HTTP, {__VA_ARGS__}, verdict, HTTP_B, .shows = what          \
	}
#define HTTP_SAYS(what, ...)                                                                       \
	{                                                                                          \
		.from = HTTP_B, .to = CLIENT, {__VA_ARGS__}, "reply", .source = HTTP,              \
		.shows = what                                                                      \
	}
#define SAYS(line, n) .flags = ACK, .seq = (n), .ack = 1011, .data = 20, .text = (line)
#define HTTP_ASKED                                                                                 \
	HTTP_ASKS("", "new", .flags = SYN, .seq = 1000),                                           \
		HTTP_SAYS("refused syn_timeout connect", SYNACK),                                  \
		HTTP_ASKS("", "forwarded", .flags = ACK, .seq = 1001, .ack = 5001, .data = 10)

static const struct step http[] = {
	HTTP_ASKED,
	HTTP_SAYS("empty first_byte", SAYS("HTTP/1.1 100 Continue", 5001)),
	HTTP_SAYS("5xx", SAYS("HTTP/1.1 200 OK", 5021)),
	HTTP_SAYS("", SAYS("HTTP/1.x 500", 5041)),
	HTTP_SAYS("5xx!", SAYS("HTTP/1.1 500 Internal", 5061)),
	HTTP_SAYS("again", SAYS("HTTP/1.1 500 Internal", 5061)),
	HTTP_SAYS("5xx!", SAYS("HTTP/1.0 599", 5081)),
	HTTP_SAYS("5xx", SAYS("HTTP/1.1 404", 5101)),
	HTTP_SAYS("", SAYS("HTTP/1.1 600", 5121)),
	HTTP_SAYS("", SAYS("HTTP/1.1 5", 5141)),
	HTTP_SAYS("", SAYS("XTTP/1.1 500", 5161)),
	HTTP_SAYS("", .flags = ACK, .seq = 5181, .ack = 1011, .data = 11, .text = "HTTP/1.1 50"),
	HTTP_SAYS("", .flags = ACK, .seq = 5192, .ack = 1011),
};

/* With the response, the end. */
static const struct step http_closed[] = {
	HTTP_ASKED,
	HTTP_SAYS("empty 5xx! first_byte", .flags = FIN | ACK, .seq = 5001, .ack = 1011, .data = 20,
		  .tcp_words = 3, .text = "HTTP/1.1 503 Bad"),
};

/* Nobody asked for its statuses. */
static const struct step http_unasked[] = {
	ASKED,
	ANSWER("empty first_byte", SAYS("HTTP/1.1 500", 5001)),
};

/* ---- UDP ---- */

#define DATAGRAM(what, verdict, ...)                                                               \
	{                                                                                          \
		.from = CLIENT, .to = DNS, {.proto = UDP, .data = 9}, verdict, DNS_B,              \
		.shows = what, __VA_ARGS__                                                         \
	}
#define REPLY(what)                                                                                \
	{                                                                                          \
		.from = DNS_B, .to = CLIENT, {.proto = UDP, .data = 9}, "reply", .source = DNS,    \
		.shows = what                                                                      \
	}

static void long_silent(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_age(s, 61);
}

static const struct step udp[] = {
	DATAGRAM("", "new"), REPLY("udp_silent"),
	REPLY(""),           DATAGRAM("", "new", .before = long_silent),
	REPLY("udp_silent"),
};

static const struct step udp_silent[] = {
	DATAGRAM("", "new"),
	DATAGRAM("", "forwarded"),
	DATAGRAM("udp_silent!", "new", .before = long_silent),
	REPLY("udp_silent"),
};

/* ---- lease and breaker ---- */

#define CLIENT_2 "198.51.100.8:40000"
#define CLIENT_3 "198.51.100.9:40000"
#define GOES_NEW(client, ...)                                                                      \
	{                                                                                          \
		.from = client, .to = CANARY, A_SYN, "new", CANARY_NEW, __VA_ARGS__                \
	}
#define GOES_LIVE(client)                                                                          \
	{                                                                                          \
		.from = client, .to = CANARY, A_SYN, "new", CANARY_LIVE, .notes = "turned_away"    \
	}
#define TO_NEW(...)                                                                                \
	{                                                                                          \
		.from = CLIENT, .to = CANARY, {__VA_ARGS__}, "forwarded", CANARY_NEW               \
	}
#define FROM_NEW(...)                                                                              \
	{                                                                                          \
		.from = CANARY_NEW, .to = CLIENT, {__VA_ARGS__}, "reply", .source = CANARY         \
	}
#define NEW_MADE                                                                                   \
	GOES_NEW(CLIENT, .before = breaks_at_1), FROM_NEW(SYNACK),                                 \
		TO_NEW(.flags = ACK, .seq = 1001, .ack = 5001)
#define NEW_ASKED NEW_MADE, TO_NEW(.flags = ACK, .seq = 1001, .ack = 5001, .data = 10)

static void leased(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_lease(s, &(const struct zdd_override){.until = ~0ull, .rollout = 7});
}

static void run_out(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_lease(s, &(const struct zdd_override){.until = 1});
}

static void no_lease(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_lease(s, &(const struct zdd_override){.failed = 9});
}

static void breaks_at_1(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_lease(s, &(const struct zdd_override){.until = ~0ull, .limit = 1});
}

static void breaks_at_2(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_lease(s, &(const struct zdd_override){.limit = 2});
}

/* A client is new once, whatever it begins. */
static const struct step lease_holds[] = {
	GOES_NEW(CLIENT, .before = leased, .shows = "new"),
	GOES_NEW("198.51.100.7:40001", .shows = ""),
	GOES_NEW(CLIENT_2, .shows = "new"),
};

/* Open connections stay. */
static const struct step lease_over[] = {
	GOES_NEW(CLIENT, .before = leased),
	{.from = CLIENT_2,
	 .to = CANARY,
	 A_SYN,
	 "new",
	 CANARY_LIVE,
	 .notes = "turned_away",
	 .before = run_out},
	FROM_NEW(SYNACK),
	TO_NEW(.flags = ACK, .seq = 1001, .ack = 5001),
	GOES_LIVE(CLIENT_3),
};

static const struct step lease_none[] = {
	GOES_NEW(CLIENT, .before = no_lease),
	GOES_NEW(CLIENT_2),
};

#define REFUSES(client)                                                                            \
	{                                                                                          \
		.from = CANARY_NEW, .to = client, {.flags = RST | ACK, .ack = 1001}, "reply",      \
		.source = CANARY                                                                   \
	}

static const struct step breaks_refused[] = {
	GOES_NEW(CLIENT, .before = breaks_at_2),
	REFUSES(CLIENT),
	REFUSES(CLIENT),
	GOES_NEW(CLIENT_2),
	REFUSES(CLIENT_2),
	GOES_LIVE(CLIENT_3),
};

static const struct step breaks_silent[] = {
	GOES_NEW(CLIENT, .before = breaks_at_1),
	{.from = CLIENT, .to = CANARY, A_SYN, "forwarded", CANARY_NEW, .before = second_later},
	GOES_LIVE(CLIENT_2),
};

static const struct step breaks_reset_early[] = {
	NEW_MADE,
	FROM_NEW(.flags = RST | ACK, .seq = 5001, .ack = 1001),
	GOES_LIVE(CLIENT_2),
};

static const struct step breaks_reset[] = {
	NEW_ASKED,
	FROM_NEW(.flags = ACK, .seq = 5001, .ack = 1011, .data = 20),
	FROM_NEW(RESET(5021)),
	GOES_LIVE(CLIENT_2),
};

static const struct step breaks_empty[] = {
	NEW_ASKED,
	FROM_NEW(FINISH(5001)),
	GOES_LIVE(CLIENT_2),
};

static const struct step breaks_not[] = {
	NEW_ASKED,
	FROM_NEW(.flags = ACK, .seq = 5001, .ack = 1011, .data = 20),
	FROM_NEW(FINISH(5021)),
	TO_NEW(.flags = FIN | ACK, .seq = 1011, .ack = 5022),
	GOES_NEW(CLIENT_2),
};

static const struct packet_case cases[] = {
	{"signal: all is well", STEPS(good)},
	{"signal: data with the last of the handshake", STEPS(at_once)},
	{"signal: data before it is heard", STEPS(early_data)},
	{"signal: nobody asked", STEPS(unasked)},
	{"signal: nobody asked, reset", STEPS(unasked_reset)},
	{"signal: refused", STEPS(refused)},
	{"signal: refused, once an attempt", STEPS(refused_once)},
	{"signal: silent", STEPS(silent)},
	{"signal: silent, moved", STEPS(silent_moved)},
	{"signal: unreachable", STEPS(unreachable)},
	{"signal: empty", STEPS(empty)},
	{"signal: empty, client half-closed", STEPS(empty_half_closed)},
	{"signal: not empty", STEPS(not_empty)},
	{"signal: reset before an answer", STEPS(reset_unserved)},
	{"signal: reset after an answer", STEPS(reset_served)},
	{"signal: reset after the client's FIN", STEPS(reset_after_fin)},
	{"signal: reset, half-closed and unanswered", STEPS(reset_half_closed)},
	{"signal: reset after its own FIN", STEPS(reset_after_its_fin)},
	{"signal: reset by the client", STEPS(reset_by_client)},
	{"signal: snat", STEPS(far_away)},
	{"signal: v6", STEPS(six)},
	{"signal: one way", STEPS(one_way)},
	{"signal: UDP answered", STEPS(udp)},
	{"signal: UDP silent", STEPS(udp_silent)},
	{"signal: HTTP", STEPS(http)},
	{"signal: HTTP, status and FIN", STEPS(http_closed)},
	{"signal: HTTP, not asked for", STEPS(http_unasked)},
	{"lease: holds", STEPS(lease_holds)},
	{"lease: over", STEPS(lease_over)},
	{"lease: none", STEPS(lease_none)},
	{"breaker: refused", STEPS(breaks_refused)},
	{"breaker: silent", STEPS(breaks_silent)},
	{"breaker: reset before any data", STEPS(breaks_reset_early)},
	{"breaker: reset after data", STEPS(breaks_reset)},
	{"breaker: empty", STEPS(breaks_empty)},
	{"breaker: good connections", STEPS(breaks_not)},
};

const struct case_list signal_cases = CASES(cases);
