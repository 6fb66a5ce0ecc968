/* SPDX-License-Identifier: BSD-2-Clause */
/* The test frame: TEST(name) { ... } registers itself, the header brings main(). Include it once.
 * A test goes on after a failed CHECK and is reported by the first one; ROW names the table row
 * that the checks after it belong to. "binary NAME" runs only that test. */
#ifndef ZDD_T_H
#define ZDD_T_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct t_test {
	const char *name;
	void (*run)(void);
	struct t_test *next;
};

static struct t_test *t_first, **t_tail = &t_first;
static unsigned t_fails; /* of the running test */
static char t_row[128];
static const char *t_name;

#define TEST(id)                                                                                   \
	static void t_run_##id(void);                                                              \
	__attribute__((constructor)) static void t_add_##id(void)                                  \
	{                                                                                          \
		static struct t_test test = {#id, t_run_##id, NULL};                               \
		*t_tail = &test;                                                                   \
		t_tail = &test.next;                                                               \
	}                                                                                          \
	static void t_run_##id(void)

__attribute__((format(printf, 3, 4))) static inline bool t_fail(const char *file, int line,
								const char *fmt, ...)
{
	va_list args;

	printf("%s%s: %s:%d: ", t_fails++ ? "#   also " : "not ok ", t_name, file, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("%s%s\n", t_row[0] ? "; row " : "", t_row);
	return false;
}

/* Each is true when it held, so that a test can stop: if (!CHECK(p)) return; */
#define CHECK(cond) t_true(__FILE__, __LINE__, #cond, (cond))
#define CHECK_INT(got, want) t_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define CHECK_STR(got, want) t_str(__FILE__, __LINE__, #got, (got), (want))
#define ROW(...) ((void)snprintf(t_row, sizeof(t_row), __VA_ARGS__))

static inline bool t_true(const char *file, int line, const char *expr, bool held)
{
	return held || t_fail(file, line, "%s", expr);
}

static inline bool t_int(const char *file, int line, const char *expr, long long got,
			 long long want)
{
	return got == want || t_fail(file, line, "%s is %lld, not %lld", expr, got, want);
}

static inline bool t_str(const char *file, int line, const char *expr, const char *got,
			 const char *want)
{
	return (got && want && !strcmp(got, want)) ||
	       t_fail(file, line, "%s is \"%s\", not \"%s\"", expr, got ? got : "(null)", want);
}

int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0); /* a crash must not swallow what was said */
	for (const struct t_test *test = t_first; test; test = test->next) {
		if (argc > 1 && strcmp(argv[1], test->name))
			continue;
		t_name = test->name;
		t_fails = 0;
		t_row[0] = '\0';
		test->run();
		if (t_fails)
			failed++;
		else
			passed += printf("ok %s\n", t_name) > 0;
	}
	printf("# %u passed, %u failed\n", passed, failed);
	return failed || !passed;
}

#endif
