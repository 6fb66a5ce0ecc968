/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hooks_int.h"

/* A pipe holds 64 KiB: so many reads empty one that nobody fills. */
enum { KEPT = 1024, CHUNK = 4096, READS = 16 };

struct said {
	uv_poll_t poll;
	int fd;
	size_t len;
	char bytes[KEPT + 1];
	bool forgotten;
};

static void said_free(uv_handle_t *handle)
{
	free(handle->data);
}

static void shut(struct said *s)
{
	if (s->fd < 0)
		return;
	uv_poll_stop(&s->poll);
	close(s->fd);
	s->fd = -1;
	if (s->forgotten)
		uv_close((uv_handle_t *)&s->poll, said_free);
}

/* The newest KEPT bytes. */
static void keep(struct said *s, const char *bytes, size_t n)
{
	size_t stays;

	if (n > KEPT) {
		bytes += n - KEPT;
		n = KEPT;
	}
	stays = s->len + n > KEPT ? KEPT - n : s->len;
	memmove(s->bytes, s->bytes + s->len - stays, stays);
	memcpy(s->bytes + stays, bytes, n);
	s->len = stays + n;
}

/* Returns whether there may be more now. */
static bool read_some(struct said *s)
{
	char chunk[CHUNK];
	ssize_t n = read(s->fd, chunk, sizeof(chunk));

	if (n > 0)
		keep(s, chunk, (size_t)n);
	else if (!n || (errno != EAGAIN && errno != EINTR))
		shut(s);
	return n > 0;
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct said *s = poll->data;

	(void)events;
	if (status < 0)
		shut(s);
	else
		read_some(s);
}

struct said *said_open(uv_loop_t *loop, int *fd)
{
	struct said *s = calloc(1, sizeof(*s));
	int ends[2];

	if (!s)
		return NULL;
	if (pipe2(ends, O_CLOEXEC)) {
		free(s);
		return NULL;
	}
	s->fd = ends[0];
	s->poll.data = s;
	uv_poll_init(loop, &s->poll, s->fd); /* makes our end non-blocking */
	uv_poll_start(&s->poll, UV_READABLE, readable);
	*fd = ends[1];
	return s;
}

/* What JSON and terminals take: control characters become spaces, all that is not ASCII '?' unless
 * the whole is UTF-8. */
static void make_printable(char *text)
{
	json_t *whole = json_string(text);

	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			*c = ' ';
		else if (*c >= 0x80 && !whole)
			*c = '?';
	json_decref(whole);
}

const char *said_last_line(struct said *s)
{
	char *line;

	for (int i = 0; i < READS && s->fd >= 0 && read_some(s); i++)
		;
	for (size_t i = 0; i < s->len; i++)
		if (!s->bytes[i])
			s->bytes[i] = ' ';
	while (s->len && strchr("\n\r\t ", s->bytes[s->len - 1]))
		s->len--;
	s->bytes[s->len] = '\0';
	line = strrchr(s->bytes, '\n');
	line = line ? line + 1 : s->bytes;
	make_printable(line);
	return line;
}

void said_forget(struct said *s)
{
	if (!s)
		return;
	s->forgotten = true;
	if (s->fd < 0)
		uv_close((uv_handle_t *)&s->poll, said_free);
	else
		uv_unref((uv_handle_t *)&s->poll);
}
