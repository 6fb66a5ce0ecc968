/* SPDX-License-Identifier: BSD-2-Clause */
#include "t.h"
#include "ways.h"

static struct way way(const char *name, const char *kind, enum attach_mode mode)
{
	return (struct way){.name = name, .kind = kind, .mode = mode};
}

TEST(plain_devices_get_xdp)
{
	struct way w[] = {way("eth0", "", ATTACH_AUTO), way("eth1", "", ATTACH_AUTO),
			  way("lo", "loopback", ATTACH_AUTO), way("eth9", NULL, ATTACH_AUTO)};

	ways_choose(w, 4);
	CHECK(w[0].xdp && w[1].xdp && !w[2].xdp && !w[3].xdp);
	CHECK_STR(w[0].why, "native XDP");
	CHECK_STR(w[2].why, "loopback has no XDP of its own");
}

TEST(auto_is_never_a_mixture)
{
	struct way w[] = {way("eth0", "", ATTACH_AUTO), way("eth1", "", ATTACH_AUTO),
			  way("br0", "bridge", ATTACH_AUTO)};

	ways_choose(w, 3);
	CHECK(!w[0].xdp && !w[1].xdp && !w[2].xdp);
	CHECK_STR(w[0].why, "br0 has tc, so this too");
	CHECK_STR(w[2].why, "tc keeps large packets whole there");
}

TEST(asked_for_is_kept_and_said)
{
	struct way w[] = {way("eth0", "", ATTACH_XDP), way("b1", "veth", ATTACH_AUTO),
			  way("b2", "veth", ATTACH_XDP), way("eth1", "", ATTACH_TC)};

	ways_choose(w, 4);
	CHECK(w[0].xdp && !w[1].xdp && w[2].xdp && !w[3].xdp);
	CHECK_STR(w[0].why, "native XDP, but b1 has tc");
	CHECK_STR(w[3].why, "asked for");
}

TEST(old_kernels_lose_frames_to_some_drivers)
{
	CHECK(ways_driver_sends("virtio_net") && ways_driver_sends("mlx5_core"));
	CHECK(!ways_driver_sends("ixgbevf") && !ways_driver_sends("nicvf"));
	CHECK(!ways_driver_sends("") && !ways_driver_sends(NULL));
}

TEST(who_takes_no_redirects_is_found_out_later)
{
	struct way w[] = {way("eth0", "", ATTACH_AUTO), way("eth1", "", ATTACH_AUTO),
			  way("eth2", "", ATTACH_XDP)};

	ways_choose(w, 3);
	CHECK(w[0].xdp && w[1].xdp && w[2].xdp);
	for (int i = 0; i < 3; i++)
		w[i].known = true;
	w[0].redirected = w[2].redirected = true;
	ways_choose(w, 3);
	CHECK(!w[0].xdp && !w[1].xdp && w[2].xdp);
	CHECK_STR(w[0].why, "eth1 takes no XDP redirects");
	CHECK_STR(w[2].why, "native XDP, but eth1 takes no XDP redirects");
}

TEST(generic_is_for_those_who_ask)
{
	struct way w[] = {way("eth0", "", ATTACH_GENERIC), way("eth1", "", ATTACH_AUTO),
			  way("b1", "veth", ATTACH_AUTO), way("lo", "loopback", ATTACH_GENERIC)};

	for (int i = 0; i < 4; i++)
		w[i].known = true;
	ways_choose(w, 4);
	CHECK(w[0].xdp && w[0].generic && !w[1].xdp && !w[2].xdp && !w[3].xdp);
	CHECK_STR(w[0].why, "generic XDP, asked for: slower than tc");
	CHECK_STR(w[3].why, "loopback has no XDP of its own");
	for (int i = 1; i < 4; i++)
		CHECK(!w[i].generic || !w[i].xdp);
}

TEST(a_failure_takes_the_others_along)
{
	struct way w[] = {way("eth0", "", ATTACH_AUTO), way("eth1", "", ATTACH_AUTO)};

	w[1].failed = true;
	snprintf(w[1].why, sizeof(w[1].why), "another XDP program is there");
	ways_choose(w, 2);
	CHECK(!w[0].xdp && !w[1].xdp);
	CHECK_STR(w[0].why, "eth1 has tc, so this too");
	CHECK_STR(w[1].why, "another XDP program is there");
}
