/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP over the daemon's unix socket. */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

enum {
	SLACK_MS = 5000, /* the daemon keeps to the timeout itself; we only catch one that hangs */
	PATIENCE_MS = 1000,
	AGAIN_MS = 500,
	ANSWER_MAX = 64 << 20,
};

struct text {
	char *data;
	size_t len;
};

static size_t collect(char *data, size_t size, size_t n, void *into)
{
	struct text *t = into;
	char *grown;

	if (t->len + size * n > ANSWER_MAX)
		return 0;
	grown = realloc(t->data, t->len + size * n + 1);
	if (!grown)
		return 0;
	memcpy(grown + t->len, data, size * n);
	t->data = grown;
	t->len += size * n;
	t->data[t->len] = '\0';
	return size * n;
}

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

void pause_ms(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

struct waiting {
	const struct ctl *ctl;
	int64_t since_ms;
	bool said;
};

/* Tells a person at a terminal that a change takes its time. */
static int tell(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct waiting *w = context;

	(void)a, (void)b, (void)c, (void)d;
	if (!w->said && now_ms() - w->since_ms > PATIENCE_MS) {
		fprintf(stderr, "zddctl: waiting, at most %u s (Ctrl-C leaves it going)\n",
			(w->ctl->opt.timeout_ms + 999) / 1000);
		w->said = true;
	}
	return 0;
}

static void prepare(CURL *curl, const struct ctl *ctl, const char *url, struct text *into)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, ctl->opt.socket);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ctl->opt.timeout_ms + SLACK_MS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, into);
}

static void prepare_post(CURL *curl, const char *body, struct curl_slist *headers,
			 struct waiting *waiting)
{
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (isatty(STDERR_FILENO)) {
		curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, tell);
		curl_easy_setopt(curl, CURLOPT_XFERINFODATA, waiting);
		curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	}
}

static int not_connected(const struct ctl *ctl, CURL *curl)
{
	long os_error = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
	if (os_error == EACCES || os_error == EPERM)
		return fail(NULL, EXIT_NOT_PERMITTED,
			    "%s: %s: only root, the daemon's owner and its "
			    "group may ask it",
			    ctl->opt.socket, strerror((int)os_error));
	return fail(NULL, EXIT_UNREACHABLE, "zddd is not reachable at %s%s%s", ctl->opt.socket,
		    os_error ? ": " : "", os_error ? strerror((int)os_error) : "");
}

static int transfer_failed(const struct ctl *ctl, CURL *curl, CURLcode err, bool is_change)
{
	switch (err) {
	case CURLE_COULDNT_CONNECT:
		return not_connected(ctl, curl);
	case CURLE_OPERATION_TIMEDOUT:
		return fail(ctl, EXIT_TIMEOUT, "no answer from zddd in time%s",
			    is_change ? "; it may still be going: see zddctl get" : "");
	default:
		break;
	}
	if (is_change)
		return fail(ctl, EXIT_ERROR,
			    "zddd went away before it answered (%s); whether it was "
			    "done: see zddctl get",
			    curl_easy_strerror(err));
	return fail(NULL, EXIT_UNREACHABLE, "zddd went away before it answered (%s)",
		    curl_easy_strerror(err));
}

static int parse_answer(const struct ctl *ctl, const struct text *t, long status, json_t **answer)
{
	json_t *parsed = t->len ? json_loadb(t->data, t->len, 0, NULL) : NULL;

	if (!json_is_object(parsed)) {
		json_decref(parsed);
		return fail(ctl, EXIT_ERROR,
			    "zddd answered with something that is no JSON object "
			    "(HTTP %ld)",
			    status);
	}
	*answer = parsed;
	return 0;
}

static int perform(struct ctl *ctl, CURL *curl, const char *path, const char *body, json_t **answer,
		   long *status)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	struct waiting waiting = {ctl, now_ms(), false};
	struct text got = {0};
	char url[2048];
	CURLcode err;
	int code;

	headers = curl_slist_append(headers, "Expect:"); /* no round trip before a large body */
	snprintf(url, sizeof(url), "http://localhost%s", path);
	prepare(curl, ctl, url, &got);
	if (body)
		prepare_post(curl, body, headers, &waiting);
	err = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
	code = err ? transfer_failed(ctl, curl, err, body)
		   : parse_answer(ctl, &got, *status, answer);
	curl_slist_free_all(headers);
	free(got.data);
	return code;
}

int exchange(struct ctl *ctl, const char *path, const json_t *body, json_t **answer, long *status)
{
	char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
	CURL *curl = curl_easy_init();
	int code;

	if (!curl || (body && !text))
		code = fail(ctl, EXIT_ERROR, "out of memory");
	else
		code = perform(ctl, curl, path, text, answer, status);
	curl_easy_cleanup(curl);
	free(text);
	return code;
}

int fetch(struct ctl *ctl, const char *path, json_t **answer)
{
	json_t *got = NULL;
	long status = 0;
	int code = exchange(ctl, path, NULL, &got, &status);

	if (!code && status >= 400) {
		code = refused(ctl, got, status);
		json_decref(got);
	} else if (!code) {
		*answer = got;
	}
	return code;
}

char *api_path(const char *form, const char *service)
{
	char *escaped = curl_easy_escape(NULL, service, 0);
	char *path = NULL;

	if (escaped && asprintf(&path, form, escaped) < 0)
		path = NULL;
	curl_free(escaped);
	return path;
}

int add_query(const struct ctl *ctl, char **path, const char *key, const char *value)
{
	char *escaped = curl_easy_escape(NULL, value, 0), *longer = NULL;
	int len = -1;

	if (!*value)
		len = 0;
	else if (escaped)
		len = asprintf(&longer, "%s%c%s=%s", *path, strchr(*path, '?') ? '&' : '?', key,
			       escaped);
	curl_free(escaped);
	if (len < 0)
		return fail(ctl, EXIT_ERROR, "out of memory");
	if (longer) {
		free(*path);
		*path = longer;
	}
	return 0;
}

int service_path(const struct ctl *ctl, const char *word, char **path)
{
	char error[ERROR_MAX];
	struct name name;

	if (name_parse(&name, word, NAME_SERVICE, NAME_SERVICE, error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	*path = api_path(ctl->cmd->path, name.service);
	return *path ? 0 : fail(ctl, EXIT_ERROR, "out of memory");
}

bool is_reachable(const struct ctl *ctl)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", ctl->opt.socket);
	connected = fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address));
	if (fd >= 0)
		close(fd);
	return connected;
}

int fetch_again(struct ctl *ctl, const char *path, json_t **answer)
{
	int64_t left_ms = ctl->opt.timeout_ms;
	int code = fetch(ctl, path, answer);

	while (code == EXIT_UNREACHABLE && left_ms > 0) {
		pause_ms(AGAIN_MS);
		left_ms -= AGAIN_MS;
		if (is_reachable(ctl))
			code = fetch(ctl, path, answer);
	}
	return code;
}
