/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON is YAML, say both; libyaml disagrees in two points, and this removes them: tabs around
 * the outer braces, and characters beyond U+FFFF written as two \u escapes. */
#include <stdlib.h>
#include <string.h>

#include "yaml_tree.h"

enum { ESCAPE = 6 /* \uXXXX */, PAIR = 2 * ESCAPE };

static unsigned utf16_unit(const char *s)
{
	char digits[5];

	if (s[0] != '\\' || s[1] != 'u')
		return 0;
	memcpy(digits, s + 2, 4);
	digits[4] = '\0';
	return (unsigned)strtoul(digits, NULL, 16);
}

/* \ud83d\ude00 -> \U0001f600; false when s is no such pair. */
static bool join_pair(const char *s, size_t left, char out[11])
{
	static const char hex[] = "0123456789abcdef";
	unsigned high = left >= PAIR ? utf16_unit(s) : 0;
	unsigned low = left >= PAIR ? utf16_unit(s + ESCAPE) : 0;
	unsigned character;

	if (high >> 10 != 0xd800 >> 10 || low >> 10 != 0xdc00 >> 10)
		return false;
	character = 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
	memcpy(out, "\\U", 2);
	for (unsigned i = 0; i < 8; i++)
		out[2 + i] = hex[character >> (28 - 4 * i) & 15];
	return true;
}

static size_t copy_escape(const char *s, size_t left, char *out, size_t *used)
{
	bool pair = join_pair(s, left, out);
	size_t n = left < 2 ? left : 2;

	*used = pair ? PAIR : n;
	if (pair)
		return 10;
	memcpy(out, s, n);
	return n;
}

bool json_suspected(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && memchr(" \t\r\n", text[i], 4))
		i++;
	return i < len && text[i] == '{';
}

char *json_to_yaml(const char *text, size_t len, size_t *out_len)
{
	char *out = malloc(len + 1);
	bool quoted = false;
	size_t at = 0, used;

	for (size_t i = 0; out && i < len; i += used) {
		char c = text[i];

		used = 1;
		if (quoted && c == '\\') {
			at += copy_escape(text + i, len - i, out + at, &used);
			continue;
		}
		if (!quoted && (c == '\'' || c == '#')) { /* YAML in braces: nothing to mend */
			memcpy(out, text, len);
			at = len;
			break;
		}
		quoted ^= c == '"';
		out[at++] = !quoted && c == '\t' ? ' ' : c;
	}
	*out_len = at;
	return out;
}
