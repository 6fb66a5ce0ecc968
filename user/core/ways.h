/* SPDX-License-Identifier: BSD-2-Clause */
/* XDP or tc, interface by interface. Frames that XDP rewrites leave by a redirect to another
 * interface: where one of them takes none, or has tc, the directions of a flow would be handled at
 * different depths of the stack. So `auto` gives XDP to all of them or to none. Generic XDP is only
 * for those who ask for it: it sends to any interface, and stands where tc stands. Pure. */
#ifndef ZDD_WAYS_H
#define ZDD_WAYS_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

struct way {
	const char *name;
	const char *kind; /* of the link: "", "veth", "loopback"...; NULL: there is none yet */
	enum attach_mode mode;
	bool failed;     /* XDP was tried and could not be had */
	bool known;      /* `redirected` is what the kernel says with programs attached */
	bool redirected; /* it takes XDP redirects */

	bool xdp;     /* the choice */
	bool generic; /* with xdp: the stack's, not the driver's */
	char why[56]; /* it is so, or what is wrong with it */
};

/* Sets xdp and why of all. why is left alone where XDP has failed. */
void ways_choose(struct way *, size_t n);

/* May frames of XDP leave through a device of this driver (NULL, "": it names none), when the kernel
 * does not tell? */
bool ways_driver_sends(const char *driver);

#endif
