/* SPDX-License-Identifier: BSD-2-Clause */
/* apply, plan, restore: a file to the daemon. save: the configuration in force to a file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

enum { CONFIG_MAX = 16 << 20, CHUNK = 1 << 16 };

struct bytes {
	char *data;
	size_t len;
};

static int read_all(FILE *in, struct bytes *out)
{
	size_t room = 0;

	do {
		if (out->len + CHUNK > room) {
			char *grown = realloc(out->data, room += room + CHUNK);

			if (!grown)
				return -ENOMEM;
			out->data = grown;
		}
		out->len += fread(out->data + out->len, 1, CHUNK, in);
		if (out->len > CONFIG_MAX)
			return -EFBIG;
	} while (!feof(in) && !ferror(in));
	return ferror(in) ? -errno : 0;
}

static int read_file(const struct ctl *ctl, const char *name, struct bytes *out)
{
	FILE *in = strcmp(name, "-") ? fopen(name, "re") : stdin;
	int err = in ? read_all(in, out) : -errno;

	if (in && in != stdin)
		fclose(in);
	if (err == -EFBIG)
		return fail(ctl, EXIT_USAGE, "%s: larger than %d MiB", name, CONFIG_MAX >> 20);
	return err ? fail(ctl, EXIT_USAGE, "%s: %s", name, strerror(-err)) : 0;
}

/* The first line that JSON cannot carry. */
static int bad_line(const struct bytes *text)
{
	const char *at = text->data, *end = text->data + text->len;
	int line = 1;

	for (; at < end; line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);
		json_t *value = json_stringn(at, len);

		if (!value || memchr(at, '\0', len)) {
			json_decref(value);
			return line;
		}
		json_decref(value);
		at += len + 1;
	}
	return line;
}

/* New reference, or NULL when the text is not UTF-8 or has a NUL byte. */
static json_t *text_value(const struct bytes *text)
{
	return memchr(text->data, '\0', text->len) ? NULL : json_stringn(text->data, text->len);
}

/* plan is a dry run of apply. */
int apply_run(struct ctl *ctl, char **words, int n)
{
	const char *name = ctl->opt.file;
	struct bytes text = {0};
	json_t *value;
	int code;

	(void)words, (void)n;
	if (!name)
		return fail(ctl, EXIT_USAGE, "-f FILE is missing");
	code = read_file(ctl, name, &text);
	if (code)
		goto out;
	value = text_value(&text);
	if (!value) {
		code = fail(ctl, EXIT_USAGE, "%s:%d: not UTF-8 text", name, bad_line(&text));
		goto out;
	}
	if (!strcmp(ctl->cmd->name, "plan"))
		ctl->opt.dry_run = true;
	code = change(ctl, ctl->cmd->path,
		      json_pack("{s:o,s:s}", "config", value, "file",
				strcmp(name, "-") ? name : "standard input"));
out:
	free(text.data);
	return code;
}

static bool write_all(FILE *out, const json_t *config)
{
	return !json_dumpf(config, out, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) &&
	       fputc('\n', out) != EOF && !fflush(out) && !fsync(fileno(out));
}

/* Beside the file, then renamed: a full disk does not cost the copy that was there. */
static int write_file(const struct ctl *ctl, const char *name, const json_t *config)
{
	char *beside = NULL;
	FILE *out = NULL;
	int code = 0, fd = -1;

	if (asprintf(&beside, "%s.XXXXXX", name) < 0)
		return fail(ctl, EXIT_ERROR, "out of memory");
	fd = mkstemp(beside);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out || !write_all(out, config) || rename(beside, name))
		code = fail(ctl, EXIT_ERROR, "%s: %s", name, strerror(errno));
	if (code && fd >= 0)
		unlink(beside);
	if (out)
		fclose(out);
	else if (fd >= 0)
		close(fd);
	free(beside);
	return code;
}

int save_run(struct ctl *ctl, char **words, int n)
{
	json_t *answer = NULL;
	int code = fetch(ctl, ctl->cmd->path, &answer);

	(void)words, (void)n;
	if (!code && ctl->opt.file && strcmp(ctl->opt.file, "-"))
		code = write_file(ctl, ctl->opt.file, answer);
	else if (!code)
		json_print(ctl, answer);
	json_decref(answer);
	return code;
}
