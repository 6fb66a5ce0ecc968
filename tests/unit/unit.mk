# SPDX-License-Identifier: BSD-2-Clause
# Unit tests of edge files, with those files and their libraries.
$(B)/unit/test_hooks: edge_files = hooks hooks_said hooks_spawn hooks_unit privileges
$(B)/unit/test_hooks: edge_libraries = libuv libcap-ng
$(B)/unit/test_webhooks: edge_files = web webhooks
$(B)/unit/test_webhooks: edge_libraries = libuv libcurl

$(B)/unit/test_hooks $(B)/unit/test_webhooks: $(B)/unit/%: tests/unit/%.c $(B)/san/libcore.a $(edge_src)
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(c_flags) -Itests/unit -Iuser/edge $(sanitize) $< \
		$(edge_files:%=user/edge/%.c) $(B)/san/libcore.a \
		$(call pkg_of,--cflags --libs $(edge_libraries) $(core_pkgs)) -lm -o $@
