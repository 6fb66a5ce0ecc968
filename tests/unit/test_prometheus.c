/* SPDX-License-Identifier: BSD-2-Clause */
/* What Prometheus is asked, and what its answers are worth. */
#include <errno.h>
#include <stdlib.h>

#include "prometheus.h"
#include "t.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

TEST(the_pool_stands_in_the_query)
{
	static const struct {
		const char *query, *want;
	} rows[] = {
		{"sum(a{p=\"{pool}\"})", "sum(a{p=\"green\"})"},
		{"{pool}", "green"},
		{"a{pool=~\"{pool}|{pool}\"} or {", "a{pool=~\"green|green\"} or {"},
		{"sum(a)", "sum(a)"},
		{"", ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char *got = prometheus_query(rows[i].query, "green");

		ROW("%s", rows[i].query);
		CHECK_STR(got, rows[i].want);
		free(got);
	}
}

#define DATA(type, result)                                                                         \
	"{\"status\":\"success\",\"data\":{\"resultType\":\"" type "\",\"result\":" result "}}"
#define SAMPLE(value) DATA("vector", "[{\"metric\":{},\"value\":[1.5,\"" value "\"]}]")

TEST(what_counts)
{
	static const struct {
		const char *answer;
		uint64_t want;
	} rows[] = {
		{SAMPLE("12"), 12},
		{SAMPLE("12.9"), 12},
		{SAMPLE("0"), 0},
		{SAMPLE("1e3"), 1000},
		{SAMPLE("9007199254740992"), 1ull << 53},
		{DATA("vector", "[]"), 0},
		{DATA("scalar", "[1.5,\"7\"]"), 7},
	};
	char error[PROMETHEUS_ERROR];

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = 99;

		ROW("%s", rows[i].answer);
		CHECK_INT(prometheus_counter(rows[i].answer, strlen(rows[i].answer), &value, error),
			  0);
		CHECK_INT(value, rows[i].want);
	}
}

TEST(what_does_not_count)
{
	static const struct {
		const char *answer, *error;
	} rows[] = {
		{"", "this is no answer of Prometheus"},
		{"<html>", "this is no answer of Prometheus"},
		{"[1]", "this is no answer of Prometheus"},
		{"{\"status\":\"success\"}", "this is no answer to an instant query"},
		{"{\"status\":\"error\",\"error\":\"parse error: 1:4\"}",
		 "it says: parse error: 1:4"},
		{"{\"status\":\"error\"}", "it says: error"},
		{DATA("matrix", "[]"), "a matrix came, expected one number: no range"},
		{DATA("vector", "[{\"value\":[1,\"1\"]},{\"value\":[1,\"2\"]}]"),
		 "2 series came, expected one: sum() adds them up"},
		{DATA("vector", "[{}]"), "this is no value of a counter"},
		{SAMPLE("NaN"), "NaN is no value of a counter"},
		{SAMPLE("+Inf"), "+Inf is no value of a counter"},
		{SAMPLE("-1"), "-1 is no value of a counter"},
		{SAMPLE("1e17"), "1e17 is no value of a counter"},
		{SAMPLE("12x"), "12x is no value of a counter"},
		{SAMPLE(""), " is no value of a counter"},
	};
	char error[PROMETHEUS_ERROR];

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = 99;

		ROW("%s", rows[i].answer);
		CHECK_INT(prometheus_counter(rows[i].answer, strlen(rows[i].answer), &value, error),
			  -EINVAL);
		CHECK_STR(error, rows[i].error);
		CHECK_INT(value, 99);
	}
}
