/* SPDX-License-Identifier: BSD-2-Clause */
/* SVC, SVC/POOL and SVC/POOL/ADDR name things, SVC=POOL is a target. Pure. */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "ctl.h"

static const char target_form[] = "SVC=POOL or SVC";
static const char *const forms[] = {"", "SVC", "SVC/POOL", "SVC/POOL/ADDR"};

static int wrong(const char *text, int min, int max, char *error)
{
	snprintf(error, ERROR_MAX, "'%s': expected %s%s%s", text, forms[min],
		 min == max ? "" : " or ", min == max ? "" : forms[max]);
	return -EINVAL;
}

/* The part up to the next '/' or the end; moves *at behind it. */
static int next_part(const char **at, char *out, size_t size)
{
	size_t len = strcspn(*at, "/");

	if (!len || len >= size)
		return -EINVAL;
	memcpy(out, *at, len);
	out[len] = '\0';
	*at += len + ((*at)[len] == '/' && (*at)[len + 1]);
	return 0;
}

static int backend_parse(struct name *name, const char *text, const char *address, char *error)
{
	struct zdd_addr addr;
	uint16_t port;

	if (parse_endpoint(address, &addr, &port)) {
		snprintf(error, ERROR_MAX,
			 "'%s': '%s' is no backend, expected like 10.0.0.1:80 or [fd00::1]:80",
			 text, address);
		return -EINVAL;
	}
	format_endpoint(name->backend, sizeof(name->backend), &addr, port);
	return 0;
}

int name_parse(struct name *name, const char *text, int min, int max, char *error)
{
	struct name n = {0};
	const char *at = text;
	int parts = 0;

	if (next_part(&at, n.service, sizeof(n.service)))
		return wrong(text, min, max, error);
	parts = NAME_SERVICE;
	if (*at && *at != '/') {
		if (next_part(&at, n.pool, sizeof(n.pool)))
			return wrong(text, min, max, error);
		parts = NAME_POOL;
	}
	if (*at == '/' || strchr(n.service, '='))
		return wrong(text, min, max, error);
	if (*at)
		parts = NAME_BACKEND;
	if (parts < min || parts > max)
		return wrong(text, min, max, error);
	if (parts == NAME_BACKEND && backend_parse(&n, text, at, error))
		return -EINVAL;
	*name = n;
	return 0;
}

int pair_parse(const char *text, char *left, const char **right, const char *form, char *error)
{
	size_t len = strcspn(text, "=");

	if (!len || len >= NAME_MAX_BYTES || !text[len] || !text[len + 1] ||
	    strchr(text + len + 1, '=')) {
		snprintf(error, ERROR_MAX, "'%s': expected %s", text, form);
		return -EINVAL;
	}
	memcpy(left, text, len);
	left[len] = '\0';
	*right = text + len + 1;
	return 0;
}

int target_parse(const char *text, char *service, const char **pool, char *error)
{
	struct name name;

	*pool = NULL;
	if (strchr(text, '/')) {
		snprintf(error, ERROR_MAX, "'%s': expected %s", text, target_form);
		return -EINVAL;
	}
	if (strchr(text, '='))
		return pair_parse(text, service, pool, target_form, error);
	if (name_parse(&name, text, NAME_SERVICE, NAME_SERVICE, error))
		return -EINVAL;
	memcpy(service, name.service, sizeof(name.service));
	return 0;
}
