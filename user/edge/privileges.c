/* SPDX-License-Identifier: BSD-2-Clause */
#include <cap-ng.h>
#include <errno.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include "daemon.h"

/* SYS_ADMIN is for kernels and maps that ask it beside CAP_BPF. */
static const unsigned kept[] = {CAP_BPF,     CAP_NET_ADMIN,        CAP_PERFMON,     CAP_SYS_ADMIN,
				CAP_NET_RAW, CAP_NET_BIND_SERVICE, CAP_SYS_RESOURCE};

enum { KEPT = sizeof(kept) / sizeof(kept[0]) };

/* Called before any thread is there: capabilities belong to threads. */
int privileges_drop(void)
{
	bool have[KEPT];
	int err = 0;

	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return 0; /* what we have is what somebody gave us */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED))
		return -errno;
	for (size_t i = 0; i < KEPT; i++)
		have[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < KEPT; i++)
		if (have[i])
			err |= capng_update(CAPNG_ADD,
					    CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
					    kept[i]);
	return err || capng_apply(CAPNG_SELECT_BOTH) ? -EPERM : 0;
}
