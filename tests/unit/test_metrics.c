/* SPDX-License-Identifier: BSD-2-Clause */
/* The text that Prometheus reads. tests/lab/test_health.py holds it against get. */
#include "metrics.h"
#include "sight.h"

static char *text_of(struct world *w)
{
	struct zdd_count_row row = {0};
	struct metrics_facts facts = {
		.version = "1.2.3", .adopted = true, .started_ms = 1500, .publishes = 7};

	row.verdict[ZDD_V_NEW] = UINT64_MAX; /* must not pass through a double */
	row.note[ZDD_N_VIA_STACK] = 5;
	return metrics_text(w, &sight_numbers, &row, &facts);
}

TEST(samples)
{
	static const char *const lines[] = {
		"zdd_build_info{version=\"1.2.3\"} 1\n",
		"zdd_services 2\n",
		"zdd_adopted 1\n",
		"zdd_degraded 0\n",
		"zdd_publishes_total 7\n",
		"zdd_start_time_seconds 1.5\n",
		"zdd_service_revision{service=\"shop\"} 1\n",
		"zdd_pool_share_percent{service=\"shop\",pool=\"blue\"} 100\n",
		"zdd_pool_live{service=\"shop\",pool=\"green\"} 0\n",
		"zdd_pool_flows_new_total{service=\"shop\",pool=\"green\"} 2001\n",
		"zdd_pool_bytes_total{service=\"shop\",pool=\"green\"} 9007199254740991\n",
		"zdd_backend_up{service=\"shop\",pool=\"green\",backend=\"[fd00::2]:8080\"} 1\n",
		"zdd_backend_replies_total{service=\"shop\",pool=\"green\",backend=\"[fd00::2]:8080\"} 3011\n",
		"zdd_backend_weight_percent{service=\"shop\",pool=\"blue\",backend=\"10.0.1.12:8080\"} 30\n",
		"zdd_backend_ejected{service=\"shop\",pool=\"blue\",backend=\"10.0.1.12:8080\"} 1\n",
		"zdd_backend_ejected{service=\"shop\",pool=\"blue\",backend=\"10.0.1.11:8080\"} 0\n",
		"zdd_packets_total{verdict=\"new\"} 18446744073709551615\n",
		"zdd_notes_total{note=\"via_stack\"} 5\n",
		"zdd_pool_signal_total{service=\"shop\",pool=\"blue\",signal=\"5xx\",count=\"bad\"} 4\n",
		"zdd_pool_signal_total{service=\"shop\",pool=\"blue\",signal=\"refused\",count=\"n\"} 0\n",
		"zdd_backend_signal_total{service=\"shop\",pool=\"blue\",backend=\"10.0.1.11:8080\",signal=\"5xx\",count=\"bad\"} 4\n",
		"zdd_backend_connect_seconds_count{service=\"shop\",pool=\"blue\",backend=\"10.0.1.11:8080\"} 4\n",
		"zdd_pool_connect_seconds_bucket{service=\"shop\",pool=\"blue\",le=\"0.000002\"} 0\n",
		"zdd_pool_connect_seconds_bucket{service=\"shop\",pool=\"blue\",le=\"0.000004\"} 1\n",
		"zdd_pool_connect_seconds_bucket{service=\"shop\",pool=\"blue\",le=\"0.001024\"} 1\n",
		"zdd_pool_connect_seconds_bucket{service=\"shop\",pool=\"blue\",le=\"0.002048\"} 4\n",
		"zdd_pool_connect_seconds_sum{service=\"shop\",pool=\"blue\"} 0.003266125\n",
		"zdd_pool_connect_seconds_count{service=\"shop\",pool=\"blue\"} 4\n",
	};
	struct world *w = sight_make();
	char *text;

	world_find(w, "shop")->pools[0].backends[1].passive.state = PASSIVE_TRIAL;
	world_find(w, "shop")->pools[0].backends[1].slow_start.level = 3;
	text = text_of(w);
	for (size_t i = 0; text && i < sizeof(lines) / sizeof(*lines); i++)
		if (!strstr(text, lines[i]))
			CHECK_STR(lines[i], "in the text");
	CHECK(text != NULL);
	free(text);
	world_free(w);
}

/* Every sample follows the HELP and TYPE of its metric, and no metric comes twice. */
TEST(format)
{
	struct world *w = sight_make();
	char *text = text_of(w), *rest = text, *line;
	char name[128] = "", seen[64][128];
	size_t n = 0;

	while ((line = strsep(&rest, "\n")) && *line) {
		size_t len;

		ROW("%s", line);
		if (!strncmp(line, "# HELP ", 7)) {
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(line + 7, " "), line + 7);
			for (size_t i = 0; i < n; i++)
				CHECK(strcmp(seen[i], name) != 0);
			if (CHECK(n < 64))
				memcpy(seen[n++], name, sizeof(name));
			continue;
		}
		line += strncmp(line, "# TYPE ", 7) ? 0 : 7;
		len = strlen(name);
		CHECK(!strncmp(line, name, len) && strchr(" {_", line[len]));
	}
	CHECK(line && !*line && !rest); /* the last line ends too */
	free(text);
	world_free(w);
}

TEST(large)
{
	struct world *w = sight_make();

	world_find(w, "shop")->share[0] = 1;
	world_find(w, "shop")->share[1] = 9999;
	for (int i = 0; i < 3; i++) {
		char *text = text_of(w);

		CHECK(text &&
		      strstr(text,
			     "zdd_pool_share_percent{service=\"shop\",pool=\"blue\"} 0.01\n"));
		free(text);
	}
	world_free(w);
}
