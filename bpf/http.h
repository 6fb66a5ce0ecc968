/* SPDX-License-Identifier: GPL-2.0 */
/* Status classes of clear-text HTTP/1 responses, where a segment begins with one. */
#ifndef ZDD_HTTP_H
#define ZDD_HTTP_H

#include "tell.h"

enum { HTTP_HEAD = 12 }; /* "HTTP/1.1 200" */

ZDD_INLINE int is_digit(__u8 c)
{
	return c >= '0' && c <= '9';
}

/* The class of the status in a line like this one (RFC 9112 4), 0: it is none. */
ZDD_INLINE __u32 http_class(const __u8 head[HTTP_HEAD])
{
	const __u8 *h = head;

	if (h[0] != 'H' || h[1] != 'T' || h[2] != 'T' || h[3] != 'P' || h[4] != '/' ||
	    h[5] != '1' || h[6] != '.' || !is_digit(h[7]) || h[8] != ' ')
		return 0;
	return h[9] >= '1' && h[9] <= '5' && is_digit(h[10]) && is_digit(h[11]) ? h[9] - '0' : 0;
}

/* Where the payload begins in the frame. */
ZDD_INLINE __u32 payload_offset(const struct zdd_packet *p)
{
	return p->l4 + p->segment - p->payload;
}

/* An interim response (1xx) is none yet. After settle: what else the packet told has been counted. */
ZDD_INLINE void count_http(struct zdd_job *j, const __u8 head[HTTP_HEAD])
{
	__u32 class = http_class(head);

	if (class < 2)
		return;
	j->told = class == 5 ? ZDD_TOLD(HTTP_5XX, 1) : ZDD_TOLD(HTTP_5XX, 0);
	count_told(j);
}

#endif
