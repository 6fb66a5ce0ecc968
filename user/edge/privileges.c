/* SPDX-License-Identifier: BSD-2-Clause */
#include <cap-ng.h>
#include <errno.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include "privileges.h"

/* SYS_ADMIN is for kernels and maps that ask it beside CAP_BPF. */
static const unsigned kept[] = {CAP_BPF,     CAP_NET_ADMIN,        CAP_PERFMON,     CAP_SYS_ADMIN,
				CAP_NET_RAW, CAP_NET_BIND_SERVICE, CAP_SYS_RESOURCE};
static const unsigned becoming[] = {CAP_SETUID, CAP_SETGID, CAP_KILL};

enum { KEPT = sizeof(kept) / sizeof(kept[0]), BECOMING = sizeof(becoming) / sizeof(becoming[0]) };

/* What we have of the n goes into set, which has room. */
static size_t add_held(unsigned *set, size_t len, const unsigned *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (capng_have_capability(CAPNG_PERMITTED, wanted[i]))
			set[len++] = wanted[i];
	return len;
}

/* Called before any thread is there: capabilities belong to threads. */
int privileges_drop(bool become)
{
	unsigned held[KEPT + BECOMING];
	size_t n;
	int err = 0;

	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return 0; /* what we have is what somebody gave us */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED))
		return -errno;
	n = add_held(held, 0, kept, KEPT);
	if (become)
		n = add_held(held, n, becoming, BECOMING);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < n; i++)
		err |= capng_update(
			CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, held[i]);
	return err || capng_apply(CAPNG_SELECT_BOTH) ? -EPERM : 0;
}

bool privileges_may_become(void)
{
	for (size_t i = 0; i < BECOMING; i++)
		if (!capng_have_capability(CAPNG_EFFECTIVE, becoming[i]))
			return false;
	return true;
}
