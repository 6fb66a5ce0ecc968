/* SPDX-License-Identifier: BSD-2-Clause */
/* Webhooks against a server of this loop, which answers as its script says: a letter a request. */
#include <stdlib.h>
#include <unistd.h>

#include "t.h"
#include "webhooks.h"

enum { REQUESTS = 100, BYTES = 4096, SECONDS = 30 };

/* ---- the server ---- */

static struct {
	uv_tcp_t listener;
	int port;
	const char *script; /* 2, 4, 5: a status; x: it hangs up; s: silence; behind its end: 2 */
	unsigned asked, at_once, most_at_once;
	double when_ms[REQUESTS];
	char body[REQUESTS][64];
} server;

struct peer {
	uv_tcp_t tcp;
	uv_write_t write;
	size_t len;
	bool answered;
	char bytes[BYTES + 1];
};

static void peer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void peer_end(struct peer *p)
{
	server.at_once--;
	uv_close((uv_handle_t *)&p->tcp, peer_closed);
}

static void written(uv_write_t *write, int status)
{
	(void)status;
	peer_end(write->data);
}

static void answer(struct peer *p, const char *body)
{
	static char good[] = "HTTP/1.1 204 No Content\r\n\r\n",
		    refused[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		    broken[] = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n";
	unsigned i = server.asked++;
	char how = '2';
	uv_buf_t buf;

	if (i < strlen(server.script))
		how = server.script[i];
	p->answered = true;
	server.when_ms[i] = (double)uv_hrtime() / 1e6;
	snprintf(server.body[i], sizeof(server.body[i]), "%.60s", body);
	if (how == 's')
		return;
	if (how == 'x') {
		peer_end(p);
		return;
	}
	buf = how == '2'   ? uv_buf_init(good, sizeof(good) - 1)
	      : how == '4' ? uv_buf_init(refused, sizeof(refused) - 1)
			   : uv_buf_init(broken, sizeof(broken) - 1);
	p->write.data = p;
	uv_write(&p->write, (uv_stream_t *)&p->tcp, &buf, 1, written);
}

/* Bodies are one object without another in it. */
static void have_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct peer *p = stream->data;
	const char *body;

	(void)buf;
	if (n < 0) {
		if (!p->answered || !uv_is_closing((uv_handle_t *)stream))
			peer_end(p);
		return;
	}
	p->len += (size_t)n;
	p->bytes[p->len] = '\0';
	body = strstr(p->bytes, "\r\n\r\n");
	if (!body || !strchr(body, '}') || p->answered)
		return;
	CHECK(!strncmp(p->bytes, "POST /secret?token=1 HTTP/", 26));
	CHECK(strstr(p->bytes, "Content-Type: application/json\r\n"));
	answer(p, body + 4);
}

static void room(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	struct peer *p = handle->data;

	(void)wanted;
	*buf = uv_buf_init(p->bytes + p->len, (unsigned)(BYTES - p->len));
}

static void connected(uv_stream_t *listener, int status)
{
	struct peer *p = calloc(1, sizeof(*p));

	CHECK(p && !status);
	uv_tcp_init(listener->loop, &p->tcp);
	p->tcp.data = p;
	CHECK(!uv_accept(listener, (uv_stream_t *)&p->tcp));
	if (++server.at_once > server.most_at_once)
		server.most_at_once = server.at_once;
	uv_read_start((uv_stream_t *)&p->tcp, room, have_read);
}

static void serve(const char *script)
{
	struct sockaddr_storage address;
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	int len = sizeof(address);

	memset(&server, 0, sizeof(server));
	server.script = script;
	uv_tcp_init(uv_default_loop(), &server.listener);
	uv_ip4_addr("127.0.0.1", 0, in);
	CHECK(!uv_tcp_bind(&server.listener, (struct sockaddr *)in, 0));
	CHECK(!uv_listen((uv_stream_t *)&server.listener, 128, connected));
	CHECK(!uv_tcp_getsockname(&server.listener, (struct sockaddr *)in, &len));
	server.port = ntohs(in->sin_port);
}

/* ---- the messages ---- */

static struct webhooks *hooks;
static unsigned lost;
static char last_lost[300], url[100];

static void is_lost(void *context, const char *who, const char *why)
{
	CHECK(context == &server);
	lost++;
	snprintf(last_lost, sizeof(last_lost), "%s: %s", who, why);
}

static void begin(const char *script)
{
	serve(script);
	lost = 0;
	last_lost[0] = '\0';
	snprintf(url, sizeof(url), "http://me:password@127.0.0.1:%d/secret?token=1", server.port);
	hooks = webhooks_make(uv_default_loop(), is_lost, &server);
	CHECK(hooks);
}

static void end(void)
{
	webhooks_free(hooks);
	uv_close((uv_handle_t *)&server.listener, NULL);
	alarm(SECONDS);
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	alarm(0);
	CHECK_INT(server.at_once, 0);
}

static void post(int number)
{
	json_t *body = json_pack("{s:i}", "number", number);

	webhooks_post(hooks, url, body);
	json_decref(body);
}

/* Until the server was asked, and messages were lost, so often. */
static void wait_for(unsigned asked, unsigned losses)
{
	alarm(SECONDS);
	while (server.asked < asked || lost < losses || (server.at_once && !losses))
		uv_run(uv_default_loop(), UV_RUN_ONCE);
	alarm(0);
	for (int i = 0; i < 10; i++)
		uv_run(uv_default_loop(), UV_RUN_NOWAIT);
}

static const struct row {
	const char *script;
	unsigned asked, lost;
	const char *why;
	double least_ms, most_ms; /* between the first and the last request */
} rows[] = {
	{"2", 1, 0, "", 0, 0},
	{"52", 2, 0, "", 990, 3900},
	{"x2", 2, 0, "", 990, 3900},
	{"552", 3, 0, "", 4990, 12000},
	{"555", 3, 1, "status 500", 4990, 12000},
	{"4", 1, 1, "status 404", 0, 0},
	{"s2", 2, 0, "", 5990, 12000},
};

TEST(tries)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		char want[100] = "";
		double between;

		ROW("%s", row->script);
		begin(row->script);
		post(1);
		CHECK_INT(server.asked, 0); /* nothing is waited for */
		wait_for(row->asked, row->lost);
		CHECK_INT(server.asked, row->asked);
		CHECK_INT(lost, row->lost);
		if (row->lost)
			snprintf(want, sizeof(want), "http://127.0.0.1:%d: %s", server.port,
				 row->why);
		CHECK_STR(last_lost, want);
		CHECK_STR(server.body[0], "{\"number\":1}");
		between = server.when_ms[row->asked - 1] - server.when_ms[0];
		CHECK(between >= row->least_ms && between <= row->most_ms);
		end();
	}
}

TEST(order)
{
	begin("2522");
	for (int i = 1; i <= 3; i++)
		post(i);
	wait_for(4, 0);
	CHECK_STR(server.body[0], "{\"number\":1}");
	CHECK_STR(server.body[1], "{\"number\":2}");
	CHECK_STR(server.body[2], "{\"number\":2}");
	CHECK_STR(server.body[3], "{\"number\":3}");
	CHECK_INT(server.most_at_once, 1);
	CHECK_INT(lost, 0);
	end();
}

TEST(full)
{
	begin("");
	for (int i = 1; i <= 66; i++)
		post(i);
	CHECK_INT(lost, 2);
	wait_for(64, 2);
	CHECK_INT(server.asked, 64);
	CHECK_STR(server.body[63], "{\"number\":64}");
	end();
}

TEST(ended_on_the_way)
{
	begin("s");
	post(1);
	post(2);
	alarm(SECONDS);
	while (!server.asked)
		uv_run(uv_default_loop(), UV_RUN_ONCE);
	end();
	CHECK_INT(lost, 0);
}

TEST(nobody_there)
{
	begin("");
	snprintf(url, sizeof(url), "http://127.0.0.1:1/");
	post(1);
	wait_for(0, 1);
	CHECK(!strncmp(last_lost, "http://127.0.0.1:1: Failed to connect", 37));
	end();
	CHECK_INT(uv_loop_close(uv_default_loop()), 0);
}
