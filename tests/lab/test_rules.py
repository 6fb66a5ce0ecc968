# SPDX-License-Identifier: BSD-2-Clause
"""Traffic by rule: previews, cohorts, and the addresses that zddd puts there itself."""
from lablib.lab import vip
from lablib.peers import assert_clean, pools_of
from lablib.proc import wait_for


def live_of(lab, target, **options):
    result = lab.load("new", target, total=20, flows=2, **options).result()
    assert_clean(result, 20)
    return set(pools_of(result))


def test_preview_shows_the_other_pool(lab):
    service = lab.service([f"{vip(4)}/tcp"], families=(4,), preview=[f"{vip(4, 8443)}/tcp"])
    daemon = lab.daemon(lab.config("tc", {"web": service})).wait_healthy()
    assert (live_of(lab, vip(4)), live_of(lab, vip(4, 8443))) == ({"blue"}, {"green"})
    daemon.flip("web=green")
    assert (live_of(lab, vip(4)), live_of(lab, vip(4, 8443))) == ({"green"}, {"blue"})


def test_cohort_rules_come_first(lab):
    service = lab.service(cohorts={"green": ["10.64.0.0/28", "fd64::/126"]})
    daemon = lab.daemon(lab.config("tc", {"web": service})).wait_healthy()
    assert live_of(lab, vip(4), source="10.64.0.5") == {"green"}
    assert live_of(lab, vip(4), source="10.64.1.5") == {"blue"}
    assert live_of(lab, vip(6), source="fd64::2") == {"green"}
    assert daemon.ctl("cohort", "web", "10.64.0.5").data["rule"] == "10.64.0.0/28"
    assert daemon.ctl("cohort", "web", "10.64.1.5").data["pool"] == "blue"
    for backend in lab.pools["green"]:
        backend.server.proc.kill9()
    wait_for(lambda: all(b["health"] == "down" for b in daemon.pool("green")["backends"]), 10, "green is down")
    assert live_of(lab, vip(4), source="10.64.0.5") == {"blue"}, "its share falls to live"
    assert daemon.ctl("cohort", "web", "10.64.0.5").data["pool"] == "blue"


def test_managed_addresses_come_and_go(lab):
    mine, other = "203.0.113.20", "203.0.113.21"

    def config(*addresses):
        return lab.config("tc", {"web": lab.service([f"{a}:80/tcp" for a in addresses], families=(4,),
                                                    vip="manage")})

    def there():
        text = lab.node.run("ip", "-4", "addr", "show", "dev", "lo").stdout
        return {a for a in (mine, other) if f"{a}/32" in text}

    daemon = lab.daemon(config(mine)).wait_healthy()
    assert there() == {mine}
    daemon.write(config(mine, other))
    daemon.reload()
    wait_for(lambda: there() == {mine, other}, 10, "it is added")
    daemon.kill9()
    daemon.write(config(other))
    daemon.start()
    assert there() == {other}, "what an earlier daemon added is taken away"
    lab.node.ip(f"addr del {other}/32 dev lo")
    wait_for(lambda: there() == {other}, 10, "it is put back")
