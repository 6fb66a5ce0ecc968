/* SPDX-License-Identifier: BSD-2-Clause */
/* What nftables of this network namespace does to packets that nobody has a rule for. */
#ifndef ZDD_FIREWALL_H
#define ZDD_FIREWALL_H

struct firewall {
	unsigned chains; /* base chains of all families */
	/* "inet filter forward": the first chain at this hook whose policy is drop, or "" */
	char drops_forward[96], drops_input[96];
};

/* 0, or negative errno when the kernel does not tell (no nftables, not permitted). */
int firewall_look(struct firewall *);

#endif
