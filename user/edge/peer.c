/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets to listen on and the credentials of those who come. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config.h"
#include "explain.h"
#include "peer.h"

enum { BACKLOG = 128, GROUPS_MAX = 1024 };

static bool in_group(int fd, gid_t primary)
{
	gid_t groups[GROUPS_MAX], own = getegid();
	socklen_t len = sizeof(groups);

	if (primary == own)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == own)
			return true;
	return false;
}

void peer_of(int fd, struct request *r)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct passwd entry, *found = NULL;
	char buffer[1024];

	r->uid = (uid_t)-1;
	snprintf(r->who, sizeof(r->who), "unknown");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return;
	r->uid = peer.uid;
	r->permitted = peer.uid == 0 || peer.uid == geteuid() || in_group(fd, peer.gid);
	if (!getpwuid_r(peer.uid, &entry, buffer, sizeof(buffer), &found) && found)
		snprintf(r->who, sizeof(r->who), "%.48s", found->pw_name);
	else
		snprintf(r->who, sizeof(r->who), "uid %u", peer.uid);
}

static bool answers(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* a full backlog says EAGAIN: somebody is there */
	bool live = fd >= 0 &&
		    (!connect(fd, (const struct sockaddr *)at, sizeof(*at)) || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return live;
}

static int bind_unix(int fd, const struct sockaddr_un *at)
{
	mode_t mask = umask(0117); /* 0660 from the first moment */
	int err = bind(fd, (const struct sockaddr *)at, sizeof(*at)) ? -errno : 0;

	umask(mask);
	return err;
}

int listen_unix(const char *path, char **error)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(at.sun_path))
		return explain(error, -ENAMETOOLONG,
			       "%s: longer than the %zu bytes that a socket's "
			       "path may have; choose a shorter --run-dir",
			       path, sizeof(at.sun_path) - 1);
	strcpy(at.sun_path, path);
	if (answers(&at))
		return explain(error, -EADDRINUSE, "%s: another zddd answers there", path);
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = fd < 0 ? -errno : bind_unix(fd, &at);
	if (!err && listen(fd, BACKLOG))
		err = -errno;
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return explain(error, err, "%s: cannot listen there: %s", path, strerror(-err));
}

static socklen_t tcp_address(const char *endpoint, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct zdd_addr addr;
	uint16_t port;

	memset(out, 0, sizeof(*out));
	if (parse_endpoint(endpoint, &addr, &port))
		return 0;
	if (zdd_addr_is_v4(&addr)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		v4->sin_addr.s_addr = addr.w[3];
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, addr.b, 16);
	return sizeof(*v6);
}

int listen_tcp(const char *endpoint, char **error)
{
	struct sockaddr_storage at;
	socklen_t len = tcp_address(endpoint, &at);
	int on = 1, err = -EINVAL, fd = -1;

	if (len) {
		fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		err = fd < 0 ? -errno : 0;
	}
	if (!err) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *)&at, len) || listen(fd, BACKLOG))
			err = -errno;
	}
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return explain(error, err, "metrics: cannot listen on %s: %s", endpoint, strerror(-err));
}
