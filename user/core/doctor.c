/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor.h"

static const struct {
	const char *name, *good, *fix;
} table[DOCTOR_CHECKS] = {
#define D(symbol, name, good, fix) {name, good, fix},
	ZDD_CHECKS(D)
#undef D
};

static const char *text_of(const struct doctor_fact *f, const char *good)
{
	if (f->text[0])
		return f->text;
	return f->state == DOCTOR_GOOD ? good : "could not be found out";
}

json_t *doctor_json(const struct doctor_fact facts[DOCTOR_CHECKS])
{
	json_t *list = json_array();

	for (size_t i = 0; i < DOCTOR_CHECKS; i++) {
		const struct doctor_fact *f = &facts[i];
		json_t *ok = f->state == DOCTOR_UNKNOWN ? json_null()
							: json_boolean(f->state == DOCTOR_GOOD);
		json_t *fix = f->state == DOCTOR_BAD ? json_string(table[i].fix) : json_null();

		json_array_append_new(list,
				      json_pack("{s:s, s:o, s:s, s:o}", "name", table[i].name, "ok",
						ok, "text", text_of(f, table[i].good), "fix", fix));
	}
	return json_pack("{s:o}", "checks", list);
}
