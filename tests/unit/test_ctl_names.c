/* SPDX-License-Identifier: BSD-2-Clause */
/* SVC/POOL/ADDR and LEFT=RIGHT as people write them. */
#include "t.h"

#include <errno.h>

#include "../../user/ctl/names.c"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	const char *text;
	int min, max;
	const char *service, *pool, *backend; /* service NULL: refused */
} names[] = {
	{"shop", 1, 1, "shop", "", ""},
	{"shop", 1, 3, "shop", "", ""},
	{"shop/blue", 1, 3, "shop", "blue", ""},
	{"shop/blue/10.0.0.1:80", 1, 3, "shop", "blue", "10.0.0.1:80"},
	{"shop/blue/[fd00::1]:80", 3, 3, "shop", "blue", "[fd00::1]:80"},
	{"shop/blue/[FD00:0::1]:80", 3, 3, "shop", "blue", "[fd00::1]:80"},
	{"", 1, 3, NULL, NULL, NULL},
	{"/", 1, 3, NULL, NULL, NULL},
	{"/blue", 1, 3, NULL, NULL, NULL},
	{"shop/", 1, 3, NULL, NULL, NULL},
	{"shop//", 1, 3, NULL, NULL, NULL},
	{"shop//10.0.0.1:80", 1, 3, NULL, NULL, NULL},
	{"shop/blue/", 1, 3, NULL, NULL, NULL},
	{"shop/blue//", 1, 3, NULL, NULL, NULL},
	{"shop/blue/10.0.0.1", 1, 3, NULL, NULL, NULL},
	{"shop/blue/10.0.0.1:0", 1, 3, NULL, NULL, NULL},
	{"shop/blue/10.0.0.1:80/x", 1, 3, NULL, NULL, NULL},
	{"shop/blue/fd00::1:80", 1, 3, NULL, NULL, NULL},
	{"shop=green", 1, 3, NULL, NULL, NULL},
	{"shop/blue", 1, 1, NULL, NULL, NULL},
	{"shop", 2, 3, NULL, NULL, NULL},
	{"shop/blue", 3, 3, NULL, NULL, NULL},
};

TEST(names)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		struct name got = {.service = "untouched"};
		char error[ERROR_MAX] = "";
		int err = name_parse(&got, names[i].text, names[i].min, names[i].max, error);

		ROW("%s (%d to %d parts)", names[i].text, names[i].min, names[i].max);
		CHECK_INT(err, names[i].service ? 0 : -EINVAL);
		CHECK_STR(got.service, names[i].service ? names[i].service : "untouched");
		if (!names[i].service) {
			CHECK(*error);
			continue;
		}
		CHECK_STR(got.pool, names[i].pool);
		CHECK_STR(got.backend, names[i].backend);
	}
}

TEST(a_name_that_is_too_long_is_refused)
{
	char text[1024], error[ERROR_MAX];
	struct name name;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	CHECK_INT(name_parse(&name, text, 1, 3, error), -EINVAL);
	text[4] = '/';
	CHECK_INT(name_parse(&name, text, 1, 3, error), -EINVAL);
	text[9] = '/';
	CHECK_INT(name_parse(&name, text, 1, 3, error), -EINVAL);
}

static const struct {
	const char *text, *left, *right; /* left NULL: refused */
} pairs[] = {
	{"shop=green", "shop", "green"},
	{"green=5%", "green", "5%"},
	{"=green", NULL, NULL},
	{"shop=", NULL, NULL},
	{"shop", NULL, NULL},
	{"a=b=c", NULL, NULL},
	{"", NULL, NULL},
	{"=", NULL, NULL},
};

TEST(pairs)
{
	for (size_t i = 0; i < COUNT(pairs); i++) {
		char left[NAME_MAX_BYTES], error[ERROR_MAX];
		const char *right = NULL;
		int err = pair_parse(pairs[i].text, left, &right, "A=B", error);

		ROW("%s", pairs[i].text);
		CHECK_INT(err, pairs[i].left ? 0 : -EINVAL);
		if (pairs[i].left && !err) {
			CHECK_STR(left, pairs[i].left);
			CHECK_STR(right, pairs[i].right);
		}
	}
}

static const struct {
	const char *text, *service, *pool; /* service NULL: refused; pool NULL: the other one */
} targets[] = {
	{"shop=green", "shop", "green"}, {"shop", "shop", NULL},   {"shop=", NULL, NULL},
	{"=green", NULL, NULL},          {"", NULL, NULL},         {"shop/green", NULL, NULL},
	{"a=b=c", NULL, NULL},           {"shop=a/b", NULL, NULL},
};

TEST(targets)
{
	for (size_t i = 0; i < COUNT(targets); i++) {
		char service[NAME_MAX_BYTES], error[ERROR_MAX] = "";
		const char *pool = "untouched";
		int err = target_parse(targets[i].text, service, &pool, error);

		ROW("%s", targets[i].text);
		CHECK_INT(err, targets[i].service ? 0 : -EINVAL);
		if (!targets[i].service) {
			CHECK(*error);
			continue;
		}
		CHECK_STR(service, targets[i].service);
		CHECK(pool ? targets[i].pool && !strcmp(pool, targets[i].pool) : !targets[i].pool);
	}
}
