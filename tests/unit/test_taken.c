/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose a socket of mode local is, by the running plan. */
#include "plan_node.h"
#include "taken.h"

#define TWO                                                                                           \
	HEAD "services:\n"                                                                            \
	     "  web:\n    listen: [\":443/tcp\"]\n    preview: [\"10.9.9.9:8443/tcp\"]\n"             \
	     "    forward: local\n    live: blue\n"                                                   \
	     "    pools: {blue: [\"127.0.0.1:8081\"], green: [\"127.0.0.1:8082\", \"[::1]:8082\"]}\n" \
	     "  api:\n    listen: [\"10.9.9.9:444/tcp\"]\n    forward: local\n"                       \
	     "    pools: {one: [\"127.0.0.1:8082\", \"127.0.0.1:8083\"]}\n"                           \
	     "  far:\n    listen: [\"203.0.113.10:445/tcp\"]\n"                                       \
	     "    pools: {one: [\"127.0.0.1:8081\"]}\n"

static bool owner(const char *listener, uint16_t port, const char *to, uint16_t to_port,
		  union zdd_owner *out)
{
	struct zdd_addr at = addr(listener);
	struct zdd_taken t = {.addr = addr(to), .port = htons(to_port)};

	return taken_owner(&memory, slot_now(), &at, htons(port), &t, out);
}

/* "service/pool" of a connection, "" when it is nobody's. */
static const char *pool_for(const char *listener, uint16_t port, const char *to, uint16_t to_port)
{
	static char text[2 * ZDD_NAME_MAX + 2];
	union zdd_owner o;
	const struct zdd_pool_name *name;

	if (!owner(listener, port, to, to_port, &o))
		return "";
	name = &memory.pool_names[o.pool];
	CHECK_INT(memory.backends[o.backend].pool, o.pool);
	CHECK_INT(ntohs(memory.backends[o.backend].port), to_port);
	CHECK_INT(memory.backends[o.backend].incarnation, o.incarnation);
	CHECK_INT(ntohs(memory.listeners[o.listener].port), port);
	snprintf(text, sizeof(text), "%s/%s", name->service, name->pool);
	return text;
}

TEST(by_listener_and_socket)
{
	begin(TWO);
	publish();
	CHECK_STR(pool_for("10.9.9.9", 443, "127.0.0.1", 8081), "web/blue");
	CHECK_STR(pool_for("127.0.0.1", 443, "127.0.0.1", 8082), "web/green");
	CHECK_STR(pool_for("2001:db8::9", 443, "::1", 8082), "web/green");
	/* the same socket, by another service's listener */
	CHECK_STR(pool_for("10.9.9.9", 444, "127.0.0.1", 8082), "api/one");
	CHECK_STR(pool_for("10.9.9.9", 444, "127.0.0.1", 8083), "api/one");
	/* the preview leads to green now, to blue later: a connection stays where it is */
	CHECK_STR(pool_for("10.9.9.9", 8443, "127.0.0.1", 8082), "web/green");
	CHECK_STR(pool_for("10.9.9.9", 8443, "127.0.0.1", 8081), "web/blue");
	end();
}

TEST(nobodys)
{
	union zdd_owner o = {.word = 7};

	begin(TWO);
	publish();
	CHECK_STR(pool_for("127.0.0.1", 8081, "127.0.0.1", 8081), ""); /* not through zdd */
	CHECK_STR(pool_for("10.9.9.9", 443, "127.0.0.1", 8083), "");   /* no backend of web's */
	CHECK_STR(pool_for("10.9.9.9", 443, "127.0.0.1", 8090), "");
	CHECK_STR(pool_for("203.0.113.10", 445, "127.0.0.1", 8081), ""); /* mode nat */
	CHECK(!owner("10.9.9.9", 443, "127.0.0.1", 8083, &o));
	CHECK_INT(o.word, 7);
	end();
}

TEST(as_a_flow)
{
	struct zdd_addr client = addr("198.51.100.7");
	struct zdd_taken t = {.since = 1000 << 10};
	struct zdd_flow f = taken_flow((union zdd_owner){.pool = 3}, &t, &client, htons(999),
				       ZDD_F_FIN_C, 5000 << 10, 77);

	CHECK_INT(ZDD_META_SEEN(f.meta), (5000 << 10) - 77);
	CHECK_INT(ZDD_META_STATE(f.meta), ZDD_F_FIN_C);
	CHECK_INT(f.born, 1000);
	CHECK_INT(f.owner.pool, 3);
	CHECK(zdd_addr_eq(&f.client, &client) && f.port == htons(999));
	t.since = 0; /* accepted before anybody noted it: as young as can be */
	f = taken_flow(f.owner, &t, &client, htons(999), 0, 5000 << 10, 0);
	CHECK_INT(f.born, 5000);
}
